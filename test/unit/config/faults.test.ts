import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changed, faultsOf, issuesOf, minimal } from './fixture.ts'

/** Line 1 is `version: 1`; what is appended to the minimal file starts in line 10. */
function appended(line: string): string[] {
  return faultsOf(`${minimal}${line}\n`)
}

/** Server lines are appended to the list of the only upstream, from line 10 on. */
function server(line: string): string[] {
  return faultsOf(`${minimal}      - ${line}\n`)
}

const duration = 'a duration from 10ms to 365d, such as 5s, or unlimited'

test('parseConfig() names an unknown key and the one that was meant', () => {
  assert.deepEqual(appended('lgo: {}'), ['10:1 lgo | the key "lgo" is not known | did you mean log?'])
  assert.deepEqual(appended('log: { levle: info }'), [
    '10:8 log.levle | the key "levle" is not known | did you mean level?',
  ])
  assert.deepEqual(appended('log: { colour: red }'), [
    '10:8 log.colour | the key "colour" is not known | the keys here are level, format',
  ])
})

test('parseConfig() names a missing key and what it means', () => {
  assert.deepEqual(faultsOf(changed('version: 1\n', '')), ['1:1  | the key "version" is missing | add "version: 1"'])
  assert.deepEqual(faultsOf(changed('    upstream: chat\n', '')), [
    '3:3 listeners.edge | the key "upstream" is missing | add it: name of the upstream that its connections go to',
  ])
  assert.deepEqual(server('weight: 2'), [
    '10:9 upstreams.chat.servers[1] | the key "address" is missing | add it: where it listens',
  ])
})

/** The hints for a line that is put into the listener, the upstream, or its first server. */
function hintsOf(place: 'listener' | 'upstream' | 'server', line: string): string[] {
  const before = { listener: 'upstreams:', upstream: '    servers:', server: '' }[place]
  const indent = place === 'server' ? '        ' : '    '
  const text = before === '' ? `${minimal}${indent}${line}\n` : changed(before, `${indent}${line}\n${before}`)
  return issuesOf(text).map((issue) => issue.hint)
}

test('parseConfig() knows keys by the names that nginx and HAProxy give them', () => {
  assert.deepEqual(hintsOf('server', 'max_conns: 3'), ['did you mean maxConnections?'])
  assert.deepEqual(hintsOf('server', 'port: 3'), ['did you mean address?'])
  assert.deepEqual(hintsOf('listener', 'proxy_timeout: 5s'), ['it is timeouts.idle'])
  assert.deepEqual(hintsOf('listener', 'timeouts: { connect: 5s }'), ['it is upstreams.<name>.connect.timeout'])
  assert.deepEqual(hintsOf('upstream', 'maxconn: 4'), ['it is servers[].maxConnections'])
  assert.deepEqual(hintsOf('upstream', 'least_conn: true'), ['did you mean balance?'])
  assert.deepEqual(hintsOf('upstream', 'proxy_next_upstream_tries: 3'), ['it is connect.attempts'])
  assert.match(appended('access_log: x').join(), /did you mean accessLog\?/)
  assert.match(appended('worker_connections: 5').join(), /it is limits\.connections/)
  assert.match(appended('__proto__: 5').join(), /the keys here are version, /)
})

test('parseConfig() says where a key stands that is in another place of the file', () => {
  assert.deepEqual(hintsOf('listener', 'backlog: 10'), ['it is socket.backlog'])
  assert.deepEqual(hintsOf('listener', 'keep_alive: 10s'), ['it is socket.keepAlive'])
  assert.deepEqual(hintsOf('listener', 'connect: { timeout: 5s }'), ['it is upstreams.<name>.connect'])
  assert.deepEqual(hintsOf('listener', 'socket: { timeouts: {} }'), ['it is listeners.<name>.timeouts'])
  assert.deepEqual(hintsOf('upstream', 'weight: 3'), ['it is servers[].weight'])
  assert.deepEqual(hintsOf('listener', 'name: a'), [
    'the keys here are bind, socket, timeouts, upstream, onUnavailable',
  ])
})

