import type { RedisConfig } from '../model/config.ts'
import { McsError } from '../model/errors.ts'
import { maxValueBytes, maxZoneCharacters, parseMember } from './member.ts'
import { readTarget } from './redis-client.ts'
import type { RegisterOptions, RegisterSettings } from './register.ts'

const shortestIntervalMs = 100
const longestMs = 24 * 3_600_000

/**
 * Checks the options of a registration. Messages name them as the command line does.
 *
 * @param text The options of the member as JSON without braces.
 * @throws {McsError} MCS_CONFIG_INVALID, with what would do.
 */
export function validateRegistration(settings: RegisterSettings, text: string): void {
  validateAddress(settings)
  validateMember(settings)
  validateTimes(settings)
  const { form, prefix, key } = settings
  if (form !== undefined && form !== 'keys' && form !== 'sorted-set')
    throw wrong(`--form ${JSON.stringify(form)}; write keys or sorted-set`)
  if (prefix === '') throw wrong('--prefix that is empty; write mcs:node:')
  if (prefix?.endsWith('*') === true)
    throw wrong(`--prefix ${JSON.stringify(prefix)}, which ends in a "*"; it is no pattern, write what keys begin with`)
  if (key === '') throw wrong('--key that is empty; write mcs:node')
  // What no check above knows, such as a text for a number in a program of one's own.
  if (!('server' in parseMember('192.0.2.1:1', `{${text}}`)) || Buffer.byteLength(text) > maxValueBytes / 2)
    throw wrong(`the options {${text.slice(0, 200)}}; see docs/register.md`)
}

/**
 * Checks that no option is given of which nothing would come, as it belongs to the other form, or to TLS.
 *
 * @param options As they were given, without what is preset.
 * @throws {McsError} MCS_CONFIG_INVALID, with what would do.
 */
export function validateBelonging({ form, prefix, key, ttlMs }: RegisterOptions, redis: RedisConfig): void {
  const isSet = form === 'sorted-set'
  if (isSet && prefix !== undefined) throw wrong('--prefix beside --form sorted-set; write --key, or --form keys')
  if (isSet && ttlMs !== undefined)
    throw wrong('--ttl beside --form sorted-set; remove it: maxAge of the load balancer says when an entry ends')
  if (!isSet && key !== undefined) throw wrong('--key without --form sorted-set; write --prefix, or --form sorted-set')
  const { serverName, ca, verify } = redis.tls
  // A URL that is none is the first to be told of.
  readTarget(redis)
  if (new URL(redis.url).protocol === 'rediss:' || (serverName === '' && ca === 'system' && verify)) return
  const option = ca !== 'system' ? '--ca' : serverName !== '' ? '--server-name' : '"tls"'
  throw wrong(
    `${option}, which is of rediss:// URLs, and this one is redis://; write rediss:// in --redis, or remove it`,
  )
}

function validateAddress({ address }: RegisterSettings): void {
  const port = /^auto:(\d{1,5})$/.exec(address)?.[1]
  const sample = port === undefined ? address : `192.0.2.1:${port}`
  if ('server' in parseMember(sample)) return
  throw wrong(`--address ${JSON.stringify(address)}; write an address that others reach, 10.0.0.1:9100 or auto:9100`)
}

function validateMember({ weight, priority, backup, maxConnections, zone, state }: RegisterSettings): void {
  validateNumber('--weight', weight, 1, 256)
  validateNumber('--priority', priority, 0, 15)
  validateNumber('--max-connections', maxConnections, 1, 1_000_000)
  if (priority !== undefined && backup === true) throw wrong('--priority beside --backup; write one of them')
  if (state !== undefined && !['ready', 'drain', 'maintenance'].includes(state))
    throw wrong(`--state ${JSON.stringify(state)}; write ready, drain or maintenance`)
  if (zone !== undefined && zone.length > maxZoneCharacters)
    throw wrong(`--zone of ${zone.length} characters; write ${maxZoneCharacters} at most`)
}

function validateNumber(option: string, value: number | undefined, lowest: number, highest: number): void {
  if (value === undefined || (Number.isInteger(value) && value >= lowest && value <= highest)) return
  throw wrong(`${option} ${value}; write ${lowest} to ${highest}`)
}

function validateTimes({ form, ttlMs, intervalMs }: RegisterSettings): void {
  if (!(intervalMs >= shortestIntervalMs && intervalMs <= longestMs))
    throw wrong(`--interval ${intervalMs} ms; write ${shortestIntervalMs}ms to 1d`)
  if (form !== 'sorted-set' && !(ttlMs > intervalMs && ttlMs <= longestMs))
    throw wrong(`--ttl ${ttlMs} ms and --interval ${intervalMs} ms; the first must be longer, and 1d at most`)
}

function wrong(message: string): McsError {
  return new McsError('MCS_CONFIG_INVALID', `Cannot register with ${message}`, { source: 'config' })
}
