import { test } from 'node:test'
import { freePort } from '../helpers/free-port.ts'
import { tryGreeting } from '../helpers/greeted-client.ts'
import { HeldStart } from '../helpers/held-start.ts'
import { LoadBalancerProcess } from '../helpers/load-balancer-process.ts'
import { NamedBackend } from '../helpers/named-backend.ts'
import { waitUntil } from '../helpers/wait-until.ts'

// Signals were taken only once the program's modules were loaded, which is some 200 ms on a slow machine. A SIGHUP or a
// SIGUSR2 that came before, from a deploy script or a log rotation, did what signals do where nobody takes them: it
// ended the process.
for (const signal of ['SIGHUP', 'SIGUSR2'] as const) {
  test(`${signal} while the program still loads does not end it, and the file as it is then is served`, async (t) => {
    const [a, b] = [await NamedBackend.start(t, 'a'), await NamedBackend.start(t, 'b')]
    const port = await freePort()
    const config = (backend: NamedBackend) => `reload: { watch: false }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`
    const start = new HeldStart(t, 'modules')
    start.hold()
    const lb = new LoadBalancerProcess(t, { config: config(a), nodeOptions: start.nodeOptions })
    await start.held()
    lb.writeConfig(config(b))
    lb.child.kill(signal)
    start.release()
    await waitUntil('the file is served', async () => {
      if (lb.child.signalCode !== null) throw new Error(`${lb.child.signalCode} ended it`)
      return (await tryGreeting(t, port)) === 'b'
    })
  })
}
