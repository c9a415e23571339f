import { readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import { type ConnectionOptions, createSecureContext, type SecureContext } from 'node:tls'
import type { SocketAddress } from '../model/address.ts'
import type { ClientTlsConfig } from '../model/config.ts'

/** Largest file of certificates that is read. */
const CA_BYTES = 4 * 1024 * 1024
/** Files whose certificates are kept parsed. */
const KEPT_FILES = 64

/** Where systems keep the certificates that they trust: Debian and Alpine, Fedora, openSUSE, BSD. */
const systemFiles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

interface Trust {
  /** Changes when the file does. */
  readonly stamp: string
  readonly context: SecureContext
}

const kept = new Map<string, Trust>()
let untrusting: SecureContext | undefined

/**
 * How node:tls connects to `address`: the name that it asks for and verifies, and whom it trusts.
 *
 * @throws where the file of certificates cannot be read and never could.
 */
export function clientTlsOptions(tls: ClientTlsConfig, address: SocketAddress): ConnectionOptions {
  const host = address.family === 'unix' ? 'localhost' : address.host
  const name = tls.serverName === '' ? host : tls.serverName
  return {
    // An IP address is verified like a name, and is never sent as one (RFC 6066, 3).
    host: name,
    ...(isIP(name) === 0 ? { servername: name } : {}),
    rejectUnauthorized: tls.verify,
    secureContext: contextFor(tls),
  }
}

function contextFor({ ca, verify }: ClientTlsConfig): SecureContext {
  if (!verify) {
    untrusting ??= createSecureContext({ ca: [] })
    return untrusting
  }
  return ca === 'system' ? systemContext() : fileContext(ca)
}

function systemContext(): SecureContext {
  const known = kept.get('system')
  if (known !== undefined) return known.context
  const file = [process.env.SSL_CERT_FILE ?? '', ...systemFiles].find(isFile)
  // Without one, those that Node brings.
  return keep('system', '', file === undefined ? undefined : readFileSync(file))
}

/** Parses the file again when it has changed. One that cannot be read is as it last was. */
function fileContext(path: string): SecureContext {
  const known = kept.get(path)
  try {
    const { mtimeMs, size, ino } = statSync(path)
    const stamp = `${mtimeMs} ${size} ${ino}`
    if (known?.stamp === stamp) return known.context
    if (size > CA_BYTES) throw new Error(`${path} has more than ${CA_BYTES} bytes`)
    return keep(path, stamp, readFileSync(path))
  } catch (error) {
    if (known !== undefined) return known.context
    throw new Error(`Cannot read the certificates of ${path}: ${(error as Error).message}`, { cause: error })
  }
}

function keep(path: string, stamp: string, ca: Buffer | undefined): SecureContext {
  if (kept.size >= KEPT_FILES) kept.clear()
  const context = createSecureContext(ca === undefined ? {} : { ca })
  kept.set(path, { stamp, context })
  return context
}

function isFile(path: string): boolean {
  return path !== '' && statSync(path, { throwIfNoEntry: false })?.isFile() === true
}
