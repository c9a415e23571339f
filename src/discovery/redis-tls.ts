import { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { ClientTlsConfig } from '../model/config.ts'
import { McsError } from '../model/errors.ts'
import { readBoundedFile } from './bounded-file.ts'

const maxCaBytes = 4 * 1024 * 1024
/** Where distributions keep the authorities that the machine trusts. */
const systemAuthorities = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/cert.pem',
]

/**
 * How node:tls connects to a Redis.
 *
 * @param host Whose name is asked for and verified where `serverName` names none; empty for none.
 * @throws {McsError} MCS_CONFIG_UNREADABLE for a file of authorities that cannot be read, or in which there is none.
 */
export function tlsOptions({ serverName, ca, verify }: ClientTlsConfig, host: string): ConnectionOptions {
  const name = serverName !== '' ? serverName : isIP(host) === 0 ? host : ''
  const authorities = ca === 'system' ? systemCa() : readCa(ca)
  return {
    rejectUnauthorized: verify,
    ...(authorities === undefined ? {} : { ca: authorities }),
    ...(name === '' ? {} : { servername: name }),
  }
}

/** The machine's authorities; undefined for those that come with Node where the machine has none. */
function systemCa(): string | undefined {
  for (const path of systemAuthorities) {
    try {
      return readCa(path)
    } catch {
      // The next place.
    }
  }
  return undefined
}

function readCa(path: string): string {
  const text = readText(path)
  try {
    // OpenSSL takes a file without any as one that trusts nobody, and says no more than that.
    new X509Certificate(text)
  } catch (error) {
    const message = `There is no certificate in "${path}"; it needs one in PEM form, which begins with -----BEGIN CERTIFICATE-----`
    throw new McsError('MCS_CONFIG_UNREADABLE', message, { source: 'config', cause: error })
  }
  return text
}

function readText(path: string): string {
  try {
    return readBoundedFile(path, maxCaBytes)
  } catch (error) {
    const message = `Cannot read the certificates "${path}": ${error instanceof Error ? error.message : error}`
    throw new McsError('MCS_CONFIG_UNREADABLE', message, { source: 'config', cause: error })
  }
}
