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
   * What outlives the process.
   */
  state: {
    /**
     * Folder for the last good members of each discovery, so that the next start has them though the source is away. `none` keeps nothing.
     */
    directory: string
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
    /**
     * Sticky clients of all upstreams together that are remembered; those who were away longest make room for others. It is read at the start: a reload leaves it as it is.
     */
    stickyClients: number
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
   * How a backend is chosen among those that can take a connection. `round-robin`: in turn, as often as each weight asks. `least-connections`: the fewest open connections for its weight. `random`: by chance, as weights ask. `random-two`: the less loaded of two taken by chance. `source-hash`: by the client’s address, so that a client comes to the same backend in every instance, and a removed backend moves only its own clients. `least-latency`: the shorter expected wait of two taken by chance, from measured times to connect and open connections.
   */
  balance: 'round-robin' | 'least-connections' | 'random' | 'random-two' | 'source-hash' | 'least-latency'
  /**
   * How much of a client’s address tells it from others, in source-hash and sticky sessions.
   */
  sourcePrefix: {
    /**
     * Leading bits of an IPv4 address.
     */
    ipv4: number
    /**
     * Leading bits of an IPv6 address. One customer usually has a /64.
     */
    ipv6: number
  }
  sticky?: StickyDocument
  /**
   * The backends; at most 65536 in the whole file. Those that discovery finds come on top.
   *
   * @maxItems 65536
   */
  servers: ServerDocument[]
  discovery?: DiscoveryDocument
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
  health?: HealthDocument
  outlier?: OutlierDocument
  /**
   * Time over which a backend that comes up, or joins, is led from a tenth of its share to all of it. `0s`: at once.
   */
  slowStart: string
  /**
   * When fewer than this share of a priority’s backends are healthy, connections go to all of them, healthy or not: checks that fail everywhere are more likely wrong than right. `0%` never does.
   */
  panicThreshold: string
  /**
   * What becomes of live connections when their backend goes.
   */
  connections: {
    /**
     * The backend is no longer in the file, or discovery has dropped it. `keep`: they go on. `drain`: they are ended after `drain`. `close`: at once.
     */
    onRemoved: 'keep' | 'drain' | 'close'
    /**
     * Its checks fail. `keep`, `drain` and `close` as above.
     */
    onUnhealthy: 'keep' | 'drain' | 'close'
    /**
     * How long connections that drain may go on.
     */
    drain: string
  }
}
/**
 * Keeps a client on the backend that it had.
 */
export interface StickyDocument {
  /**
   * What tells clients apart.
   */
  by: 'source-address'
  /**
   * Time without a connection after which a client is forgotten.
   */
  ttl: string
  persist?: PersistDocument
}
/**
 * Keeps sticky entries over a restart: in a file, or in Redis. One of `path` and `redis`.
 */
export interface PersistDocument {
  /**
   * File that they are written to every few seconds, and at the end.
   */
  path?: string
  redis?: RedisDocument
  /**
   * Key of the hash in Redis that holds them.
   */
  key: string
}
/**
 * How a Redis is reached. It is tried again for ever, with growing pauses.
 */
export interface RedisDocument {
  /**
   * `redis://[user[:password]@]host[:port][/database]`, or `rediss://` for TLS.
   */
  url: string
  sentinel?: SentinelDocument
  /**
   * Nodes of a Redis Cluster, `host:port`, besides the one of the URL. Leave it out where there is no cluster.
   *
   * @minItems 1
   * @maxItems 64
   *
   * Items: A node.
   */
  cluster?: string[]
  tls?: ClientTlsDocument
}
/**
 * Finds the master through Sentinel; the URL then gives user, password and database.
 */
export interface SentinelDocument {
  /**
   * Name of the master.
   */
  master: string
  /**
   * Sentinels, `host:port`.
   *
   * @minItems 1
   * @maxItems 64
   *
   * Items: A Sentinel.
   */
  nodes: string[]
  /**
   * Password of the Sentinels; empty for none.
   */
  password: string
}
/**
 * How a TLS server is verified.
 */
export interface ClientTlsDocument {
  /**
   * Name that is asked for (SNI), and that the certificate must have; empty for the host that is connected to.
   */
  serverName: string
  /**
   * PEM file of certificates to trust in place of the system’s, or `system`.
   */
  ca: string
  /**
   * Whether the certificate is verified. Without that anybody may answer in its place.
   */
  verify: boolean
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
  /**
   * Backends of a lower number are used first; others when none of those can take a connection.
   */
  priority: number
  /**
   * Used only when no other backend can take a connection, whatever its priority.
   */
  backup: boolean
  /**
   * `ready`: serves. `drain`: gets no new client; live connections go on, and sticky clients may come back. `maintenance`: gets no new connection, not even of sticky clients, and is not checked; live ones go on.
   */
  state: 'ready' | 'drain' | 'maintenance'
  /**
   * Where it stands, for people: the status shows it.
   */
  zone: string
}
/**
 * Finds backends while it serves. A source that is lost, empty or slow changes nothing: the last good backends stay.
 */
