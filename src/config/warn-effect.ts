import type { Fault } from './fault.ts'
import type { WrittenUpstream } from './written.ts'

/** Ejected backends count as unhealthy too. */
export function warnPanicThreshold({ panicThreshold = '0%', health, outlier }: WrittenUpstream): Fault | undefined {
  if (/^0+%$/.test(panicThreshold) || health !== undefined || outlier !== undefined) return undefined
  const message = '"panicThreshold" has no effect: nothing tells which backends are healthy'
  return { path: ['panicThreshold'], on: 'key', message, hint: 'add health or outlier, or remove it' }
}

/** An ejection ends no connection, so that `outlier` is not enough. */
export function warnOnUnhealthy({ connections = {}, health }: WrittenUpstream): Fault | undefined {
  const { onUnhealthy = 'keep' } = connections
  if (onUnhealthy === 'keep' || health !== undefined) return undefined
  const message = '"onUnhealthy" has no effect: backends are not checked'
  return { path: ['connections', 'onUnhealthy'], on: 'key', message, hint: 'add health, or remove it' }
}

export function warnDrain({ connections = {} }: WrittenUpstream): Fault | undefined {
  const { onRemoved, onUnhealthy, drain } = connections
  if (drain === undefined || onRemoved === 'drain' || onUnhealthy === 'drain') return undefined
  const message = '"drain" has no effect: no connections drain'
  const hint = 'write onRemoved: drain or onUnhealthy: drain, or remove it'
  return { path: ['connections', 'drain'], on: 'key', message, hint }
}

export function warnSourcePrefix({ sourcePrefix, sticky, balance }: WrittenUpstream): Fault | undefined {
  if (sourcePrefix === undefined || sticky !== undefined || balance === 'source-hash') return undefined
  const message = '"sourcePrefix" has no effect: nothing asks who a client is'
  return { path: ['sourcePrefix'], on: 'key', message, hint: 'add sticky or balance: source-hash, or remove it' }
}

export function warnHoldBack({ discovery }: WrittenUpstream): Fault | undefined {
  if (discovery?.maxRemoval !== '100%' || discovery.holdBack === undefined) return undefined
  const message = '"holdBack" has no effect: with maxRemoval: 100% no update is held back'
  return { path: ['discovery', 'holdBack'], on: 'key', message, hint: 'remove it, or write a smaller maxRemoval' }
}
