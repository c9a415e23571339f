import type { TestContext } from 'node:test'
import type { ReloadResult } from '#src/control/service.js'
import { freeListenerPort } from './free-listener-port.ts'
import { LoadBalancerProcess } from './load-balancer-process.ts'

/** A load balancer with one listener in front of one upstream, `web`. */
export interface UpstreamSetup {
  readonly lb: LoadBalancerProcess
  readonly port: number
  /** Serves another upstream in its place. */
  reload(upstream: string): Promise<ReloadResult>
}

/** Starts it. `upstream` is what the file says of the upstream; `top` are further keys at its top, one a line. */
export async function startUpstream(t: TestContext, upstream: string, top = ''): Promise<UpstreamSetup> {
  const port = await freeListenerPort()
  const config = (text: string) => `${top}
reload: { watch: false }
listeners: { edge: { bind: "127.0.0.1:${port}", upstream: web } }
upstreams:
  web: ${text}
`
  const lb = await LoadBalancerProcess.start(t, config(upstream))
  return { lb, port, reload: (text) => lb.reload(config(text)) }
}
