import { readdirSync, readFileSync } from 'node:fs'
import { waitUntil } from './wait-until.ts'

/** Numbers of the descriptors that a process has open. */
export function openDescriptors(pid: number): number[] {
  return readdirSync(`/proc/${pid}/fd`).map(Number)
}

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  if (kib === undefined) throw new Error(`process ${pid} has no resident memory`)
  return 1024 * Number(kib)
}

/** Threads of a process. */
export function threadCount(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).length
}

/** How many descriptors a process has once the number rests: connections of the admin socket, say, are closed then. */
export async function restingDescriptorCount(pid: number): Promise<number> {
  let count = -1
  let sameLooks = 0
  await waitUntil('the number of descriptors rests', () => {
    const now = openDescriptors(pid).length
    sameLooks = now === count ? sameLooks + 1 : 0
    count = now
    return sameLooks >= 10
  })
  return count
}
