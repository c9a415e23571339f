import { spawnSync } from 'node:child_process'
import { cpus, release, totalmem } from 'node:os'
import { descriptorLimit } from './procfs.ts'

/** Where and on what the figures were taken. */
export interface Machine {
  readonly commit: string
  /** Whether the checkout held changes that the commit does not. */
  readonly modified: boolean
  readonly kernel: string
  readonly cpu: string
  readonly cpus: number
  readonly memoryGiB: number
  readonly descriptorLimit: number
  readonly versions: Readonly<Record<string, string>>
}

export function describeMachine(): Machine {
  return {
    commit: firstLine('git', ['rev-parse', '--short', 'HEAD']),
    modified: firstLine('git', ['status', '--porcelain', '--untracked-files=no']) !== 'unknown',
    kernel: release(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    descriptorLimit: descriptorLimit(),
    versions: {
      node: process.version,
      haproxy: firstLine('haproxy', ['-v']),
      nginx: firstLine('nginx', ['-v']),
      wrk: firstLine('wrk', ['-v']),
      iperf3: firstLine('iperf3', ['--version']),
      h2load: firstLine('h2load', ['--version']),
    },
  }
}

/** The first line that a program prints; `unknown` when it prints none or does not exist. */
function firstLine(program: string, args: readonly string[]): string {
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' })
  return `${stdout ?? ''}${stderr ?? ''}`.split('\n')[0]?.trim() || 'unknown'
}
