import { connect, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { atEnd, type Cleanup } from '../../test/helpers/cleanup.ts'
import { LoadBalancerProcess } from '../../test/helpers/load-balancer-process.ts'
import { NamedBackend } from '../../test/helpers/named-backend.ts'
import { waitUntil } from '../../test/helpers/wait-until.ts'
import { Sandbox } from '../sandbox.ts'

export interface SpreadOptions {
  readonly connections: number
  readonly perSecond: number
  readonly workers: number
}

/** Opens long connections at a steady rate. Returns how many each worker holds, as multiples of its share. */
export async function measureSpread(t: Cleanup, options: SpreadOptions): Promise<number[]> {
  const { connections, perSecond, workers } = options
  const sandbox = new Sandbox()
  atEnd(t, () => sandbox.close())
  const backend = await NamedBackend.start(t, 'a')
  const port = await sandbox.freePort()
  const lb = await LoadBalancerProcess.start(
    t,
    `workers: ${workers}
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams: { web: { servers: [{ address: "${backend.address}" }] } }
`,
  )
  const sockets: Socket[] = []
  atEnd(t, () => {
    for (const socket of sockets) socket.destroy()
  })
  const startedAt = performance.now()
  for (let n = 0; n < connections; n++) {
    await pause(Math.max(0, startedAt + (n * 1000) / perSecond - performance.now()))
    sockets.push(
      connect(port, '127.0.0.1')
        .on('error', () => {})
        .resume(),
    )
  }
  await waitUntil('all are open', async () => (await lb.status()).connections.active === connections)
  return (await lb.status()).workers.map((worker) => (worker.connections * workers) / connections)
}
