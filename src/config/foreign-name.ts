/**
 * What other load balancers, nginx and HAProxy above all, call what this file has too: the keys that may be meant, as
 * docs/configuration.md names them. Names are written in lower case, without "_" and "-"; a name of two words also
 * counts for the second word within a map of the first, as in `timeouts: { server: 5m }`.
 */
export const foreignKeys: ReadonlyMap<string, readonly string[]> = inverted({
  'listeners.<name>.bind': ['listen', 'port', 'ports', 'address', 'addresses', 'host', 'ip'],
  'listeners.<name>.upstream': ['proxypass', 'defaultbackend', 'usebackend', 'backend', 'pool', 'target'],
  'listeners.<name>.timeouts.idle': ['proxytimeout', 'idletimeout', 'timeoutclient', 'timeoutserver', 'timeouttunnel'],
  'listeners.<name>.timeouts.halfClosed': ['proxyhalfclose', 'timeoutclientfin', 'timeoutserverfin'],
  'listeners.<name>.socket.keepAlive': ['sokeepalive', 'proxysocketkeepalive', 'tcpkeepalive'],
  'upstreams.<name>.balance': ['leastconn', 'hash', 'iphash', 'algorithm', 'method', 'lbpolicy'],
  'upstreams.<name>.servers': ['backend', 'backends', 'nodes', 'members', 'endpoints', 'targets'],
  'upstreams.<name>.servers[].address': ['host', 'ip', 'port', 'addr', 'endpoint', 'server'],
  'upstreams.<name>.servers[].maxConnections': ['maxconns', 'maxconn'],
  'upstreams.<name>.servers[].state': ['down', 'disabled'],
  'upstreams.<name>.connect.timeout': ['proxyconnecttimeout', 'connecttimeout', 'timeoutconnect', 'connect'],
  'upstreams.<name>.connect.attempts': ['proxynextupstreamtries', 'redispatch'],
  'upstreams.<name>.health': ['check', 'healthcheck', 'healthchecks'],
  'upstreams.<name>.health.interval': ['inter'],
  'upstreams.<name>.health.fastInterval': ['fastinter'],
  'upstreams.<name>.health.downInterval': ['downinter'],
  'upstreams.<name>.health.timeout': ['timeoutcheck', 'healthchecktimeout'],
  'upstreams.<name>.health.rise': ['passes'],
  'upstreams.<name>.health.fall': ['fails'],
  'upstreams.<name>.health.proxyProtocol': ['checksendproxy'],
  'upstreams.<name>.health.tls': ['ssl', 'checkssl'],
  'upstreams.<name>.discovery.redis.tls': ['ssl'],
  'upstreams.<name>.outlier': ['observe', 'onerror'],
  'upstreams.<name>.outlier.consecutiveFailures': ['maxfails', 'errorlimit'],
  'upstreams.<name>.outlier.ejection': ['failtimeout'],
  'upstreams.<name>.connections.onUnhealthy': ['onmarkeddown'],
  'upstreams.<name>.sticky.ttl': ['expire'],
  'upstreams.<name>.sticky': ['sticktable', 'stickysessions'],
  listeners: ['frontend', 'frontends'],
  upstreams: ['backend', 'backends'],
  workers: ['workerprocesses', 'nbthread', 'threads'],
  'limits.connections': ['workerconnections', 'maxconn'],
  'limits.pendingBytes': ['proxybuffersize'],
  admin: ['stats'],
  'admin.socket': ['statssocket'],
  'shutdown.drain': ['workershutdowntimeout', 'hardstopafter'],
  log: ['errorlog'],
  'accessLog.format': ['logformat'],
})

/** The same for words that stand as a value. */
export const foreignWords: ReadonlyMap<string, readonly string[]> = inverted({
  'http-503': ['503'],
  error: ['crit', 'critical', 'fatal', 'emerg', 'alert'],
  warn: ['warning'],
  info: ['notice'],
  debug: ['trace'],
  reset: ['rst'],
  'round-robin': ['rr', 'wrr', 'roundrobin', 'staticrr'],
  'least-connections': ['leastconn', 'leastconns', 'leastrequest'],
  'least-latency': ['leasttime'],
  random: ['random1'],
  'random-two': ['random2', 'random3', 'random4'],
  'redis-keys': ['redis'],
  http: ['httpchk', 'optionhttpchk', 'httpcheck'],
  tcp: ['tcpchk'],
  'send-expect': ['tcpcheck', 'optiontcpcheck'],
  redis: ['redischeck', 'optionredischeck'],
  postgres: ['pgsqlcheck', 'optionpgsqlcheck', 'postgresql', 'pgsql'],
  tls: ['ssl', 'sslhellochk', 'optionsslhellochk'],
  ready: ['up', 'enabled'],
  maintenance: ['maint', 'down', 'disabled'],
  'source-hash': ['source', 'iphash', 'hash', 'maglev'],
})

/** What takes the place of words of `balance` that have no counterpart. */
export const balanceNotes: ReadonlyMap<string, readonly string[]> = inverted({
  'give each server a priority of its own, and maxConnections': ['first'],
})

/** A name as the tables have it. */
export function plainName(name: string): string {
  return name
    .slice(0, 64)
    .toLowerCase()
    .replace(/[_\s-]/g, '')
}

/** From what each name stands for, in place of the names that stand for it. */
export function inverted(names: Readonly<Record<string, readonly string[]>>): Map<string, string[]> {
  const result = new Map<string, string[]>()
  for (const [meant, foreign] of Object.entries(names)) {
    for (const name of foreign) result.set(name, [...(result.get(name) ?? []), meant])
  }
  return result
}