test('parseConfig() tells a required key that is misspelt once', () => {
  const fault = (line: string) => faultsOf(changed('bind: 127.0.0.1:64400', line))
  assert.deepEqual(fault('bnid: 127.0.0.1:64400'), [
    '4:5 listeners.edge.bnid | the key "bnid" is not known | did you mean bind?',
  ])
  assert.deepEqual(fault('listen: 127.0.0.1:64400'), [
    '4:5 listeners.edge.listen | the key "listen" is not known | did you mean bind?',
  ])
  assert.equal(fault('colour: red').length, 2)
  const edge = changed(
    'edge:\n    bind: 127.0.0.1:64400\n    upstream: chat',
    'edge: { bind:1.2.3.4:5, upstream: chat }',
  )
  assert.deepEqual(
    issuesOf(edge).map((issue) => issue.hint),
    ['put a blank after bind:'],
  )
})

test('parseConfig() shows how text is written that stands where a server or a number is meant', () => {
  const hint = (line: string) => server(line).map((fault) => fault.split(' | ')[2])
  assert.deepEqual(hint('127.0.0.1:7101'), ['write { address: "127.0.0.1:7101" }'])
  assert.deepEqual(hint('127.0.0.1:7101 weight=2'), ['write { address: "10.0.0.1:9100" }'])
  assert.deepEqual(hint('address:127.0.0.1:7101'), ['put a blank after address:'])
  assert.match(
    faultsOf(changed('servers:\n      - address: 10.0.0.1:9100', 'servers: 10.0.0.1:9100')).join(),
    /write \[\{ address: "10\.0\.0\.1:9100" \}\]$/,
  )
  assert.match(appended('limits: { connections: 50k }').join(), /write 50000$/)
  assert.match(appended('workers: 50k').join(), /write auto, or a whole number from 1 to 64$/)
  assert.deepEqual(hintsOf('listener', 'onUnavailable: 503'), ['did you mean http-503?'])
  assert.match(appended('log: { level: warning }').join(), /did you mean warn\?$/)
  assert.match(appended('reload: { debounce: 1m30s }').join(), /write 90s$/)
})

test('parseConfig() says which unit is missing or wrong', () => {
  assert.deepEqual(appended('reload: { debounce: 200 }'), [
    '10:21 reload.debounce | 200 has no unit | write 200ms or 200s',
  ])
  assert.deepEqual(appended('reload: { debounce: "200" }'), ['10:21 reload.debounce | "200" has no unit | write 200s'])
  assert.deepEqual(appended('shutdown: { drain: 5 sec }'), [
    '10:20 shutdown.drain | "5 sec" is not a duration | write 5s',
  ])
  assert.deepEqual(appended('limits: { pendingBytes: 64MB }'), [
    '10:25 limits.pendingBytes | "64MB" is not a size | write 64MiB',
  ])
  assert.deepEqual(appended('limits: { pendingBytes: 64 }'), [
    '10:25 limits.pendingBytes | 64 has no unit | write 64B or 64MiB',
  ])
})

test('parseConfig() holds units to their bounds, and never takes 0 for no limit', () => {
  const idle = (value: string) =>
    faultsOf(changed('    upstream: chat\n', `    upstream: chat\n    timeouts: { idle: ${value} }\n`))
  assert.deepEqual(idle('0s'), [`6:23 listeners.edge.timeouts.idle | 0s is less than 10ms | write ${duration}`])
  assert.deepEqual(idle('366d'), [`6:23 listeners.edge.timeouts.idle | 366d is more than 365d | write ${duration}`])
  assert.deepEqual(idle('0'), [`6:23 listeners.edge.timeouts.idle | 0 has no unit | write ${duration}`])
  assert.deepEqual(idle('none'), [`6:23 listeners.edge.timeouts.idle | "none" is not a duration | write ${duration}`])
  assert.deepEqual(idle('unlimted'), [
    '6:23 listeners.edge.timeouts.idle | "unlimted" is not a duration | write unlimited',
  ])
  assert.deepEqual(appended('reload: { debounce: unlimited }'), [
    '10:21 reload.debounce | "unlimited" is not a duration | write a duration from 10ms to 1m, such as 5s',
  ])
})

