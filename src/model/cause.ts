/**
 * Why a connection ended: who ended it, in which phase, how. `tcplog` is the two-letter termination code that HAProxy
 * prints for the same end (configuration.txt, 8.5 "Session state at disconnection").
 */
export interface Cause {
  /** Its number in access records: the position in {@link causes}. */
  readonly code: number
  readonly name: string
  readonly by: 'client' | 'backend' | 'proxy'
  readonly phase: 'connect' | 'relay'
  readonly tcplog: string
  readonly description: string
}

const table = [
  ['clientClosed', 'client-closed', 'client', 'relay', '--', 'Both directions ended cleanly, the client’s first.'],
  ['backendClosed', 'backend-closed', 'backend', 'relay', '--', 'Both directions ended cleanly, the backend’s first.'],
  ['clientReset', 'client-reset', 'client', 'relay', 'CD', 'The client reset the connection; the reset was passed on.'],
  [
    'backendReset',
    'backend-reset',
    'backend',
    'relay',
    'SD',
    'The backend reset the connection; the reset was passed on.',
  ],
  ['clientError', 'client-error', 'client', 'relay', 'CD', 'A system call on the client’s socket failed.'],
  ['backendError', 'backend-error', 'backend', 'relay', 'SD', 'A system call on the backend’s socket failed.'],
  ['idleTimeout', 'idle-timeout', 'proxy', 'relay', 'cD', 'No byte moved for timeouts.idle.'],
  [
    'clientStalled',
    'client-stalled',
    'client',
    'relay',
    'cD',
    'Bytes waited for the client, who took none for timeouts.idle.',
  ],
  [
    'backendStalled',
    'backend-stalled',
    'backend',
    'relay',
    'sD',
    'Bytes waited for the backend, which took none for timeouts.idle.',
  ],
  [
    'halfClosedTimeout',
    'half-closed-timeout',
    'proxy',
    'relay',
    'cD',
    'One direction had ended and no byte moved in the other for timeouts.halfClosed.',
  ],
  ['maxDuration', 'max-duration', 'proxy', 'relay', 'KD', 'The connection reached timeouts.maxDuration.'],
  [
    'clientAborted',
    'client-aborted',
    'client',
    'connect',
    'CC',
    'The client went away before a backend was connected.',
  ],
  [
    'connectFailed',
    'connect-failed',
    'backend',
    'connect',
    'SC',
    'Every attempt failed; the attempts name the errors.',
  ],
  [
    'connectTimeout',
    'connect-timeout',
    'backend',
    'connect',
    'sC',
    'The last attempt did not answer within connect.timeout.',
  ],
  ['noBackend', 'no-backend', 'proxy', 'connect', 'SC', 'The upstream has no backend at all.'],
  [
    'backendsDown',
    'backends-down',
    'proxy',
    'connect',
    'SC',
    'No backend could be chosen: all are down, ejected, draining or in maintenance.',
  ],
  [
    'backendsFull',
    'backends-full',
    'proxy',
    'connect',
    'sQ',
    'No backend could be chosen: those that are up have maxConnections.',
  ],
  [
    'noDescriptors',
    'no-descriptors',
    'proxy',
    'connect',
    'RC',
    'No file descriptor or port was left for the backend’s socket.',
  ],
  [
    'backendRemoved',
    'backend-removed',
    'proxy',
    'relay',
    'KD',
    'Its backend was taken out of the upstream, and connections.onRemoved says drain or close.',
  ],
  [
    'backendUnhealthy',
    'backend-unhealthy',
    'proxy',
    'relay',
    'KD',
    'Its backend failed its checks, and connections.onUnhealthy says drain or close.',
  ],
  ['shutdown', 'shutdown', 'proxy', 'relay', 'KD', 'The process stopped and shutdown.drain was over.'],
  ['internalError', 'internal-error', 'proxy', 'relay', 'ID', 'A fault in mcs-lb; the program’s log says more.'],
] as const

type CauseKey = (typeof table)[number][0]

/** Every cause, its `code` being its index. */
export const causes: readonly Cause[] = table.map(([, name, by, phase, tcplog, description], code) => ({
  code,
  name,
  by,
  phase,
  tcplog,
  description,
}))

/** The codes by key, for code that ends connections: `CauseCode.idleTimeout`. */
export const CauseCode = Object.fromEntries(table.map(([key], code) => [key, code])) as Readonly<
  Record<CauseKey, number>
>
