/**
 * The file after its defaults were filled in: what is left to do is to resolve units and paths.
 * Generated from schemas/lb.schema.json by scripts/generate-config-types.ts; change the schema instead.
 */

/**
 * The file that drives mcs-lb: what it listens on, where connections go, and its limits.
 */
export interface LbDocument {
  /**
   * Version of the file format. Always 1.
   */
  version: 1
  /**
   * Worker threads that move bytes. `auto` is the CPUs this process may use, a cgroup's CPU quota included (rounded up), and at most 64.
   */
  workers: 'auto' | number
  /**
   * The program's own log, on stderr.
   */
  log: {
    /**
     * Least severe level that is written.
     */
    level: 'error' | 'warn' | 'info' | 'debug'
    /**
     * One JSON object a line, or text for people.
     */
    format: 'json' | 'text'
  }
  /**
   * One line for every connection that ended.
   */
  accessLog: {
    /**
     * `stdout`, `none`, or the path of a file. A path contains a `/`; a relative one is relative to this file.
     */
    to: string
    /**
     * One JSON object a line, or HAProxy's tcplog format.
     */
    format: 'json' | 'tcplog'
  }
  /**
   * The administration interface: status and reload.
   */
  admin: {
    /**
     * Path of the unix socket, at most 107 bytes, or `none`. Without it `mcs-lb reload` and `mcs-lb status` cannot reach this process.
     */
    socket: string
  }
  /**
   * Whether a saved file is served by itself.
   */
  reload: {
    /**
     * Reload when the content of this file changes. With `false`, only SIGHUP, `mcs-lb reload` and `systemctl reload` do.
     */
    watch: boolean
    /**
     * How long the file must be quiet after a change before it is read.
     */
    debounce: string
  }
  /**
   * What SIGTERM and SIGINT do.
   */
  shutdown: {
    /**
     * How long open connections may go on after the listeners were closed. `0s` ends them at once.
     */
    drain: string
  }
  /**
   * Bounds of the whole process.
   */
  limits: {
    /**
     * Open client connections of the whole process above which nothing is accepted. Each takes two file descriptors.
     */
    connections: number
    /**
     * Bytes that the whole process may hold for peers that read slowly; every worker has an equal share.
     */
    pendingBytes: string
  }
  /**
   * Addresses that accept client connections, by name.
   */
  listeners: {
    [k: string]: ListenerDocument
  }
  /**
   * Groups of backends, by name.
   */
  upstreams: {
    [k: string]: UpstreamDocument
  }
}
/**
 * An address that accepts client connections, and the policy at its door.
 */
export interface ListenerDocument {
  /**
   * Where it listens: `host:port`, `[v6]:port` or `unix:/path`, or a list of them. `0.0.0.0` is every IPv4 address and `[::]` every IPv6 address, and only those. Port 0 lets the kernel choose.
   */
  bind: string | string[]
  /**
   * How the sockets are set up.
   */
  socket: {
    /**
     * Connections that may wait to be accepted. The kernel caps it at net.core.somaxconn.
     */
    backlog: number
    /**
     * Silence after which TCP probes whether the peer is still there, on both sides of a connection. `none` never probes.
     */
    keepAlive: string
  }
  /**
   * When a connection is ended by the proxy.
   */
  timeouts: {
    /**
     * No byte moved in either direction for this long.
     */
    idle: string
    /**
     * One direction has ended, and no byte moved in the other for this long.
     */
    halfClosed: string
    /**
     * Age at which a connection ends, whatever it does.
     */
    maxDuration: string
  }
  /**
   * Name of the upstream that its connections go to.
   */
  upstream: string
  /**
   * What a client meets when no backend can be reached: a TCP reset, a clean close, or an HTTP 503 answer.
   */
  onUnavailable: 'reset' | 'close' | 'http-503'
}
/**
 * A named group of backends with one balancing and connect policy.
 */
export interface UpstreamDocument {
  /**
   * How a backend is chosen. `round-robin`: in turn, as often as each weight asks.
   */
  balance: 'round-robin'
  /**
   * The backends; at most 65536 in the whole file.
   *
   * @minItems 1
   * @maxItems 65536
   */
  servers: ServerDocument[]
  /**
   * How a backend is dialled.
   */
  connect: {
    /**
     * How long one attempt may take.
     */
    timeout: string
    /**
     * Most backends that are tried for one connection.
     */
    attempts: number
  }
}
/**
 * One backend.
 */
export interface ServerDocument {
  /**
   * Where it listens: `host:port`, `[v6]:port` or `unix:/path`. Host names are not looked up.
   */
  address: string
  /**
   * Its share of the connections, beside the weights of the others.
   */
  weight: number
  /**
   * Open connections above which it is not chosen, or `unlimited`. It counts for the whole process.
   */
  maxConnections: number | 'unlimited'
}
