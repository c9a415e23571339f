import { readFileSync, statSync } from 'node:fs'
import { availableParallelism, networkInterfaces } from 'node:os'
import { dirname, join } from 'node:path'
import { followChain } from './watch-chain.ts'

/** What a file's meaning takes from the machine that it is read on. */
export interface Machine {
  /** CPUs that this process may use, at least 1. */
  readonly cpus: number
  /** IP addresses of its interfaces. */
  readonly addresses: readonly string[]
  /** Where an absolute path leads once symbolic links are followed; nothing need be there. */
  realPath(path: string): string
  /** Whether there is nothing at an absolute path. What this process may not look at counts as there. */
  isMissing(path: string): boolean
}

/** The machine that this process runs on. */
export function thisMachine(): Machine {
  return { cpus: usableCpus(availableParallelism(), readText), addresses: ownAddresses(), realPath, isMissing }
}

function realPath(path: string): string {
  return followChain(path).entries.at(-1) ?? path
}

function isMissing(path: string): boolean {
  try {
    statSync(path)
    return false
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOENT' || code === 'ENOTDIR'
  }
}

/** None where the process may not ask, as in a service whose RestrictAddressFamilies leaves AF_NETLINK out. */
function ownAddresses(): string[] {
  try {
    return Object.values(networkInterfaces()).flatMap((rows) => (rows ?? []).map((row) => row.address))
  } catch {
    return []
  }
}

/**
 * CPUs that this process may use: those that the scheduler gives it, and no more than the CPU quota of its cgroup and
 * of every cgroup above it, rounded up (cgroups(7), v2 `cpu.max`, v1 `cpu.cfs_quota_us`).
 */
export function usableCpus(scheduled: number, read: (path: string) => string | undefined): number {
  const quotas = cgroupFolders(read('/proc/self/cgroup') ?? '').map((folder) => quotaOf(folder, read))
  return Math.max(1, Math.min(scheduled, ...quotas.map(Math.ceil)))
}

/** Folders that may hold a quota. In a container the path may be the host's; the root of the mount is then ours. */
function cgroupFolders(text: string): string[] {
  const folders: string[] = []
  for (const line of text.split('\n')) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line)
    const controllers = match?.[1]?.split(',') ?? ['none']
    if (match === null || (match[1] !== '' && !controllers.includes('cpu'))) continue
    const mount = match[1] === '' ? '/sys/fs/cgroup' : `/sys/fs/cgroup/${match[1]}`
    for (let path = match[2] ?? '/'; ; path = dirname(path)) {
      folders.push(join(mount, path))
      if (path === '/') break
    }
  }
  return folders
}

function quotaOf(folder: string, read: (path: string) => string | undefined): number {
  const [quota, period] = read(join(folder, 'cpu.max'))?.trim().split(/\s+/) ?? [
    read(join(folder, 'cpu.cfs_quota_us')),
    read(join(folder, 'cpu.cfs_period_us')),
  ]
  const cpus = Number(quota) / Number(period)
  return cpus > 0 && Number.isFinite(cpus) ? cpus : Number.POSITIVE_INFINITY
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
