import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { openDescriptors } from './process-usage.ts'
import { waitUntilStill } from './wait-until-still.ts'

/**
 * Lowers the soft limit of a running process so that it can open `count` descriptors more. A limit is a number that no
 * descriptor reaches, so the gaps below it count. Returns what undoes it.
 */
export async function leaveDescriptors(pid: number, count: number): Promise<() => void> {
  const before = softLimit(pid)
  // One that is about to be closed must not be counted: it would be free again.
  await waitUntilStill('descriptors', () => openDescriptors(pid).length)
  const open = new Set(openDescriptors(pid))
  let limit = 0
  for (let free = 0; free < count || open.has(limit); limit++) if (!open.has(limit)) free++
  setSoftLimit(pid, limit)
  return () => setSoftLimit(pid, before)
}

function setSoftLimit(pid: number, limit: number): void {
  execFileSync('prlimit', ['--pid', String(pid), `--nofile=${limit}:`])
}

function softLimit(pid: number): number {
  const limit = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1]
  if (limit === undefined) throw new Error(`process ${pid} has no descriptor limit`)
  return Number(limit)
}
