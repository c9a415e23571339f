import { readdirSync, readFileSync } from 'node:fs'
import { waitUntil } from './wait-until.ts'

/** Threads of a process. */
export function threadCount(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).length
}

/** Descriptors that a process has open. */
export function descriptorCount(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

/** The descriptors of a process once their number rests: connections of the admin socket, say, are closed by then. */
export async function restingDescriptorCount(pid: number): Promise<number> {
  let count = -1
  let sameLooks = 0
  await waitUntil('the number of descriptors rests', () => {
    const now = descriptorCount(pid)
    sameLooks = now === count ? sameLooks + 1 : 0
    count = now
    return sameLooks >= 10
  })
  return count
}

/** Resident memory of a process, MiB. */
export function residentMib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) / 1024
}
