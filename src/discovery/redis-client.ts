import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { HostPort, RedisConfig } from '../model/config.ts'
import { McsError } from '../model/errors.ts'
import { type GuardedConnectorOptions, guardedConnector } from './redis-connector.ts'
import { Pauses } from './redis-pauses.ts'
import { causeOf, describeFailure, isUnsent, type OptionNames } from './redis-reason.ts'
import { type SentinelOptions, sentinelLocator } from './redis-sentinel.ts'
import { ServerTrust } from './server-trust.ts'

export interface RedisClientOptions {
  /** Longest time for one command's answer; 2 s unless given. */
  readonly commandTimeoutMs?: number
  /** Longest time for TCP and TLS; 5 s unless given. */
  readonly connectTimeoutMs?: number
  /** What the options are called that a remedy names; those of the file unless given. */
  readonly optionNames?: OptionNames
}

/** A Redis, in whatever way it is reached. Commands fail at once while it is not connected: nothing queues up. */
export interface RedisClient {
  /** For commands with one key: in a cluster they find their node. */
  readonly commands: Redis | Cluster
  /** Whether commands would be sent now. */
  readonly isReady: boolean
  /** Resolves once connected, or after the time: the first commands of a program are worth a short wait. */
  whenReady(timeoutMs: number): Promise<void>
  /** Every node that has keys: the server itself, or all masters of a cluster. */
  masters(): readonly Redis[]
  /** Why it is not reached, or a command failed, and what would do: one line without passwords. */
  describe(error: unknown): string
  /** Another connection of the same kind, for subscriptions; undefined in a cluster, whose nodes speak for themselves. */
  duplicate(): Redis | undefined
  /** Gives the connection up and makes another: whoever does not answer in time may have died. */
  reset(): void
  close(): void
}

/**
 * Connects, and connects again for ever, with growing pauses. Authorities that cannot be read are a connection that
 * failed: the next one reads them again.
 *
 * @throws {McsError} MCS_CONFIG_INVALID for a URL that is none.
 */
export function connectRedis(config: RedisConfig, options: RedisClientOptions = {}): RedisClient {
  const target = readTarget(config)
  const secrets = secretsOf(target, config)
  let lastFailure: unknown
  const parts = partsOf(config, target, options, (error) => {
    lastFailure = error
  })
  const commands = config.cluster === null ? single(parts) : cluster(config.cluster, parts)
  let lastError: unknown
  // Without a listener ioredis prints the error, with the arguments of AUTH in it.
  commands.on('error', (error: unknown) => {
    if (!isUnsent(error)) lastError = error
  })
  const duplicates: Redis[] = []
  return {
    commands,
    get isReady() {
      return commands.status === 'ready'
    },
    whenReady: (timeoutMs) => whenReady(commands, timeoutMs),
    masters: () => (commands instanceof Cluster ? commands.nodes('master') : [commands]),
    describe(error) {
      // That a command was not sent tells less than why there is no connection.
      const isTold = commands.status === 'ready' && !isUnsent(error)
      return describeFailure(isTold ? error : causeOf(lastError ?? error, lastFailure), secrets, options.optionNames)
    },
    duplicate() {
      if (commands instanceof Cluster) return undefined
      const copy = single(parts)
      copy.on('error', () => {})
      duplicates.push(copy)
      return copy
    },
    reset() {
      // A cluster that is on its way would not go on by itself; it has a deadline of its own.
      if (commands instanceof Redis || commands.status === 'ready') commands.disconnect(true)
    },
    close() {
      for (const redis of [commands, ...duplicates]) redis.disconnect()
    },
  }
}

interface Target extends HostPort {
  readonly username: string
  readonly password: string
  readonly database: number
  readonly isTls: boolean
}

