import type { AdminAnswer } from '../admin/client.ts'
import { McsError } from '../model/errors.ts'

/** The error for an answer that is not what was asked for: MCS_ADMIN_UNREACHABLE with what the process said. */
export function refuse(socket: string, action: string, answer: AdminAnswer): McsError {
  const { error } = (answer.body ?? {}) as { error?: { message?: string } }
  const said = error?.message ?? 'nothing that this version understands'
  const message = `Cannot ${action} mcs-lb on "${socket}": it answered ${answer.status}: ${said}`
  return new McsError('MCS_ADMIN_UNREACHABLE', message, { source: 'system', retryable: true })
}
