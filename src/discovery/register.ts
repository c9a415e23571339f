import { randomUUID } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { connect, isIP } from 'node:net'
import { formatAddress, formatHostPort, type SocketAddress } from '../model/address.ts'
import type { RedisConfig } from '../model/config.ts'
import { parseMember } from './member.ts'
import { connectRedis, type RedisClient, readTarget } from './redis-client.ts'
import { escapePattern } from './redis-keys.ts'
import { isRefusal, type KeyNeeds, withKeyRemedy } from './redis-reason.ts'
import { readTime } from './redis-shape.ts'
import { validateBelonging, validateRegistration } from './register-options.ts'
import { readAuthorities } from './server-trust.ts'

export interface RegisterOptions {
  /** `redis://…` or `rediss://…`, or how it is reached in full. */
  readonly redis: string | RedisConfig
  /** `IP:PORT` of the backend, or `auto:PORT` for this machine's address on the way to Redis. */
  readonly address: string
  /** `keys` (default): a key of its own with a time to live. `sorted-set`: a member with the time as its score. */
  readonly form?: 'keys' | 'sorted-set'
  /** Of `keys`: what the key begins with; `mcs:node:` unless given. */
  readonly prefix?: string
  /** Of `sorted-set`: the set; `mcs:node` unless given. */
  readonly key?: string
  /** Of `keys`: time after the last heartbeat when the entry is gone; 5 s unless given. */
  readonly ttlMs?: number
  /** Time between heartbeats; 2 s unless given. */
  readonly intervalMs?: number
  /** Whether the backend must take a connection before each heartbeat. */
  readonly check?: boolean
  /** What the load balancer is told of the backend (docs/discovery.md). */
  readonly weight?: number
  readonly priority?: number
  readonly backup?: boolean
  readonly state?: 'ready' | 'drain' | 'maintenance'
  readonly maxConnections?: number
  readonly zone?: string
  /** Told when the state changes, not at every heartbeat. */
  readonly onState?: (state: RegistrationState) => void
}

/** `reason` is one line without passwords, empty where it is registered. */
export interface RegistrationState {
  readonly registered: boolean
  readonly reason: string
  /** `IP:PORT` that is or was written; empty while that of `auto` is not known. */
  readonly address: string
}

/**
 * What became of the entry at the end: it is removed; it is none of its own any more (`gone`: it had ended, or another
 * process has taken it over); it was never written; or it is left, until it ends by its age, for the `reason`.
 */
export interface RegistrationEnd {
  readonly entry: 'removed' | 'gone' | 'unwritten' | 'left'
  /** Empty unless it is left. */
  readonly reason: string
}

export interface Registration {
  /** Ends the heartbeats and removes the entry, where it is still its own and Redis can be reached. Never rejects. */
  close(): Promise<RegistrationEnd>
}

const defaults = { prefix: 'mcs:node:', key: 'mcs:node', ttlMs: 5_000, intervalMs: 2_000 }
const optionNames = { ca: '--ca', serverName: '--server-name' }
const commandTimeoutMs = 1_000
const checkTimeoutMs = 1_000

/** Another process may have taken the entry over; it is removed only where it holds what was last written. */
const removeKey = `if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0`
const removeMember = `if redis.call('zscore', KEYS[1], ARGV[1]) == ARGV[2] then return redis.call('zrem', KEYS[1], ARGV[1]) end return 0`

/**
 * Registers a backend and keeps it registered until it is closed. It goes on trying while Redis, or the backend with
 * `check`, is away; the promise does not wait for them.
 *
 * @throws {McsError} MCS_CONFIG_INVALID where an option is wrong, MCS_CONFIG_UNREADABLE where the CA file is.
 */
export async function register(options: RegisterOptions): Promise<Registration> {
  const settings = { ...defaults, ...withoutUndefined(options) }
  const text = optionsText(options)
  validateRegistration(settings, text)
  const redis = typeof settings.redis === 'string' ? plainRedis(settings.redis) : settings.redis
  validateBelonging(options, redis)
  // Each connection reads them; a mistake in their path is told at once.
  if (redis.tls.ca !== 'system') readAuthorities(redis.tls.ca)
  const heart = new Heart(settings, redis, text)
  heart.start()
  return heart
}

/** The options with what is preset. */
export type RegisterSettings = RegisterOptions & typeof defaults

class Heart implements Registration {
  readonly #settings: RegisterSettings
  readonly #redis: RedisConfig
  readonly #client: RedisClient
  /** Options of the member as JSON without braces; empty for none. */
  readonly #optionsText: string
  /** Tells entries of this process from those of others at the same address. */
  readonly #id = randomUUID()
  #address: SocketAddress | undefined
  /** Removes what was last written, or may have been; undefined while nothing was. */
  #remove: (() => Promise<unknown>) | undefined
  #told = ''
  #timer: NodeJS.Timeout | undefined
  #beating: Promise<void> = Promise.resolve()
  #closing: Promise<RegistrationEnd> | undefined

  constructor(settings: RegisterSettings, redis: RedisConfig, text: string) {
    this.#settings = settings
    this.#redis = redis
    this.#optionsText = text
    this.#client = connectRedis(redis, { commandTimeoutMs, optionNames })
  }

