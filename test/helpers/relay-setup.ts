import type { TestContext } from 'node:test'
import { freeListenerPort } from './free-listener-port.ts'
import { LoadBalancerProcess } from './load-balancer-process.ts'
import { StreamBackend, StreamPeer } from './stream-peer.ts'

export interface RelayOptions {
  /** Where it listens; by default on a free port of 127.0.0.1. */
  readonly bind?: string
  /** Addresses of the servers. Without them there is one backend, which {@link Relay.backend} is. */
  readonly servers?: readonly string[]
  /** What each connection of that backend is handed to. */
  readonly serve?: (peer: StreamPeer) => void
  /** More options of the listener and of the upstream, as they stand in a YAML map. */
  readonly listener?: string
  readonly upstream?: string
  /** More lines of the file. */
  readonly top?: string
  readonly prefix?: readonly string[]
}

/** A load balancer with one listener, named `edge`, and one upstream, named `web`. */
export interface Relay {
  readonly lb: LoadBalancerProcess
  readonly address: string
  /** The only backend, unless the test brought its own servers. */
  readonly backend: StreamBackend
  /** Bytes delivered to backends and to clients so far. */
  bytesUp(): Promise<number>
  bytesDown(): Promise<number>
  connect(from?: string): Promise<StreamPeer>
  /** A client, and the backend's end of its connection. No other may connect meanwhile. */
  pair(): Promise<{ client: StreamPeer; server: StreamPeer }>
}

/** Starts one and waits until it serves. */
export async function startRelay(t: TestContext, options: RelayOptions = {}): Promise<Relay> {
  const backend = await StreamBackend.start(t, options.serve)
  const address = options.bind ?? `127.0.0.1:${await freeListenerPort()}`
  const lb = await LoadBalancerProcess.start(t, {
    config: relayConfig({ ...options, bind: address, servers: options.servers ?? [backend.address] }),
    ...(options.prefix === undefined ? {} : { prefix: options.prefix }),
  })
  const connect = (from?: string) => StreamPeer.connect(t, address.replace('@DIR@', lb.directory), from)
  const pair = async () => {
    const index = backend.peers.length
    const client = await connect()
    return { client, server: await backend.peer(index) }
  }
  const listener = async () => (await lb.status()).listeners[0]!
  const bytesUp = async () => (await listener()).bytesUp
  const bytesDown = async () => (await listener()).bytesDown
  return { lb, address, backend, bytesUp, bytesDown, connect, pair }
}

function relayConfig({ bind, servers, listener, upstream, top }: RelayOptions): string {
  const list = (servers ?? []).map((address) => `{ address: "${address}" }`).join(', ')
  const more = (text: string | undefined) => (text === undefined ? '' : `, ${text}`)
  return `${top ?? ''}
listeners: { edge: { bind: "${bind}", upstream: web${more(listener)} } }
upstreams: { web: { servers: [${list}]${more(upstream)} } }
`
}
