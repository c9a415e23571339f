import type { DemoBackend } from './backends.ts'

/** The demo's lb.yaml. `port` is where the load balancer listens on 127.0.0.1. */
export function demoConfig(port: number, backends: readonly Pick<DemoBackend, 'name' | 'port'>[]): string {
  const servers = backends.map((backend) => `      - { address: "127.0.0.1:${backend.port}" }   # ${backend.name}`)
  return `# The demo's configuration. Change it and save: it is served at once, and no connection is dropped.
# A file with an error changes nothing, and the log says what is wrong and where.
version: 1
workers: 1
log: { level: info, format: text }
accessLog: { to: stdout, format: tcplog }
admin: { socket: ./admin.sock }
shutdown: { drain: 2s }
limits: { connections: 1000 }

listeners:
  demo:
    bind: "127.0.0.1:${port}"
    upstream: greeters

upstreams:
  greeters:
    balance: round-robin
    servers:   # try: put a # before one of these lines, or add ", weight: 3" behind an address
${servers.join('\n')}
`
}
