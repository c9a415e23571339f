import { parseDuration } from '../model/units.ts'
import type { Fault } from './fault.ts'
import type { WrittenListener, WrittenUpstream } from './written.ts'

export function warnFastInterval({ health }: WrittenUpstream): Fault | undefined {
  const { interval, fastInterval } = health ?? {}
  if (!isLonger(fastInterval, interval)) return undefined
  const message = `fastInterval: ${fastInterval} is slower than interval: ${interval}`
  return { path: ['health', 'fastInterval'], on: 'value', message, hint: 'write a shorter one, or remove it' }
}

/** Beside an idle timeout that is left out, any maximum is as good. */
export function warnIdle({ timeouts }: WrittenListener): Fault | undefined {
  const { idle, maxDuration } = timeouts ?? {}
  if (!isLonger(idle, maxDuration)) return undefined
  const message = `idle: ${idle} is never reached: maxDuration: ${maxDuration} ends the connection before`
  return { path: ['timeouts', 'idle'], on: 'value', message, hint: 'write a shorter one, or remove it' }
}

/** Whether both are durations, and the first is the longer one. A word such as `unlimited` is none. */
function isLonger(one: string | undefined, other: string | undefined): boolean {
  const [first, second] = [one, other].map((text) => parseDuration(text ?? ''))
  return first !== undefined && second !== undefined && first > second
}