test('parseConfig() gives one clear message where a value may have several forms', () => {
  const count = 'a whole number from 1 to 1000000, or unlimited'
  assert.deepEqual(appended('workers: aut'), [
    '10:10 workers | "aut" is not auto, or a whole number from 1 to 64 | did you mean auto?',
  ])
  assert.deepEqual(appended('workers: 65'), [
    '10:10 workers | 65 is more than 64 | write auto, or a whole number from 1 to 64',
  ])
  assert.deepEqual(appended('workers: "4"'), ['10:10 workers | "4" is text | remove the quotes'])
  assert.deepEqual(appended('workers: [4]'), [
    '10:10 workers | a list is not auto, or a whole number from 1 to 64 | write auto, or a whole number from 1 to 64',
  ])
  assert.deepEqual(server('{ address: "10.0.0.2:1", maxConnections: 0 }'), [
    `10:50 upstreams.chat.servers[1].maxConnections | 0 is less than 1 | write ${count}`,
  ])
  assert.deepEqual(faultsOf(changed('127.0.0.1:64400', '["127.0.0.1:1", "127.0.0.1", 80]')), [
    '4:27 listeners.edge.bind[1] | "127.0.0.1" has no port | write it as 10.0.0.1:9100, [::1]:9100 or unix:/run/chat.sock',
    '4:40 listeners.edge.bind[2] | 80 is not an address | write "0.0.0.0:80" for IPv4, "[::]:80" for IPv6, or both in a list',
  ])
  assert.deepEqual(faultsOf(changed('127.0.0.1:64400', '[]')), [
    '4:11 listeners.edge.bind | this is empty | give it at least one entry',
  ])
})

test('parseConfig() holds words, numbers and booleans to what they may be', () => {
  assert.deepEqual(appended('log: { level: inof }'), [
    '10:15 log.level | "inof" is not one of error, warn, info, debug | did you mean info?',
  ])
  assert.deepEqual(appended('reload: { watch: yes }'), [
    '10:18 reload.watch | "yes" is not true or false | write true or false',
  ])
  assert.deepEqual(server('{ address: "10.0.0.2:1", weight: 257 }'), [
    '10:42 upstreams.chat.servers[1].weight | 257 is more than 256 | write a whole number from 1 to 256',
  ])
  assert.deepEqual(server('{ address: "10.0.0.2:1", weight: 1.5 }'), [
    '10:42 upstreams.chat.servers[1].weight | 1.5 is not a whole number from 1 to 256 | write a whole number from 1 to 256',
  ])
  assert.deepEqual(faultsOf(changed('version: 1', 'version: 2')), ['1:10 version | 2 is not 1 | write 1'])
})

test('parseConfig() refuses names that could break a label or a log', () => {
  const hint = 'a name has 1 to 64 characters of A-Z, a-z, 0-9, ".", "_" and "-"'
  assert.deepEqual(faultsOf(changed('  edge:', '  "ed ge\\e[2J":')), [
    `3:3 listeners."ed ge\\u001b[2J" | "ed ge\\u001b[2J" is not a name | ${hint}`,
  ])
  assert.match(faultsOf(changed('  edge:', `  ${'x'.repeat(65)}:`))[0] ?? '', /is not a name/)
})

test('parseConfig() refuses words that were meant to be paths, and paths that name no file', () => {
  assert.deepEqual(appended('accessLog: { to: stdot }'), [
    '10:18 accessLog.to | "stdot" is neither a known word nor a path | did you mean stdout? a path has a "/": ./stdot',
  ])
  assert.deepEqual(appended('admin: { socket: /run/ }'), [
    '10:18 admin.socket | "/run/" names no file | write none, or the path of a file',
  ])
  assert.deepEqual(appended('admin: { socket: "/run/a\\nb" }'), [
    '10:18 admin.socket | "/run/a\\nb" has a control character | remove it',
  ])
})

test('parseConfig() refuses a key without a value, and an empty file', () => {
  assert.deepEqual(appended('log:'), ['10:5 log | this key has no value | remove it, or write {} for the defaults'])
  for (const text of ['', '\n', '# nothing\n', '---\n']) {
    assert.match(faultsOf(text)[0] ?? '', /the file is empty \| it needs version, listeners, upstreams/)
  }
  assert.deepEqual(faultsOf('version: 1\nlisteners: {}\nupstreams: {}'), [
    '2:12 listeners | this is empty | give it at least one name',
    '3:12 upstreams | this is empty | give it at least one name',
  ])
})

