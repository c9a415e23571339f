import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { ListeningSockets, type OpenSocket, type SocketWish, socketKey } from '#src/control/listening-sockets.js'
import { SO_REUSEPORT, SOL_SOCKET } from '#src/kernel/constants.js'
import { formatAddress, type SocketAddress } from '#src/model/address.js'
import { McsError } from '#src/model/errors.js'
import { atEnd } from '../../helpers/cleanup.ts'
import { loopback } from '../../helpers/config-maker.ts'
import { freePort } from '../../helpers/free-port.ts'
import { readOption } from '../../helpers/socket-option.ts'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'

function wish(address: SocketAddress): SocketWish {
  return { key: socketKey('edge', 0, address), listener: 'edge', address, backlog: 16, keepAliveMs: 60_000 }
}

function everywhere(port: number): SocketAddress {
  return { family: 'ipv4', host: '0.0.0.0', port }
}

function createSockets(t: TestContext): ListeningSockets {
  const sockets = new ListeningSockets()
  atEnd(t, () => {
    for (const socket of sockets.list()) sockets.close(socket)
  })
  return sockets
}

async function serve(sockets: ListeningSockets, ...addresses: SocketAddress[]): Promise<OpenSocket[]> {
  const wishes = addresses.map(wish)
  const { sockets: open } = await sockets.open(wishes)
  for (const one of wishes) sockets.listen(open.get(formatAddress(one.address))!, one)
  return addresses.map((address) => open.get(formatAddress(address))!)
}

async function outcomeOf(target: number | string): Promise<string> {
  const client = typeof target === 'string' ? connect(target) : connect(target, '127.0.0.1')
  try {
    await once(client, 'connect')
    return 'connected'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error)
  } finally {
    client.destroy()
  }
}

function isBindError(pattern: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof McsError && error.code === 'MCS_BIND_FAILED' && pattern.test(error.message)
}

const isShared = (socket: OpenSocket) => readOption(socket.fd, SOL_SOCKET, SO_REUSEPORT) === 1
const openDescriptors = () => readdirSync('/proc/self/fd').length

test('ListeningSockets.open() keeps a socket by its address and binds what is new, not listening yet', async (t) => {
  const sockets = createSockets(t)
  const [one, two] = [await freePort(), await freePort()]
  const [first] = await serve(sockets, loopback(one))
  const { sockets: open, undo } = await sockets.open([wish(loopback(one)), wish(loopback(two))])
  assert.equal(open.get(`127.0.0.1:${one}`), first)
  assert.notEqual(open.get(`127.0.0.1:${two}`)!.id, first!.id)
  assert.equal(await outcomeOf(one), 'connected')
  assert.equal(await outcomeOf(two), 'ECONNREFUSED')
  undo()
  assert.deepEqual(sockets.list(), [first])
  assert.equal(await outcomeOf(one), 'connected')
})

test('ListeningSockets.open() closes what it opened when an address cannot be bound', async (t) => {
  const sockets = createSockets(t)
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  atEnd(t, () => taken.close())
  const { port } = taken.address() as { port: number }
  const before = openDescriptors()
  const path = join(temporaryDirectory(t), 'a.sock')
  const wishes = [wish(loopback(await freePort())), wish({ family: 'unix', path }), wish(loopback(port))]
  await assert.rejects(sockets.open(wishes), isBindError(/^Cannot bind listener "edge" to 127\.0\.0\.1:\d+: .*in use/))
  assert.deepEqual(sockets.list(), [])
  assert.equal(openDescriptors(), before)
  assert.equal(existsSync(path), false)
})

test('ListeningSockets hands a port from one address to an overlapping one, and shares it only meanwhile', async (t) => {
  const sockets = createSockets(t)
  const port = await freePort()
  const [narrow] = await serve(sockets, loopback(port))
  const [wide] = await serve(sockets, everywhere(port))
  assert.ok(isShared(narrow!) && isShared(wide!))
  sockets.retire(narrow!)
  sockets.close(narrow!)
  sockets.endSharing()
  assert.equal(isShared(wide!), false)
  assert.equal(await outcomeOf(port), 'connected')
})

test('ListeningSockets shares no port any more when a handover is given up', async (t) => {
  const sockets = createSockets(t)
  const [port, other] = [await freePort(), await freePort()]
  const [narrow] = await serve(sockets, loopback(port))
  const given = await sockets.open([wish(everywhere(port))])
  given.undo()
  assert.equal(isShared(narrow!), false)
  const taken = createServer().listen(other, '127.0.0.1')
  await once(taken, 'listening')
  atEnd(t, () => taken.close())
  await assert.rejects(sockets.open([wish(everywhere(port)), wish(loopback(other))]), isBindError(/in use/))
  assert.equal(isShared(narrow!), false)
})

