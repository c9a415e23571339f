import type { AdminAnswer } from '../admin/client.ts'
import { type ErrorCode, errorCodes, McsError } from '../model/errors.ts'

/** The error for an answer that is not what was asked for: with the process's own code, else MCS_ADMIN_UNREACHABLE. */
export function refuse(socket: string, action: string, answer: AdminAnswer): McsError {
  const { error } = (answer.body ?? {}) as { error?: { code?: string; message?: string } }
  const said = error?.message ?? 'nothing that this version understands; use the version that runs'
  const code = error?.code
  if (isErrorCode(code)) return new McsError(code, said, { source: 'system' })
  const message = `Cannot ${action} mcs-lb on "${socket}": it answered ${answer.status}: ${said}`
  return new McsError('MCS_ADMIN_UNREACHABLE', message, { source: 'system', retryable: true })
}

function isErrorCode(code: string | undefined): code is ErrorCode {
  return code !== undefined && Object.hasOwn(errorCodes, code)
}
