import assert from 'node:assert/strict'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { freePort } from '../helpers/free-port.ts'
import { tryGreeting } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { preload } from '../helpers/preload.ts'
import { temporaryDirectory } from '../helpers/temporary-directory.ts'
import { waitUntil } from '../helpers/wait-until.ts'

// A worker that hung did not answer the order to let go of a listening socket, and after 10 s main closed the socket all
// the same. The number was then given to the next file that was opened, while the worker still took it for its listener.
// And where a worker hung before it had switched, nobody ever let the socket go, or closed it.
// Each waits for 10 s, as long as a worker may take to answer: together, that is 10 s.
describe('a listening socket that goes', { concurrency: true }, () => {
  test('stays open while a worker hangs before it lets go of it, and is closed after', async (t) => {
    const { lb, hang, kept, leaving, without } = await start(t, 'release')
    hang.hold()
    assert.equal((await lb.reload(without)).outcome, 'serving')
    const refused = await lb.reload(without.replace('workers: 1', 'workers: 2'))
    assert.equal(refused.outcome === 'refused' && refused.errors[0]?.code, 'MCS_WORKER_FAILED')
    assert.ok(isListening(leaving), 'the worker may still wait on it')
    hang.release()
    await waitUntil('it is closed', () => !isListening(leaving))
    assert.equal((await lb.reload()).outcome, 'serving')
    assert.equal(await tryGreeting(t, kept), 'a')
  })

  test('stays open while a worker hangs before it switches, and is closed after', async (t) => {
    const { lb, hang, kept, leaving, without } = await start(t, 'adopt')
    hang.hold()
    assert.equal((await lb.reload(without)).outcome, 'serving')
    assert.ok(isListening(leaving), 'the worker may still wait on it')
    hang.release()
    await waitUntil('it is closed', () => !isListening(leaving))
    assert.equal(await tryGreeting(t, kept), 'a')
  })
})

/** A process with two listeners, and the file that has one of them only. */
async function start(t: TestContext, method: string) {
  const backend = await NamedBackend.start(t, 'a')
  const [kept, leaving] = [await freePort(), await freePort()]
  const config = (listeners: string) => `reload: { watch: false }
workers: 1
listeners: { kept: { bind: "127.0.0.1:${kept}", upstream: web }${listeners} }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`
  const hang = new Hang(t, method)
  const both = config(`, leaving: { bind: "127.0.0.1:${leaving}", upstream: web }`)
  const lb = await LoadBalancerProcess.start(t, { config: both, nodeOptions: hang.nodeOptions })
  assert.ok(isListening(leaving))
  return { lb, hang, kept, leaving, without: config('') }
}

/** Has workers hang where the acceptor is asked for `method`: `release`, or `adopt` where they switch. */
class Hang {
  readonly nodeOptions: readonly string[]
  readonly #file: string

  constructor(t: TestContext, method: string) {
    const directory = temporaryDirectory(t)
    this.#file = join(directory, 'hang')
    this.nodeOptions = preload(
      directory,
      `import { existsSync } from 'node:fs'
if (!isMainThread) {
  const { Acceptor } = await program('dataplane/acceptor.js')
  const { ${method}: original } = Acceptor.prototype
  const cell = new Int32Array(new SharedArrayBuffer(4))
  Acceptor.prototype.${method} = function (...args) {
    while (existsSync(${JSON.stringify(this.#file)})) Atomics.wait(cell, 0, 0, 5)
    return original.apply(this, args)
  }
}
`,
    )
  }

  hold(): void {
    writeFileSync(this.#file, '')
  }

  release(): void {
    rmSync(this.#file, { force: true })
  }
}

/** Whether this machine has a socket that listens on 127.0.0.1:`port`: proc(5), /proc/net/tcp, state 0A. */
function isListening(port: number): boolean {
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`
  return readFileSync('/proc/net/tcp', 'utf8').includes(address)
}