test('ListeningSockets.open() takes the place of a socket file that nobody answers on', async (t) => {
  const sockets = createSockets(t)
  const path = join(temporaryDirectory(t), 'a.sock')
  const program = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 9))`
  spawnSync(process.execPath, ['-e', program])
  assert.ok(existsSync(path))
  await serve(sockets, { family: 'unix', path })
  assert.equal(await outcomeOf(path), 'connected')
})

test('ListeningSockets.open() leaves a socket file that another program answers on, and any other file', async (t) => {
  const sockets = createSockets(t)
  const directory = temporaryDirectory(t)
  const [socket, file] = [join(directory, 'a.sock'), join(directory, 'b.sock')]
  const server = createServer().listen(socket)
  await once(server, 'listening')
  atEnd(t, () => server.close())
  writeFileSync(file, 'precious')
  for (const [path, why] of [
    [socket, /: another process answers on it; stop that \(`ss -lxp` names it\), or choose another path$/],
    [file, /: it exists and is no socket; remove it, or choose another path$/],
    [directory, /: it exists and is no socket; remove it, or choose another path$/],
  ] as const) {
    await assert.rejects(sockets.open([wish({ family: 'unix', path })]), isBindError(why))
    assert.ok(existsSync(path))
  }
  assert.equal(await outcomeOf(socket), 'connected')
})

test('ListeningSockets.open() says that a directory does not exist', async (t) => {
  const path = join(temporaryDirectory(t), 'missing', 'a.sock')
  await assert.rejects(createSockets(t).open([wish({ family: 'unix', path })]), isBindError(/directory does not exist/))
})

test('ListeningSockets.open() speaks of directories for a unix socket that it may not bind, and not of ports', async (t) => {
  const directory = temporaryDirectory(t)
  chmodSync(directory, 0o500)
  // Root may write to every directory.
  const isRoot = process.getuid?.() === 0
  if (isRoot) process.seteuid?.(65_534)
  const open = createSockets(t).open([wish({ family: 'unix', path: join(directory, 'a.sock') })])
  if (isRoot) process.seteuid?.(0)
  const why = /: permission denied; let the user that runs mcs-lb write to the directory$/
  await assert.rejects(open, isBindError(why))
})

test('ListeningSockets.retire() removes a socket file at once, and close() removes none that came later', async (t) => {
  const sockets = createSockets(t)
  const path = join(temporaryDirectory(t), 'a.sock')
  const [socket] = await serve(sockets, { family: 'unix', path })
  sockets.retire(socket!)
  assert.equal(existsSync(path), false)
  const server = createServer().listen(path)
  await once(server, 'listening')
  atEnd(t, () => server.close())
  sockets.close(socket!)
  assert.ok(existsSync(path))
})

test('ListeningSockets.listen() lets clients in again on a socket that was about to go', async (t) => {
  const sockets = createSockets(t)
  const port = await freePort()
  const [socket] = await serve(sockets, loopback(port))
  sockets.retire(socket!)
  await serve(sockets, loopback(port))
  assert.equal(await outcomeOf(port), 'connected')
})

test('ListeningSockets.open() binds a socket file anew whose socket was about to go', async (t) => {
  const sockets = createSockets(t)
  const path = join(temporaryDirectory(t), 'a.sock')
  const [socket] = await serve(sockets, { family: 'unix', path })
  // A worker was late to let go of it, so it is still there when the next configuration wants it again.
  sockets.retire(socket!)
  await serve(sockets, { family: 'unix', path })
  assert.equal(await outcomeOf(path), 'connected')
})

test('ListeningSockets.open() binds a unix socket anew whose file somebody has deleted', async (t) => {
  const sockets = createSockets(t)
  const path = join(temporaryDirectory(t), 'a.sock')
  const [first] = await serve(sockets, { family: 'unix', path })
  assert.equal(sockets.hasLostFiles, false)
  rmSync(path)
  assert.equal(sockets.hasLostFiles, true)
  const [second] = await serve(sockets, { family: 'unix', path })
  assert.notEqual(second, first)
  assert.deepEqual(sockets.list(), [second, first])
  assert.equal(await outcomeOf(path), 'connected')
  sockets.retire(first!)
  sockets.close(first!)
  assert.deepEqual(sockets.list(), [second])
  assert.equal(await outcomeOf(path), 'connected')
})

test('ListeningSockets.open() has the earlier socket again when a new one in its place is given up', async (t) => {
  const sockets = createSockets(t)
  const path = join(temporaryDirectory(t), 'a.sock')
  const [first] = await serve(sockets, { family: 'unix', path })
  rmSync(path)
  const { undo } = await sockets.open([wish({ family: 'unix', path })])
  undo()
  assert.deepEqual(sockets.list(), [first])
  assert.equal(existsSync(path), false)
})

test('ListeningSockets.open() keeps a unix socket in whose place another program has put its own', async (t) => {
  const sockets = createSockets(t)
  const path = join(temporaryDirectory(t), 'a.sock')
  const [first] = await serve(sockets, { family: 'unix', path })
  rmSync(path)
  const other = createServer().listen(path)
  await once(other, 'listening')
  atEnd(t, () => other.close())
  assert.deepEqual(await serve(sockets, { family: 'unix', path }), [first])
  assert.equal(sockets.hasLostFiles, false)
})
