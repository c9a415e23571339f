import type { Fault, Path } from './fault.ts'
import { isMap, member } from './placed-address.ts'

/** Faults between the keys of `redis`. The URL is never quoted: there may be a password in it. */
export function checkRedis(path: Path, redis: unknown): Fault[] {
  if (!isMap(redis)) return []
  const { url, cluster } = { url: member(redis, 'url'), cluster: member(redis, 'cluster') }
  const faults: Fault[] = []
  if (cluster !== undefined && member(redis, 'sentinel') !== undefined) {
    const message = 'a Redis is behind Sentinel, or it is a cluster'
    faults.push({ path: [...path, 'cluster'], on: 'key', message, hint: 'remove "cluster" or "sentinel"' })
  }
  if (cluster !== undefined && typeof url === 'string' && /\/0*[1-9]\d*$/.test(url)) {
    const message = 'a cluster has no database but 0'
    faults.push({ path: [...path, 'url'], on: 'value', message, hint: 'remove the number at the end of the URL' })
  }
  if (member(redis, 'tls') !== undefined && !isTls(url)) {
    const message = '"tls" is of rediss:// URLs, and this one is redis://'
    faults.push({ path: [...path, 'tls'], on: 'key', message, hint: 'write rediss:// in "url", or remove it' })
  }
  return faults
}

/** Faults between the keys of `persist`. */
export function checkPersist(path: Path, persist: unknown): Fault[] {
  if (!isMap(persist)) return []
  const found = ['path', 'redis'].filter((key) => member(persist, key) !== undefined)
  const faults = checkRedis([...path, 'redis'], member(persist, 'redis'))
  if (found.length !== 1) {
    const message = found.length === 0 ? 'it is not said where entries are kept' : 'entries are kept in one place'
    faults.push({ path, on: 'key', message, hint: 'write path, or redis' })
  } else if (found[0] === 'path' && member(persist, 'key') !== undefined) {
    const hint = 'remove it, or write redis in place of path'
    faults.push({ path: [...path, 'key'], on: 'key', message: '"key" is of redis, and not of path', hint })
  }
  return faults
}

/** Whether it is a URL with TLS; what is no URL at all is a fault of its own. */
function isTls(url: unknown): boolean {
  if (url === undefined) return false
  return typeof url !== 'string' || !url.toLowerCase().startsWith('redis://')
}
