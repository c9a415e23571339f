import type { ChildProcess } from 'node:child_process'
import { Redis, type RedisOptions } from 'ioredis'
import type { Certificate } from './certificate.ts'
import { freeze, spawnChild } from './child-process.ts'
import { atEnd, type Cleanup } from './cleanup.ts'
import { freeListenerPort } from './free-listener-port.ts'
import { temporaryDirectory } from './temporary-directory.ts'
import { waitUntil } from './wait-until.ts'
import { within } from './within.ts'

export interface RedisServerOptions {
  /** Added to the command line: `['--requirepass', 'secret']`. */
  readonly args?: readonly string[]
  /** How the test itself connects, where that differs. */
  readonly client?: Omit<RedisOptions, 'replyMapping'>
  /** A configuration file, which Sentinel needs. */
  readonly file?: string
  readonly port?: number
  /** Where the nodes of a cluster speak to each other. */
  readonly busPort?: number
  /** Takes TLS as well, at {@link RedisServer.tlsPort}. */
  readonly certificate?: Certificate
}

/** A real redis-server that keeps nothing, and a client of the test's own. */
export class RedisServer {
  readonly port: number
  readonly directory: string
  readonly client: Redis
  readonly busPort: number
  /** 0 without a certificate. */
  readonly tlsPort: number
  readonly #file: string | undefined
  readonly #args: readonly string[]
  #child: ChildProcess | undefined

  private constructor(t: Cleanup, port: number, tlsPort: number, options: RedisServerOptions) {
    this.port = port
    this.tlsPort = tlsPort
    this.directory = temporaryDirectory(t)
    this.busPort = options.busPort ?? 0
    this.#file = options.file
    this.#args = [...(options.args ?? []), ...tlsArgs(tlsPort, options.certificate)]
    this.client = new Redis({
      host: '127.0.0.1',
      port,
      protocol: 2,
      lazyConnect: true,
      maxRetriesPerRequest: null,
      retryStrategy: () => 50,
      ...options.client,
    })
    this.client.on('error', () => {})
    atEnd(t, async () => {
      this.client.disconnect()
      await this.kill()
    })
  }

  static async start(t: Cleanup, options: RedisServerOptions = {}): Promise<RedisServer> {
    const port = options.port ?? (await freeListenerPort())
    const tlsPort = options.certificate === undefined ? 0 : await freeListenerPort()
    const server = new RedisServer(t, port, tlsPort, options)
    await server.start()
    return server
  }

  /** As the file writes it. */
  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  /** Starts it again after {@link kill}, with nothing in it. */
  async start(): Promise<void> {
    const file = this.#file === undefined ? [] : [this.#file]
    const own = ['--port', `${this.port}`, '--bind', '127.0.0.1', '--dir', this.directory]
    const storing = this.#file === undefined ? ['--save', '', '--hz', '100'] : []
    const child = spawnChild('redis-server', [...file, ...own, ...storing, ...this.#args], { stdio: 'pipe' })
    let said = ''
    child.stdout.on('data', (text) => {
      said += text
    })
    this.#child = child
    await waitUntil('redis-server takes connections', () => {
      if (child.exitCode !== null) throw new Error(`redis-server ended:\n${said}`)
      return /Ready to accept connections|Sentinel ID is|\+monitor/.test(said)
    })
  }

  /** Ends it at once, as a machine that fails does. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await within(5000, 'redis-server ends', ended)
  }

  /** Stops the process without ending it. */
  async freeze(): Promise<void> {
    await freeze(this.#child!)
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }
}

function tlsArgs(port: number, certificate: Certificate | undefined): readonly string[] {
  if (certificate === undefined) return []
  const { cert, key } = certificate
  const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert]
  return ['--tls-port', `${port}`, ...files, '--tls-auth-clients', 'no']
}
