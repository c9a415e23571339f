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

/** Whom the connections to one Redis trust. Authorities are read again for each connection, as they may be replaced. */
export class ServerTrust {
  readonly #tls: ClientTlsConfig
  readonly #name: string
  /** The authorities as they could be read last. */
  #authorities: string | undefined
  /** Why they cannot be read now; empty where they can. */
  #staleReason = ''

  /** @param host Of the server, for its certificate; empty where connections lead to several. */
  constructor(tls: ClientTlsConfig, host: string) {
    this.#tls = tls
    this.#name = tls.serverName !== '' ? tls.serverName : isIP(host) === 0 ? host : ''
  }

  /**
   * For the next connection.
   *
   * @throws {McsError} MCS_CONFIG_UNREADABLE for authorities that could never be read.
   */
  options(): ConnectionOptions {
    const authorities = this.#tls.ca === 'system' ? systemCa() : this.#read(this.#tls.ca)
    return {
      rejectUnauthorized: this.#tls.verify,
      ...(authorities === undefined ? {} : { ca: authorities }),
      ...(this.#name === '' ? {} : { servername: this.#name }),
    }
  }

  /** Why a connection failed, and that it may be because authorities could not be read again. */
  explain(error: Error): Error {
    if (this.#staleReason === '') return error
    const message = `${error.message}; the certificates are those read before. ${this.#staleReason}`
    // With its code, by which the remedy is found.
    return Object.assign(error, { message })
  }

  #read(path: string): string {
    try {
      this.#authorities = readAuthorities(path)
      this.#staleReason = ''
    } catch (error) {
      if (this.#authorities === undefined) throw error
      this.#staleReason = (error as Error).message
    }
    return this.#authorities
  }
}

/** @throws {McsError} MCS_CONFIG_UNREADABLE for a file of authorities that cannot be read, or in which there is none. */
export function readAuthorities(path: string): string {
  const text = readText(path)
  try {
    // Node takes an empty one for its own authorities, and OpenSSL one without any as trust in nobody.
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

/** The machine's authorities; undefined for those that come with Node where the machine has none. */
function systemCa(): string | undefined {
  for (const path of systemAuthorities) {
    try {
      return readAuthorities(path)
    } catch {
      // The next place.
    }
  }
  return undefined
}