/** Where a URL leads to. What is said of a bad one never quotes it: there may be a password in it. */
export function readTarget({ url: text, tls }: Pick<RedisConfig, 'url' | 'tls'>): Target {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (
    url === undefined ||
    !/^rediss?:$/.test(url.protocol) ||
    url.hostname === '' ||
    !/^\/?\d{0,5}$/.test(url.pathname)
  ) {
    const message =
      'Cannot read the URL of Redis; write redis://host:6379, or rediss://user:password@host:6379/0 for TLS'
    throw new McsError('MCS_CONFIG_INVALID', message, { source: 'config' })
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? 6379 : Number(url.port),
    username: decode(url.username),
    password: decode(url.password),
    database: Number(url.pathname.slice(1)),
    // Whoever names authorities or a server name expects TLS; a password must not go out in plain because of a letter.
    isTls: url.protocol === 'rediss:' || tls.ca !== 'system' || tls.serverName !== '' || !tls.verify,
  }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

interface Parts {
  readonly config: RedisConfig
  readonly target: Target
  readonly connector: GuardedConnectorOptions
  readonly commandTimeoutMs: number
  retryDelay(times: number): number
}

function partsOf(
  config: RedisConfig,
  target: Target,
  options: RedisClientOptions,
  noteFailure: (error: Error) => void,
): Parts {
  const pauses = new Pauses()
  const connector = {
    trust: target.isTls ? new ServerTrust(config.tls, config.sentinel === null ? target.host : '') : undefined,
    connectTimeoutMs: options.connectTimeoutMs ?? 5_000,
    onFailure: (error: Error, isRefusal: boolean) => {
      noteFailure(error)
      if (isRefusal) pauses.noteRefusal()
    },
  }
  const commandTimeoutMs = options.commandTimeoutMs ?? 2_000
  return { config, target, connector, commandTimeoutMs, retryDelay: (times) => pauses.next(times) }
}

/** What all connections share, those to Sentinel as well. */
function sharedOptions({ commandTimeoutMs }: Parts) {
  return {
    protocol: 2,
    // An ACL may allow a handful of commands only, and INFO and CLIENT are not among them.
    disableClientInfo: true,
    commandTimeout: commandTimeoutMs,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
  } satisfies RedisOptions
}

function nodeOptions(parts: Parts) {
  const { config, target, connector } = parts
  const { sentinel } = config
  const locate =
    sentinel === null ? {} : { locate: sentinelLocator(sentinel.nodes, sentinel.master, sentinelOptions(parts)) }
  return {
    ...sharedOptions(parts),
    ...(target.username === '' ? {} : { username: target.username }),
    ...(target.password === '' ? {} : { password: target.password }),
    Connector: guardedConnector({ ...connector, ...locate }),
    // What a Sentinel named may have become a replica.
    enableReadyCheck: sentinel !== null,
    // After a failover the connection may lead to what is a replica now.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
  } satisfies RedisOptions
}

function sentinelOptions(parts: Parts): SentinelOptions {
  const password = parts.config.sentinel?.password ?? ''
  return {
    ...sharedOptions(parts),
    ...(password === '' ? {} : { password }),
    Connector: guardedConnector(parts.connector),
  }
}

function single(parts: Parts): Redis {
  const { host, port, database } = parts.target
  const own = { host, port, db: database, enableOfflineQueue: false, retryStrategy: parts.retryDelay }
  return new Redis({ ...nodeOptions(parts), ...own })
}

function cluster(nodes: readonly HostPort[], parts: Parts): Cluster {
  const startup = [parts.target, ...nodes].map(({ host, port }) => ({ host, port }))
  return new Cluster(startup, {
    redisOptions: nodeOptions(parts),
    enableOfflineQueue: false,
    clusterRetryStrategy: parts.retryDelay,
    slotsRefreshTimeout: parts.commandTimeoutMs,
  })
}

function whenReady(commands: Redis | Cluster, timeoutMs: number): Promise<void> {
  if (commands.status === 'ready') return Promise.resolve()
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      for (const event of ['ready', 'error', 'end']) commands.off(event, done)
      resolve()
    }
    const timer = setTimeout(done, timeoutMs)
    for (const event of ['ready', 'error', 'end']) commands.on(event, done)
  })
}

function secretsOf({ password }: Target, { url, sentinel }: RedisConfig): string[] {
  const raw = URL.canParse(url) ? new URL(url).password : ''
  return [password, raw, sentinel?.password ?? ''].filter((secret) => secret !== '')
}
