import { inverted } from './foreign-name.ts'

/** What to do about foreign keys that have no counterpart, or one of another form; undefined for all others. */
export function foreignNote(name: string, here: string): string | undefined {
  const note = placeNotes.get(`${here}.${name}`) ?? notes.get(name)
  if (note !== undefined) return note[0]
  // What is not there for connections may be for a check, or for the Redis that is asked.
  const isOfConnections = !/^upstreams\.<name>\.(?!servers)/.test(here)
  return isOfConnections ? absent.get(name)?.[0] : undefined
}

/** Those that mean the same wherever they stand. */
const notes: ReadonlyMap<string, readonly string[]> = inverted({
  'not there for connections; health.proxyProtocol is for checks only': [
    'proxyprotocol',
    'acceptproxy',
    'sendproxy',
    'sendproxyv2',
  ],
  'nothing queues here: a client that finds no room meets onUnavailable at once': ['queue', 'timeoutqueue', 'maxqueue'],
  'remove it: every connection is TCP': ['mode'],
  'it is connect.attempts of the upstream, one more than retries: the first try counts': ['retries', 'maxretries'],
  'merge keys are not there; write the keys out': ['<<'],
})

/** Those that mean something in one map alone. */
const placeNotes: ReadonlyMap<string, readonly string[]> = inverted({
  'not there for one listener; limits.connections is of the whole process': [
    'listeners.<name>.maxconn',
    'listeners.<name>.maxconnections',
  ],
  'remove it: workers share their counts': ['upstreams.<name>.zone'],
  'addresses of a host name are found by the upstream: discovery: { type: dns }': [
    'upstreams.<name>.servers[].resolve',
    'upstreams.<name>.servers[].resolvers',
  ],
  'it is http.path': ['upstreams.<name>.health.path', 'upstreams.<name>.health.uri'],
  'not there; see docs/from-nginx.md': ['.allow', 'listeners.<name>.allow'],
  'it is redis.url': ['upstreams.<name>.discovery.url'],
})

/** Those of connections and of the process that the guides for nginx and HAProxy list as not there. */
const absent: ReadonlyMap<string, readonly string[]> = inverted({
  'not there; see docs/from-nginx.md': [
    ...['deny', 'ssl', 'sslpreread', 'sslcertificate', 'sslcertificatekey', 'proxyssl', 'tls', 'limitconn'],
    ...['limitconnzone', 'proxyuploadrate', 'proxydownloadrate', 'proxybind', 'map', 'include'],
    ...['proxynextupstreamtimeout'],
  ],
  'not there; see docs/from-haproxy.md': [
    ...['acl', 'defaults', 'tcprequest', 'tcpresponse', 'minconn', 'fullconn', 'source', 'usesrc', 'lua', 'luaload'],
    ...['crt', 'cafile', 'peers', 'agentcheck', 'externalcheck'],
  ],
  'remove it: nginx has all of it within, here it is listeners and upstreams; see docs/from-nginx.md': ['stream'],
  'remove it: its keys stand at the top of the file; see docs/from-nginx.md': ['events'],
  'remove it: its keys stand at the top of the file; see docs/from-haproxy.md': ['global'],
  'remove it: it is of the systemd unit; see docs/from-haproxy.md': ['user', 'group', 'chroot', 'daemon', 'pidfile'],
})
