import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { temporaryDirectory } from './temporary-directory.ts'

/** Paths of a self-signed certificate and its key; the certificate is also the authority to trust. */
export interface Certificate {
  readonly cert: string
  readonly key: string
}

/** Makes a certificate for names such as `DNS:backend.test,IP:127.0.0.1`, with openssl. */
export function makeCertificate(t: TestContext, names: string): Certificate {
  const directory = temporaryDirectory(t)
  const cert = join(directory, 'cert.pem')
  const key = join(directory, 'key.pem')
  const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const subject = ['-subj', '/CN=test', '-addext', `subjectAltName=${names}`, '-keyout', key, '-out', cert]
  execFileSync('openssl', [...made, ...subject], { stdio: 'ignore', timeout: 10_000 })
  return { cert, key }
}
