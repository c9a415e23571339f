/**
 * What other load balancers, nginx and HAProxy above all, call what this file has too: the keys that may be meant, as
 * docs/configuration.md names them. Names are written in lower case, without "_" and "-".
 */
export const foreignKeys: ReadonlyMap<string, readonly string[]> = inverted({
  'listeners.<name>.bind': ['listen', 'port', 'ports', 'address', 'addresses', 'host', 'ip'],
  'listeners.<name>.upstream': ['proxypass', 'defaultbackend', 'usebackend', 'backend', 'pool', 'target'],
  'listeners.<name>.timeouts.idle': ['proxytimeout', 'idletimeout', 'timeoutclient', 'timeoutserver'],
  'listeners.<name>.socket.keepAlive': ['sokeepalive', 'proxysocketkeepalive', 'tcpkeepalive'],
  'upstreams.<name>.balance': ['leastconn', 'hash', 'iphash', 'algorithm', 'method', 'lbpolicy'],
  'upstreams.<name>.servers': ['backend', 'backends'],
  'upstreams.<name>.servers[].address': ['host', 'ip', 'port', 'addr', 'endpoint', 'server'],
  'upstreams.<name>.servers[].maxConnections': ['maxconns', 'maxconn'],
  'upstreams.<name>.servers[].state': ['down', 'disabled'],
  'upstreams.<name>.connect.timeout': ['proxyconnecttimeout', 'connecttimeout', 'timeoutconnect', 'connect'],
  'upstreams.<name>.connect.attempts': ['proxynextupstreamtries', 'retries', 'maxretries'],
  'upstreams.<name>.health': ['check', 'healthcheck', 'healthchecks'],
  'upstreams.<name>.health.interval': ['inter'],
  'upstreams.<name>.outlier.consecutiveFailures': ['maxfails', 'errorlimit'],
  'upstreams.<name>.outlier.ejection': ['failtimeout'],
  'upstreams.<name>.sticky': ['sticktable', 'stickysessions'],
  listeners: ['frontend', 'frontends'],
  upstreams: ['backend', 'backends'],
  workers: ['workerprocesses', 'nbthread', 'threads'],
  'limits.connections': ['workerconnections', 'maxconn'],
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
  'round-robin': ['rr', 'wrr', 'roundrobin'],
  'least-connections': ['leastconn', 'leastconns', 'leastrequest'],
  'least-latency': ['leasttime'],
  'source-hash': ['source', 'iphash', 'hash', 'maglev'],
})

/** A name as the tables have it. */
export function plainName(name: string): string {
  return name
    .slice(0, 64)
    .toLowerCase()
    .replace(/[_\s-]/g, '')
}

function inverted(names: Readonly<Record<string, readonly string[]>>): Map<string, string[]> {
  const result = new Map<string, string[]>()
  for (const [meant, foreign] of Object.entries(names)) {
    for (const name of foreign) result.set(name, [...(result.get(name) ?? []), meant])
  }
  return result
}
