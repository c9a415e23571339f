import { execFileSync } from 'node:child_process'
import { appendFileSync, chmodSync, chownSync, copyFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { makeCertificate } from './certificate.ts'
import { startServer } from './child-server.ts'
import { atEnd, type Cleanup, CleanupList } from './cleanup.ts'
import { freePort } from './free-port.ts'
import { needs, without } from './peers.ts'
import { temporaryDirectory } from './temporary-directory.ts'

/** The user `nobody`, where the tests run as root: PostgreSQL refuses to. */
const owner = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

/** Speed instead of safety, and small: it lives for a test. */
const settings = `
listen_addresses = '127.0.0.1'
fsync = off
shared_buffers = 1MB
max_connections = 20
max_wal_senders = 2
autovacuum = off
dynamic_shared_memory_type = mmap
huge_pages = off
`

/** Each user logs in by the method it is named for; all have the password `sesame`. */
const access = `
local all postgres trust
host replication postgres 127.0.0.1/32 trust
host all postgres 127.0.0.1/32 trust
host all password 127.0.0.1/32 password
host all md5 127.0.0.1/32 md5
hostssl all tls 127.0.0.1/32 scram-sha-256
host all scram 127.0.0.1/32 scram-sha-256
`

const roles = `
CREATE ROLE password LOGIN PASSWORD 'sesame';
CREATE ROLE scram LOGIN PASSWORD 'sesame';
CREATE ROLE tls LOGIN PASSWORD 'sesame';
SET password_encryption = 'md5';
CREATE ROLE md5 LOGIN PASSWORD 'sesame';
`

export interface PostgresServers {
  readonly primaryPort: number
  readonly standbyPort: number
  /** Path of the primary's unix socket. */
  readonly socket: string
  /** The authority that vouches for the primary, for 127.0.0.1. */
  readonly ca: string
}

/** Options of a test that needs PostgreSQL, as {@link needs} gives them. */
export function needsPostgres(): { readonly skip?: string } {
  return findPrograms() === undefined ? without('postgresql is not installed') : needs('openssl')
}

/** A primary and its standby, both real. */
export async function startPostgres(t: TestContext): Promise<PostgresServers> {
  const programs = findPrograms()!
  const certificate = makeCertificate(t, 'IP:127.0.0.1')
  // The servers write to the directory until they have ended, so it goes after them.
  const cleanup = new CleanupList()
  atEnd(t, () => cleanup.run())
  const directory = temporaryDirectory(cleanup)
  own(directory)
  const run = (program: string, args: readonly string[], input = '') =>
    execFileSync(join(programs, program), args, { ...owner, cwd: directory, input, stdio: 'pipe', timeout: 30_000 })

  const primary = join(directory, 'primary')
  run('initdb', ['-D', primary, '-U', 'postgres', '--auth=trust', '--no-sync', '--locale=C', '-E', 'UTF8'])
  for (const [name, from] of Object.entries({ 'server.crt': certificate.cert, 'server.key': certificate.key })) {
    copyFileSync(from, join(primary, name))
    own(join(primary, name))
    chmodSync(join(primary, name), 0o600)
  }
  appendFileSync(join(primary, 'postgresql.conf'), `${settings}unix_socket_directories = '${directory}'\nssl = on\n`)
  writeFileSync(join(primary, 'pg_hba.conf'), access)
  run('postgres', ['--single', '-D', primary, 'postgres'], roles)
  const primaryPort = await freePort()
  await serve(cleanup, programs, primary, primaryPort)

  const standby = join(directory, 'standby')
  run('pg_basebackup', ['-h', '127.0.0.1', '-p', `${primaryPort}`, '-U', 'postgres', '-D', standby, '-R', '-c', 'fast'])
  const standbyPort = await freePort()
  await serve(cleanup, programs, standby, standbyPort)
  return { primaryPort, standbyPort, socket: join(directory, `.s.PGSQL.${primaryPort}`), ca: certificate.cert }
}

async function serve(t: Cleanup, programs: string, directory: string, port: number): Promise<void> {
  const args = ['-D', directory, '-p', `${port}`]
  const ready = /ready to accept (?:read-only )?connections/
  // SIGQUIT: at once, and its children with it.
  await startServer(t, join(programs, 'postgres'), args, ready, { ...owner, cwd: directory, endedBy: 'SIGQUIT' })
}

function own(path: string): void {
  if (owner.uid !== undefined) chownSync(path, owner.uid, owner.gid)
}

/** Where Debian puts the server's programs, the newest version's. */
function findPrograms(): string | undefined {
  const root = '/usr/lib/postgresql'
  try {
    const versions = readdirSync(root).sort((a, b) => Number(b) - Number(a))
    return versions.map((version) => join(root, version, 'bin')).find((path) => readdirSync(path).includes('initdb'))
  } catch {
    return undefined
  }
}