  start(): void {
    this.#beating = this.#beat().then(() => {
      if (this.#closing === undefined) this.#timer = setTimeout(() => this.start(), this.#settings.intervalMs)
    })
  }

  close(): Promise<RegistrationEnd> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<RegistrationEnd> {
    clearTimeout(this.#timer)
    await this.#beating
    try {
      if (this.#remove === undefined) return { entry: 'unwritten', reason: '' }
      return { entry: (await this.#remove()) === 1 ? 'removed' : 'gone', reason: '' }
    } catch (error) {
      return { entry: 'left', reason: this.#describe(error) }
    } finally {
      this.#client.close()
    }
  }

  async #beat(): Promise<void> {
    try {
      this.#address ??= await addressOf(this.#settings.address, this.#redis)
      if (this.#settings.check === true) await checkBackend(this.#address)
      if (this.#closing !== undefined) return
      await this.#client.whenReady(commandTimeoutMs)
      await (this.#settings.form === 'sorted-set' ? this.#beatMember(this.#address) : this.#beatKey(this.#address))
      this.#tell(true, '')
    } catch (error) {
      if (error instanceof Error && /timed out/i.test(error.message)) this.#client.reset()
      this.#tell(false, error instanceof BackendError ? error.message : this.#describe(error))
    }
  }

  #describe(error: unknown): string {
    return withKeyRemedy(this.#client.describe(error), needsOf(this.#settings))
  }

  async #beatKey(address: SocketAddress): Promise<void> {
    const { commands } = this.#client
    const key = `${this.#settings.prefix}${formatAddress(address)}`
    const value = `{${[this.#optionsText, `"id":"${this.#id}"`].filter(Boolean).join()}}`
    const remove = () => commands.eval(removeKey, 1, key, value)
    await this.#write(remove, () => commands.set(key, value, 'PX', this.#settings.ttlMs))
  }

  async #beatMember(address: SocketAddress): Promise<void> {
    const { commands } = this.#client
    const { key } = this.#settings
    const text = formatAddress(address)
    const member = this.#optionsText === '' ? text : `{"address":"${text}",${this.#optionsText}}`
    // The clock of Redis is the one that all share.
    const score = Math.floor(readTime(await commands.time()))
    const remove = () => commands.eval(removeMember, 1, key, member, `${score}`)
    await this.#write(remove, () => commands.zadd(key, score, member))
  }

  /** What is without an answer may have been written; what was not sent, or was refused, has not. */
  async #write(remove: () => Promise<unknown>, write: () => Promise<unknown>): Promise<void> {
    const isSent = this.#client.isReady
    try {
      await write()
      this.#remove = remove
    } catch (error) {
      if (isSent && !isRefusal(error)) this.#remove = remove
      throw error
    }
  }

  #tell(registered: boolean, reason: string): void {
    const text = `${registered} ${reason}`
    if (text === this.#told) return
    this.#told = text
    const address = this.#address === undefined ? '' : formatAddress(this.#address)
    this.#settings.onState?.({ registered, reason, address })
  }
}

function needsOf({ form, prefix, key }: RegisterSettings): KeyNeeds {
  if (form === 'sorted-set') {
    const rule = `+zadd +zscore +zrem +time +eval ~${escapePattern(key)}`
    return { rule, otherType: 'it is no sorted set; write another --key, or --form keys' }
  }
  const rule = `+set +get +del +eval ~${escapePattern(prefix)}*`
  return { rule, otherType: 'another program has that key; write another --prefix' }
}

class BackendError extends Error {}

/** Rejects unless the backend takes a connection. */
function checkBackend(address: SocketAddress): Promise<void> {
  if (address.family === 'unix') throw new BackendError('a unix socket is no backend for others')
  const { host, port } = address
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    const fail = (reason: string) => {
      socket.destroy()
      reject(new BackendError(`the backend ${formatAddress(address)} takes no connection: ${reason}`))
    }
    const timer = setTimeout(() => fail(`no answer within ${checkTimeoutMs} ms`), checkTimeoutMs)
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message))
    socket.once('close', () => clearTimeout(timer))
  })
}

/** The backend's address; `auto` becomes the source address of the route to Redis. */
async function addressOf(text: string, redis: RedisConfig): Promise<SocketAddress> {
  const port = /^auto:(\d{1,5})$/.exec(text)?.[1]
  const host = port === undefined ? '' : await sourceHost(redis)
  const parsed = parseMember(port === undefined ? text : formatHostPort(host, port))
  if ('server' in parsed) return parsed.server.address
  throw new BackendError(`this machine's address on the way to Redis, ${host}, is none that others reach`)
}

/** Connecting a datagram socket sends nothing: the kernel only chooses the route, and with it the source address. */
async function sourceHost(redis: RedisConfig): Promise<string> {
  const { host, port } = redis.sentinel?.nodes[0] ?? readTarget(redis)
  const { address, family } = isIP(host) === 0 ? await lookup(host) : { address: host, family: isIP(host) }
  const socket = createSocket(family === 6 ? 'udp6' : 'udp4')
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.connect(port, address, resolve)
    })
    return socket.address().address
  } finally {
    socket.close()
  }
}

function plainRedis(url: string): RedisConfig {
  return { url, sentinel: null, cluster: null, tls: { serverName: '', ca: 'system', verify: true } }
}

function optionsText({ weight, priority, backup, state, maxConnections, zone }: RegisterOptions): string {
  return JSON.stringify({ weight, priority, backup, state, maxConnections, zone }).slice(1, -1)
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T
}
