/**
 * The same tests under harsher conditions: MCS_LB_TEST_HARSH names a profile, and every program that a test starts then
 * runs under it. The first three trace and inject through strace; Node's own input and output uses other system calls
 * than the reactor does, so only the reactor meets them. `short` is the network that the tests are run in: tiny socket
 * buffers, so that short writes and full sockets are the rule.
 */
export const harshProfiles = ['slow', 'eagain', 'eintr', 'short'] as const
export type HarshProfile = (typeof harshProfiles)[number]

const tracers: Record<HarshProfile, readonly string[]> = {
  slow: [
    '--trace=recvfrom,sendto,accept4,connect,epoll_wait,epoll_ctl,close,shutdown',
    '--inject=recvfrom,sendto,accept4,connect,epoll_ctl,shutdown:delay_exit=200',
  ],
  eagain: ['--trace=recvfrom,sendto', '--inject=recvfrom,sendto:error=EAGAIN:when=3+7'],
  eintr: [
    '--trace=recvfrom,sendto,accept4,epoll_wait',
    '--inject=recvfrom,sendto,accept4,epoll_wait:error=EINTR:when=2+5',
  ],
  short: [],
}

/** The profile that this process was told to test under. */
const profile = readProfile()

export const isHarsh = profile !== undefined

/** How much longer than usual a test may have to wait. */
export const patience = isHarsh ? 6 : 1

/** A transfer that does not fit into the buffers of all the sockets on its way: Linux lets each receiver have up to 32 MiB. */
export const MORE_THAN_KERNELS_HOLD = 96 << 20

/** The size of a transfer: `bytes`, or a part of it where every system call is slow. */
export function transferSize(bytes: number): number {
  return isHarsh ? Math.ceil(bytes / 16) : bytes
}

/**
 * What stands before the program. With `-D` strace is the grandchild and the program the child, so that its pid, its
 * exit code and its signals are those of the process that was spawned.
 */
export function harshPrefix(): readonly string[] {
  if (profile === undefined || tracers[profile].length === 0) return []
  return ['strace', '-D', '-f', '--seccomp-bpf', '-o', '/dev/null', ...tracers[profile]]
}

function readProfile(): HarshProfile | undefined {
  const name = process.env.MCS_LB_TEST_HARSH
  if (name === undefined || name === '') return undefined
  const known = harshProfiles.find((each) => each === name)
  if (known === undefined)
    throw new Error(`MCS_LB_TEST_HARSH is "${name}"; the profiles are ${harshProfiles.join(', ')}`)
  return known
}
