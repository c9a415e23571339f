import { readdirSync, readFileSync } from 'node:fs'
import { parseStatTicks } from './parse.ts'

/** Linux reports CPU time to programs in hundredths of a second, on every architecture that Node knows. */
const TICKS_PER_SECOND = 100

/** CPU seconds that a process and its children have used so far, all their threads, user and system. */
export function cpuSeconds(pid: number): number {
  return sumTree(pid, (each) => parseStatTicks(readFileSync(`/proc/${each}/stat`, 'utf8'))) / TICKS_PER_SECOND
}

/** Resident memory of a process and its children in KiB. Pages they share are counted in each. */
export function residentKiB(pid: number): number {
  return sumTree(pid, (each) => {
    const rollup = readFileSync(`/proc/${each}/smaps_rollup`, 'utf8')
    return Number(/^Rss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? Number.NaN)
  })
}

/** How many descriptors a process started from here may open. Node has raised its own soft limit to the hard one. */
export function descriptorLimit(): number {
  const found = /^Max open files\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
  return found === undefined || found === 'unlimited' ? Infinity : Number(found)
}

/** The first port that the kernel may hand to outgoing connections. */
export function firstEphemeralPort(): number {
  return Number(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/)[0])
}

function sumTree(pid: number, read: (pid: number) => number): number {
  const children = readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' '))
    .filter((child) => child !== '')
  return children.reduce((sum, child) => sum + sumTree(Number(child), read), read(pid))
}
