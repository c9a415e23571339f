import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { freePort } from '../helpers/free-port.ts'
import { GreetedClient, tryGreeting } from '../helpers/greeted-client.ts'
import { LoadBalancerProcess, type StartOptions } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { waitUntil } from '../helpers/wait-until.ts'

/** Shorter than the default, and still longer than the steps of one save are apart. */
const DEBOUNCE_MS = 100

/** A load balancer that watches its file, and the two backends that a file may name. */
async function setUp(t: TestContext, options: Omit<StartOptions, 'config'> = {}, debounceMs = DEBOUNCE_MS) {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const port = await freePort()
  const config = (backend: NamedBackend) => `reload: { debounce: ${debounceMs}ms }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, { ...options, config: config(a) })
  const held = await GreetedClient.open(t, port)
  let seen = 0
  /** Waits until the backend serves, by one reload of the watcher since the last call. */
  const expectServed = async (backend: NamedBackend) => {
    await waitUntil(`${backend.name} is served`, async () => (await tryGreeting(t, port)) === backend.name)
    await waitUntil('the reload is over', async () => (await lb.status()).lastReload.trigger === 'file')
    await waitUntil('it is logged', () => reloadsByFile(lb).length > seen)
    assert.equal(reloadsByFile(lb).length, ++seen, lb.stderr)
    assert.ok(reloadsByFile(lb).every((line) => line.includes(' Serving ')))
    assert.ok(await held.echoes(), 'the connection from before lives')
  }
  return { a, b, lb, config, expectServed }
}

function reloadsByFile(lb: LoadBalancerProcess): string[] {
  return lb.stderr.split('\n').filter((line) => line.includes('trigger=file'))
}

test('a file written in place is served, once for each save', async (t) => {
  const { a, b, lb, config, expectServed } = await setUp(t)
  for (const backend of [b, a, b]) {
    lb.writeConfig(config(backend))
    await expectServed(backend)
  }
})

test('a file renamed over the old one is served, as `sed -i` and editors save', async (t) => {
  const { a, b, lb, config, expectServed } = await setUp(t)
  lb.writeConfig(config(b), 'rename')
  await expectServed(b)
  execFileSync('sed', ['-i', `s/${b.address}/${a.address}/`, lb.configFile])
  await expectServed(a)
  // vim: the file is moved away, written anew, and its backup removed.
  renameSync(lb.configFile, `${lb.configFile}~`)
  lb.writeConfig(config(b))
  unlinkSync(`${lb.configFile}~`)
  await expectServed(b)
})

test('the swapped link of a Kubernetes mount is served, again and again', async (t) => {
  const publish = (directory: string, version: string, text: string) => {
    mkdirSync(join(directory, `..${version}`))
    writeFileSync(join(directory, `..${version}`, 'lb.yaml'), text)
    symlinkSync(`..${version}`, join(directory, '..data_tmp'))
    renameSync(join(directory, '..data_tmp'), join(directory, '..data'))
  }
  const { a, b, lb, config, expectServed } = await setUp(t, {
    prepare: (directory) => {
      publish(directory, 'v0', '')
      symlinkSync('..data/lb.yaml', join(directory, 'lb.yaml'))
    },
  })
  for (const [n, backend] of [b, a, b].entries()) {
    publish(lb.directory, `v${n + 1}`, lb.textOf(config(backend)))
    rmSync(join(lb.directory, `..v${n}`), { recursive: true })
    await expectServed(backend)
  }
})

test('a burst of writes is one reload, of the last of them', async (t) => {
  // So long that no pause of a busy machine divides the burst.
  const { a, b, lb, config, expectServed } = await setUp(t, {}, 1000)
  for (let n = 0; n < 50; n++) lb.writeConfig(config(n % 2 === 0 ? a : b), n % 3 === 0 ? 'rename' : 'in-place')
  await expectServed(b)
})

test('a folder that vanishes leaves all as it was, and is served when it is back', async (t) => {
  const { a, b, lb, config, expectServed } = await setUp(t, { file: 'conf/lb.yaml' })
  const folder = join(lb.directory, 'conf')
  for (const backend of [b, a]) {
    rmSync(folder, { recursive: true })
    assert.equal((await lb.reload()).outcome, 'refused')
    mkdirSync(folder)
    lb.writeConfig(config(backend))
    await expectServed(backend)
  }
})

test('a save that changes nothing but comments is no reload, and one that is refused is told', async (t) => {
  const { a, b, lb, config } = await setUp(t)
  const { generation } = await lb.status()
  lb.writeConfig(`# a comment\n${config(a)}`)
  await waitUntil('it is looked at', () => lb.stderr.includes(`Already serving generation ${generation}`))
  lb.writeConfig(config(b).replace('upstream: web', 'upstream: wbe'))
  await waitUntil('it is refused', () => lb.stderr.includes('there is no upstream "wbe"'))
  await waitUntil('status says so', async () => (await lb.status()).lastReload.result === 'refused')
  assert.equal((await lb.status()).generation, generation)
  rmSync(lb.configFile)
  const gone = `warn  ${lb.configFile} is gone; generation ${generation} goes on serving`
  await waitUntil('it is told that the file is gone', () => lb.stderr.includes(gone))
  assert.equal(reloadsByFile(lb).length, 2)
  lb.writeConfig(config(b))
  await waitUntil('the next one is served', async () => (await lb.status()).lastReload.result === 'serving')
  await waitUntil('it is logged', () => reloadsByFile(lb).length === 3)
})

test('SIGHUP serves the file at once, without waiting for it to rest', async (t) => {
  const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
  const port = await freePort()
  const config = (backend: NamedBackend) => `reload: { debounce: 1m }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`
  const lb = await LoadBalancerProcess.start(t, config(a))
  lb.writeConfig(config(b))
  lb.child.kill('SIGHUP')
  await waitUntil('it is served', async () => (await tryGreeting(t, port)) === 'b', 1000)
  assert.equal((await lb.status()).lastReload.trigger, 'signal')
})
