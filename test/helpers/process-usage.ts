import { readdirSync, readFileSync } from 'node:fs'

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