export interface DiscoveryDocument {
  /**
   * `redis-keys`: one key for each backend, with a time to live. `redis-sorted-set`: members of a sorted set. `dns`: A, AAAA or SRV records. `file`: a list in JSON or YAML, watched.
   */
  type: 'redis-keys' | 'redis-sorted-set' | 'dns' | 'file'
  redis?: RedisDocument
  /**
   * Of `redis-keys`: what keys begin with; `IP:PORT` follows.
   */
  prefix: string
  /**
   * Of `redis-sorted-set`: the set.
   */
  key: string
  /**
   * Of `redis-sorted-set`: what a score is, in seconds or milliseconds of Unix time. `heartbeat`: when the backend was last alive. `expiry`: when it goes. `ignored`: nothing.
   */
  score: 'heartbeat' | 'expiry' | 'ignored'
  /**
   * Of `redis-sorted-set`: age of a heartbeat above which its backend is gone.
   */
  maxAge: string
  /**
   * Of `dns`: what is looked up.
   */
  name?: string
  /**
   * Of `dns`: `address` is A and AAAA. `srv` brings ports, weights and priorities.
   */
  record: 'address' | 'a' | 'aaaa' | 'srv'
  /**
   * Of `dns`: port of the backends; SRV records bring their own.
   */
  port?: number
  /**
   * Of `dns`: servers to ask in place of the system’s.
   *
   * @minItems 1
   * @maxItems 8
   *
   * Items: `IP` or `IP:port`.
   */
  resolvers?: string[]
  /**
   * Of `file`: the list.
   */
  path?: string
  /**
   * How often the source is read. DNS is asked again when its records’ time to live is over, but no more often than this.
   */
  interval: string
  /**
   * Backends above which the rest is refused.
   */
  maxMembers: number
  /**
   * An update that would remove more than this share of the backends at once is held back. Backends whose own time to live is over go all the same.
   */
  maxRemoval: string
  /**
   * How long an update that is held back must stay as it is before it is believed. `never` waits for an operator.
   */
  holdBack: string
  /**
   * Which addresses may be backends. Others are refused and counted.
   */
  allow: {
    /**
     * Networks such as `10.0.0.0/8`; none for all.
     *
     * @maxItems 256
     *
     * Items: A network.
     */
    networks: string[]
    /**
     * Ports, each `9100` or `9000-9999`.
     *
     * @minItems 1
     * @maxItems 64
     *
     * Items: Ports.
     */
    ports: (number | string)[]
  }
}
/**
 * Checks backends while they serve. Without it they are not checked.
 */
export interface HealthDocument {
  /**
   * `tcp`: a connection is made. `tls`: and a handshake. `send-expect`: `steps` are taken. `http`: a request is answered as `http` says. `redis`: PING, and the role. `postgres`: a login, and the role.
   */
  type: 'tcp' | 'tls' | 'send-expect' | 'http' | 'redis' | 'postgres'
  /**
   * Pause between checks of a healthy backend.
   */
  interval: string
  /**
   * Pause while results differ from what is believed; `interval` unless told.
   */
  fastInterval?: string
  /**
   * Pause between checks of a backend that is down; `interval` unless told.
   */
  downInterval?: string
  /**
   * How far a pause varies, so that checks do not all come at once.
   */
  jitter: string
  /**
   * Time for a whole check, from connecting to the last step.
   */
  timeout: string
  /**
   * Good checks in a row after which a backend is up.
   */
  rise: number
  /**
   * Failed checks in a row after which a backend is down.
   */
  fall: number
  /**
   * Port to check, in place of the backend’s own.
   */
  port?: number
  /**
   * IP address to check, in place of the backend’s own.
   */
  address?: string
  /**
   * PROXY header to begin with. It says LOCAL (v2) or UNKNOWN (v1).
   */
  proxyProtocol: 'none' | 'v1' | 'v2'
  tls?: ClientTlsDocument
  /**
   * Of `send-expect`, in order.
   *
   * @minItems 1
   * @maxItems 32
   */
  steps?: StepDocument[]
  /**
   * Of `http`.
   */
  http: {
    /**
     * Method of the request.
     */
    method: 'GET' | 'HEAD' | 'OPTIONS'
    /**
     * What is asked for.
     */
    path: string
    /**
     * Host header; empty for the address that is checked.
     */
    host: string
    /**
     * Status codes that are good, each `200` or `200-299`.
     *
     * @minItems 1
     * @maxItems 32
     *
     * Items: Codes.
     */
    status: (number | string)[]
    /**
     * Text that must stand in the first 64 KiB of the answer’s body; empty for any.
     */
    body: string
  }
  /**
   * Of `redis`.
   */
  redis: {
    /**
     * Role that is good.
     */
    role: 'any' | 'master' | 'replica'
    /**
     * User to log in as; empty for the default one.
     */
    username: string
    /**
     * Password to log in with; empty for no login.
     */
    password: string
  }
  /**
   * Of `postgres`.
   */
  postgres: {
    /**
     * Role that is good.
     */
    role: 'any' | 'primary' | 'standby'
    /**
     * User to log in as.
     */
    user: string
    /**
     * Database to log in to.
     */
    database: string
    /**
     * Password; empty for none.
     */
    password: string
  }
}
/**
 * One step: exactly one of these.
 */
export interface StepDocument {
  /**
   * Text to send. \r, \n, \t and \xNN are taken as such.
   */
  send?: string
  /**
   * Bytes to send, as pairs of hexadecimal digits.
   */
  sendHex?: string
  /**
   * Text that must come next, escapes as in `send`.
   */
  expect?: string
  /**
   * Bytes that must come next.
   */
  expectHex?: string
}
/**
 * Sits a backend out when connections to it fail. Without it only checks do.
 */
export interface OutlierDocument {
  /**
   * Failures in a row after which it sits out.
   */
  consecutiveFailures: number
  /**
   * A reset by the backend before it sent a byte, within this time of connecting, is a failure too. `0s`: it is not.
   */
  earlyReset: string
  /**
   * How long it sits out the first time; every further time in a row as much longer.
   */
  ejection: string
  /**
   * Longest time that it sits out.
   */
  maxEjection: string
  /**
   * Share of the backends that may sit out at once. One always may, where there are two or more.
   */
  maxShare: string
}
