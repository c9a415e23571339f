import type { HealthConfig, HealthStep } from '../model/config.ts'
import type { HealthDocument, StepDocument } from './document.generated.ts'
import { resolveClientTls } from './resolve-discovery.ts'
import { milliseconds, range, share } from './resolve-value.ts'

/** Turns the checks of a valid document into their Config. */
export function resolveHealth(document: HealthDocument, baseDirectory: string): HealthConfig {
  const { http, interval, tls } = document
  return {
    type: document.type,
    intervalMs: milliseconds(interval),
    fastIntervalMs: milliseconds(document.fastInterval ?? interval),
    downIntervalMs: milliseconds(document.downInterval ?? interval),
    jitter: share(document.jitter),
    timeoutMs: milliseconds(document.timeout),
    rise: document.rise,
    fall: document.fall,
    host: document.address ?? null,
    port: document.port ?? null,
    proxyProtocol: document.proxyProtocol,
    tls: tls === undefined ? defaultTls(document.type) : resolveClientTls(tls, baseDirectory),
    steps: (document.steps ?? []).map(resolveStep),
    http: {
      method: http.method,
      path: http.path,
      host: http.host,
      status: http.status.map(range),
      body: http.body,
    },
    redis: { ...document.redis },
    postgres: { ...document.postgres },
  }
}

/** A handshake is all that a check of type `tls` makes: without more said, any certificate will do for it. */
function defaultTls(type: HealthConfig['type']): HealthConfig['tls'] {
  return type === 'tls' ? { serverName: '', ca: 'system', verify: false } : null
}

function resolveStep(step: StepDocument): HealthStep {
  if (step.send !== undefined) return { send: unescapeText(step.send) }
  if (step.sendHex !== undefined) return { send: hexBytes(step.sendHex) }
  if (step.expect !== undefined) return { expect: unescapeText(step.expect) }
  return { expect: hexBytes(step.expectHex ?? '') }
}

function hexBytes(text: string): Uint8Array {
  return Buffer.from(text.replaceAll(/\s/g, ''), 'hex')
}

const escapes: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '\\': '\\' }

/** Bytes of a text in which `\\r`, `\\n`, `\\t`, `\\\\` and `\\xNN` are escapes; any other backslash is itself. */
export function unescapeText(text: string): Uint8Array {
  const parts = text.split(/(\\x[0-9A-Fa-f]{2}|\\[rnt\\])/)
  return Buffer.concat(
    parts.map((part, index) => {
      if (index % 2 === 0) return Buffer.from(part)
      return part.length === 4 ? Buffer.from(part.slice(2), 'hex') : Buffer.from(escapes[part.slice(1)] ?? part)
    }),
  )
}