test('parseConfig() says what is wrong with a variable, and only that', () => {
  const port = (text: string) =>
    faultsOf(changed('127.0.0.1:64400', text), { BAD: 'x', BIG: 'x'.repeat(5000), OK: '1' })
  const path = 'listeners.edge.bind'
  assert.deepEqual(port(`"127.0.0.1:\${NONE}"`), [
    `4:11 ${path} | the environment variable "NONE" is not set | give a default: \${NONE:-default}, or set it; a running process sees it after a restart`,
  ])
  assert.deepEqual(port('"127.0.0.1:$PORT"'), [
    `4:11 ${path} | "$PORT" is not a reference to an environment variable | write \${PORT} or \${PORT:-default}, or $$ for a dollar`,
  ])
  assert.match(port('"${OK"')[0] ?? '', /is not a reference to an environment variable/)
  assert.match(port(`"\${BIG}"`)[0] ?? '', /"BIG" this is longer than 4096 characters/)
  assert.match(port(`"\${toString}"`)[0] ?? '', /"toString" is not set/)
  assert.deepEqual(port(`"127.0.0.1:\${BAD:-1}"`), [
    `4:11 ${path} | "127.0.0.1:x" has the port "x" (from "127.0.0.1:\${BAD:-1}") | a port is a whole number from 0 to 65535`,
  ])
})

test('parseConfig() refuses what YAML leaves open', () => {
  assert.match(faultsOf(`${minimal}version: 1\n`)[0] ?? '', /^10:1 version \| the key "version" stands here twice/)
  assert.match(faultsOf(`${minimal}---\nversion: 1\n`)[0] ?? '', /^10:1 .*a second document starts here/)
  assert.match(appended('workers: !cpu auto')[0] ?? '', /^10:10 .*this tag is not known/)
  assert.match(appended('workers: !!binary aGk=')[0] ?? '', /^10:10 .*this tag is not known/)
  assert.match(appended('workers: *cpus')[0] ?? '', /^10:10 .*"\*cpus"|Unresolved alias/)
  assert.match(appended('log: &log { level: *log }')[0] ?? '', /names no anchor that is complete before it/)
  assert.match(appended('workers: *a\u009b')[0] ?? '', /write &a\\u009b before/)
  assert.match(appended('\tlog: {}')[0] ?? '', /a tab is used for indentation/)
  assert.match(appended('? [a]\n: 1')[0] ?? '', /a key is not a plain word/)
  assert.match(appended('<<: { log: {} }')[0] ?? '', /the key "<<" is not known/)
  assert.match(faultsOf(`%YAML 1.1\n---\n${minimal}`)[0] ?? '', /this is YAML 1\.1/)
})

test('parseConfig() tells the first fault of the YAML alone, and what mends it', () => {
  const edge = (text: string) =>
    faultsOf(changed('edge:\n    bind: 127.0.0.1:64400\n    upstream: chat', `edge: ${text}`))
  assert.deepEqual(edge(`{ bind: 127.0.0.1:\${UP:-7000}, upstream: chat }`), [
    '3:28  | a variable within { } or [ ] is not in quotes | put the value in quotes',
  ])
  assert.deepEqual(edge('{ bind: [::]:7000, upstream: chat }'), [
    '3:21  | the address [::]:7000 is not in quotes | put it in quotes: "[::]:7000"',
  ])
  const bind = (text: string) => faultsOf(changed('bind: 127.0.0.1:64400', text))
  assert.deepEqual(bind('bind: [::1]:7000'), [
    '4:16  | the address [::1]:7000 is not in quotes | put it in quotes: "[::1]:7000"',
  ])
  assert.deepEqual(bind('bind:127.0.0.1:7000'), ['4:5  | there is no blank after "bind:" | put a blank after bind:'])
  assert.deepEqual(bind('bind: "127.0.0.1'), ['4:11  | a quotation mark is not closed | add the closing one'])
  assert.deepEqual(bind('bind: @a'), ['4:11  | no plain text starts with this character | put it in quotes'])
  assert.deepEqual(bind('bind: *:7000'), [
    '4:11 listeners.edge.bind | "*:7000" names no host | write "0.0.0.0:7000" for IPv4, "[::]:7000" for IPv6, or both in a list',
  ])
  assert.deepEqual(faultsOf(`${minimal}      - { address: "10.0.0.2:9100"\n`), [
    '10:9  | a bracket is not closed | add the closing "}", on a line that is indented further than its key',
  ])
})

