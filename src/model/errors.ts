/** Every error code of the program, with what it means. Each stands in docs/errors.md; a test holds that. */
export const errorCodes = {
  MCS_CONFIG_INVALID: 'The configuration file has errors; each is listed with line and column.',
  MCS_CONFIG_UNREADABLE: 'The configuration file cannot be read.',
  MCS_BIND_FAILED: 'A listener’s address cannot be bound.',
  MCS_WORKER_FAILED: 'A worker thread could not take the new configuration.',
  MCS_WORKER_CRASHED: 'A worker thread threw; its connections are lost.',
  MCS_LIMIT_EXCEEDED: 'The file asks for more than a stated maximum of the program.',
  MCS_ADMIN_UNREACHABLE: 'The admin socket of a running mcs-lb does not answer.',
  MCS_ADMIN_FAILED: 'The admin socket cannot be opened.',
  MCS_LOG_UNWRITABLE: 'A log file cannot be opened.',
  MCS_SYSTEM: 'A system call failed.',
} as const

export type ErrorCode = keyof typeof errorCodes

/** Where an error comes from. */
export type ErrorSource = 'client' | 'backend' | 'config' | 'system' | 'internal'

/** The one error class of the program: match on `code`, never on the message. */
export class McsError extends Error {
  readonly code: ErrorCode
  readonly source: ErrorSource
  /** Whether the same action may succeed later with nothing changed. */
  readonly retryable: boolean

  constructor(
    code: ErrorCode,
    message: string,
    options: { source: ErrorSource; retryable?: boolean; cause?: unknown },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'McsError'
    this.code = code
    this.source = options.source
    this.retryable = options.retryable ?? false
  }
}

/** One fault in the configuration file. */
export interface ConfigIssue {
  /** Path of the file as the operator named it. */
  readonly file: string
  /** 1-based; 1 where the fault is the file itself. */
  readonly line: number
  /** 1-based. */
  readonly column: number
  /** Where in the document: `listeners.edge.bind`, `upstreams.chat.servers[0].weight`; empty for the document. */
  readonly path: string
  /** What is wrong, quoting what was read: `"5 s" is not a duration`. */
  readonly message: string
  /** What would do, and the nearest known key for a typo; empty where nothing helps. */
  readonly hint: string
}

/** MCS_CONFIG_INVALID with every fault that was found. */
export class ConfigError extends McsError {
  readonly issues: readonly ConfigIssue[]

  constructor(issues: readonly ConfigIssue[]) {
    const first = issues[0]
    const more = issues.length > 1 ? ` and ${issues.length - 1} more` : ''
    super(
      'MCS_CONFIG_INVALID',
      first === undefined
        ? 'The configuration is invalid'
        : `${first.file}:${first.line}:${first.column}: ${first.path === '' ? '' : `${first.path}: `}${first.message}${more}`,
      { source: 'config' },
    )
    this.name = 'ConfigError'
    this.issues = issues
  }
}
