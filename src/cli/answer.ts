import type { AdminAnswer } from '../admin/client.ts'
import type { ReloadResult, ServiceStatus } from '../control/service.ts'
import { type ErrorCode, errorCodes, McsError } from '../model/errors.ts'

/** The error for an answer that is not what was asked for: with the process's own code, else MCS_ADMIN_UNREACHABLE. */
export function refuse(socket: string, action: string, answer: AdminAnswer): McsError {
  const { code, message: text } = fieldsOf(fieldsOf(answer.body).error)
  const said = isText(text) ? text : 'nothing that this version understands; use the version that runs'
  if (isErrorCode(code)) return new McsError(code, said, { source: 'system' })
  const message = `Cannot ${action} mcs-lb on "${socket}": it answered ${answer.status}: ${said}`
  return new McsError('MCS_ADMIN_UNREACHABLE', message, { source: 'system', retryable: true })
}

/** Whether an answer is that of a reload: another version, or another program, may be what answered. */
export function isReloadAnswer(answer: AdminAnswer): answer is { status: 200 | 422; body: ReloadResult } {
  const body = fieldsOf(answer.body)
  if (typeof body.generation !== 'number') return false
  if (answer.status === 422) return body.outcome === 'refused' && isListOf(body.errors, isReloadFault)
  if (answer.status !== 200) return false
  if (!isListOf(body.warnings, isText)) return false
  if (body.outcome === 'unchanged') return isText(body.since)
  return body.outcome === 'serving' && typeof body.durationMs === 'number'
}

/** Whether an answer has the parts of a status that are printed. */
export function isStatusAnswer(answer: AdminAnswer): answer is { status: 200; body: ServiceStatus } {
  const body = fieldsOf(answer.body)
  return (
    answer.status === 200 &&
    ['lastReload', 'connections', 'descriptors', 'accessLog'].every((key) => isMap(body[key])) &&
    ['listeners', 'workers', 'generations'].every((key) => isListOf(body[key], isMap)) &&
    isListOf(body.listeners, (row) => Array.isArray(fieldsOf(row).addresses)) &&
    isListOf(body.upstreams, isUpstream) &&
    (body.lastRefusal === undefined || isListOf(fieldsOf(body.lastRefusal).errors, isReloadFault))
  )
}

function isUpstream(row: unknown): boolean {
  const { backends, panics = [], discovery } = fieldsOf(row)
  return isListOf(backends, isMap) && Array.isArray(panics) && (discovery === undefined || isDiscovery(discovery))
}

function isDiscovery(discovery: unknown): boolean {
  const { source, reason, refused, heldBack, lastGoodReadMs: ms } = fieldsOf(discovery)
  const isTime = ms === null || (typeof ms === 'number' && !Number.isNaN(new Date(ms).getTime()))
  return isText(source) && isText(reason) && isMap(refused) && (heldBack === null || isMap(heldBack)) && isTime
}

function isReloadFault(fault: unknown): boolean {
  const { code, message, hint } = fieldsOf(fault)
  return isText(code) && isText(message) && isText(hint)
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isListOf(value: unknown, isItem: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isItem)
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  return isMap(value) ? value : {}
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isErrorCode(code: unknown): code is ErrorCode {
  return isText(code) && Object.hasOwn(errorCodes, code)
}