test('parseConfig() quotes no more of a text that is no YAML than it needs', () => {
  assert.doesNotMatch(appended('workers: "a" hunter2').join(), /hunter2/)
  assert.doesNotMatch(appended('hunter:two').join(), /hunter/)
})

test('parseConfig() knows a file of nginx and of HAProxy', () => {
  const nginx = /^1:1 {2}\| this looks like a configuration of nginx \| docs\/from-nginx\.md /
  for (const text of [
    'upstream chat {\n  server 10.0.0.1:9100;\n}\n',
    '# ours\n\nuser www-data;\nevents {\n}\n',
    "stream {\n  log_format a '[$time_local]: $status';\n}\n",
  ]) {
    const faults = faultsOf(text)
    assert.equal(faults.length, 1)
    assert.match(faults[0] ?? '', nginx)
  }
  const haproxy = 'global\n  maxconn 1000\nfrontend a\n  bind *:80\n  default_backend b\n'
  assert.match(
    faultsOf(haproxy).join(),
    /^1:1 {2}\| this looks like a configuration of HAProxy \| docs\/from-haproxy\.md /,
  )
})

test('parseConfig() refuses what grows or nests without end', () => {
  const letters = [...'abcdefghi']
  const bomb = letters.map((name, index) => {
    const items = index === 0 ? 'x' : `*${letters[index - 1]}`
    return `${name}: &${name} [${Array(9).fill(items).join(', ')}]`
  })
  assert.match(faultsOf(bomb.join('\n'))[0] ?? '', /more than 400000 values or 32 levels/)
  const chain = Array.from({ length: 5000 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}]`)
  assert.match(faultsOf(`a0: &a0 [x]\n${chain.join('\n')}`)[0] ?? '', /more than 400000 values or 32 levels/)
  assert.match(faultsOf(`a: ${'['.repeat(40)}${']'.repeat(40)}`).join(), /values are nested too deeply/)
  assert.deepEqual(
    faultsOf('['.repeat(100_000)).map((fault) => fault.slice(fault.indexOf('|'))),
    ['| values are nested too deeply | a bracket may be missing'],
  )
})

test('parseConfig() finds all faults at once, in the order of the file', () => {
  const text = changed('127.0.0.1:64400', 'localhost:1').replace('upstream: chat', 'upstream: caht')
  assert.deepEqual(
    issuesOf(`${text}        weight: 0\nworkers: "\${NONE}"\nlog: { level: x }\n`).map((issue) => issue.path),
    ['listeners.edge.bind', 'listeners.edge.upstream', 'upstreams.chat.servers[0].weight', 'workers', 'log.level'],
  )
})

test('parseConfig() lists 100 faults and counts the others', () => {
  const keys = Array.from({ length: 5000 }, (_, index) => `key${index}: 1\n`).join('')
  const issues = issuesOf(minimal + keys)
  assert.equal(issues.length, 101)
  assert.equal(issues[0]?.message, 'the key "key0" is not known')
  assert.equal(issues.at(-1)?.message, '4900 more faults are not listed')
})

test('parseConfig() puts nothing into a message that a terminal acts on', () => {
  const faults = [
    ...appended('workers: *cpu\u009b'),
    ...faultsOf(changed('127.0.0.1:64400', '["/run/\\e[2J", "fe80::1%\\x9b", "::1%\\x9b:80"]')),
    ...faultsOf(changed('  chat:', '  "cha\u009b":')),
    ...appended('accessLog: { to: "std\\e" }'),
    ...appended('"lo\\e": 1'),
    ...faultsOf(changed('127.0.0.1:64400', `"\${A}"`), { A: '\u001b[2J' }),
  ]
  assert.ok(faults.length >= 8)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  for (const fault of faults) assert.doesNotMatch(fault, /[\u0000-\u001f\u007f-\u009f]/)
})

// The library went on after the first error, over all that followed: 1 MiB of brackets that close took 38 s, and all
// that time nothing else was done.
test('parseConfig() ends at the first error of a large file', () => {
  const began = performance.now()
  assert.match(faultsOf('[]'.repeat(512 * 1024 - 1))[0] ?? '', /this is not YAML|bracket/)
  assert.match(faultsOf(`version: 1\na: "${'\\\n'.repeat(256 * 1024)}`)[0] ?? '', /a quotation mark is not closed/)
  assert.ok(performance.now() - began < 5000, `${performance.now() - began} ms`)
})
