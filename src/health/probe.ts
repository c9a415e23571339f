import { isIP } from 'node:net'
import type { SocketAddress } from '../model/address.ts'
import type { ClientTlsConfig, HealthConfig } from '../model/config.ts'
import { Channel } from './channel.ts'
import { startDeadline } from './deadline.ts'
import { askHttp } from './kind/http.ts'
import { askPostgres, requestTls } from './kind/postgres.ts'
import { askRedis } from './kind/redis.ts'
import { sendAndExpect } from './kind/send-expect.ts'
import { proxyHeaders } from './proxy-header.ts'
import { failureOf, quoteBytes, StepFailure } from './reason.ts'
import { clientTlsOptions } from './trust.ts'

export type ProbeResult =
  | { readonly ok: true; readonly durationMs: number }
  | {
      readonly ok: false
      /** What it was about to do: `connect`, `tls`, `expect 2`, `status`, `role`. */
      readonly step: string
      /** One printable line: `expected "+PONG", got "-LOADING"`. */
      readonly reason: string
      /** Whether this machine is at fault (no descriptor, no memory): nothing was learned about the backend. */
      readonly isLocal: boolean
      readonly durationMs: number
    }

/** What is said and heard once the connection, and TLS where it is asked for, stand. */
type Talk = (channel: Channel, config: HealthConfig, address: SocketAddress) => Promise<void>

const talks: Readonly<Record<HealthConfig['type'], Talk | null>> = {
  tcp: null,
  tls: null,
  'send-expect': sendAndExpect,
  http: askHttp,
  redis: askRedis,
  postgres: askPostgres,
}

const anyCertificate: ClientTlsConfig = { serverName: '', ca: 'system', verify: false }

/**
 * Checks a backend once. It never rejects: whatever happens within `config.timeoutMs` is a result. The socket is
 * destroyed when it resolves. Aborting `signal` resolves it at once, with a failure.
 */
export async function probe(address: SocketAddress, config: HealthConfig, signal?: AbortSignal): Promise<ProbeResult> {
  const startMs = performance.now()
  const failure = await findFailure(checkedAddress(address, config), config, signal)
  const durationMs = performance.now() - startMs
  if (failure === null) return { ok: true, durationMs }
  return { ok: false, step: failure.step, reason: failure.reason, isLocal: failure.isLocal, durationMs }
}

async function findFailure(address: SocketAddress, config: HealthConfig, signal?: AbortSignal) {
  const channel = new Channel()
  const onAbort = () => channel.fail(new StepFailure(channel.step, 'called off', true))
  const stopDeadline = startDeadline(config.timeoutMs, () => channel.fail(timeoutOf(channel, config)))
  signal?.addEventListener('abort', onAbort)
  try {
    if (signal?.aborted === true) onAbort()
    await channel.connect(address)
    await converse(channel, address, config)
    return null
  } catch (error) {
    return failureOf(channel.step, error)
  } finally {
    stopDeadline()
    signal?.removeEventListener('abort', onAbort)
    channel.close()
  }
}

/** Where a check connects: the configured host and port take the place of the backend's own. */
export function checkedAddress(address: SocketAddress, { host, port }: HealthConfig): SocketAddress {
  if (host === null && port === null) return address
  if (address.family === 'unix') {
    // A unix socket has no host or port to keep, so only both together lead elsewhere.
    return host === null || port === null ? address : { family: familyOf(host), host, port }
  }
  const checkedHost = host ?? address.host
  return { family: familyOf(checkedHost), host: checkedHost, port: port ?? address.port }
}

function familyOf(host: string): 'ipv4' | 'ipv6' {
  return isIP(host) === 6 ? 'ipv6' : 'ipv4'
}

async function converse(channel: Channel, address: SocketAddress, config: HealthConfig): Promise<void> {
  if (config.proxyProtocol !== 'none') {
    channel.step = 'proxy header'
    await channel.send(proxyHeaders[config.proxyProtocol])
  }
  const tls = config.tls ?? (config.type === 'tls' ? anyCertificate : null)
  if (tls !== null) {
    channel.step = 'tls'
    if (config.type === 'postgres') await requestTls(channel)
    await channel.startTls(clientTlsOptions(tls, address))
  }
  await talks[config.type]?.(channel, config, address)
}

function timeoutOf(channel: Channel, { timeoutMs }: HealthConfig): StepFailure {
  const got = channel.received.length > 0 ? `, got ${quoteBytes(channel.received)}` : ''
  return new StepFailure(channel.step, `no answer within ${timeoutMs} ms${got}`)
}
