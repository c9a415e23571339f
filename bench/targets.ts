import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse, stringify } from 'yaml'
import { type Backends, httpHosts } from './backends.ts'
import type { Sandbox } from './sandbox.ts'

/** A load balancer that runs, with one data-plane thread. */
export interface Target {
  readonly name: TargetName
  readonly pid: number
  /** Its port in front of the HTTP server. */
  readonly http: number
  /** Its port in front of the iperf3 server. */
  readonly bulk: number
  stop(): Promise<void>
}

/** How mcs-lb is run apart from the packaged file. */
export interface Variant {
  readonly accessLog?: boolean
  /** How many listeners and upstreams there are besides the two that carry load, each with ten backends. */
  readonly bystanders?: number
  /** Backends of the HTTP upstream; 1 unless told. */
  readonly httpBackends?: number
}

export const targetNames = ['mcs-lb', 'haproxy', 'haproxy-256k', 'nginx', 'nginx-256k'] as const
export type TargetName = (typeof targetNames)[number]

/** Starts a target on free ports. `variant` is for mcs-lb only. */
export async function startTarget(
  sandbox: Sandbox,
  backends: Backends,
  name: TargetName,
  variant: Variant = {},
): Promise<Target> {
  const [http, bulk] = [await sandbox.freePort(), await sandbox.freePort()]
  const ports = { http, bulk }
  const command = await commands[name](sandbox, ports, backends, variant)
  const running = await sandbox.start(name, command, [http])
  return { name, pid: running.pid, http, bulk, stop: () => running.stop() }
}

type Command = (sandbox: Sandbox, ports: Backends, backends: Backends, variant: Variant) => Promise<readonly string[]>

const commands: Readonly<Record<TargetName, Command>> = {
  'mcs-lb': ours,
  haproxy: haproxy(''),
  'haproxy-256k': haproxy('tune.bufsize 262144'),
  nginx: nginx(''),
  'nginx-256k': nginx('proxy_buffer_size 256k;'),
}

function haproxy(tuning: string): Command {
  return async (sandbox, ports, backends) => {
    const config = `global
  nbthread 1
  maxconn 4000
  ${tuning}
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen http
  bind 127.0.0.1:${ports.http}
  server b1 127.0.0.1:${backends.http}
listen bulk
  bind 127.0.0.1:${ports.bulk}
  server b1 127.0.0.1:${backends.bulk}
`
    return ['haproxy', '-f', sandbox.write(`haproxy-${ports.http}.cfg`, config)]
  }
}

function nginx(tuning: string): Command {
  return async (sandbox, ports, backends) => {
    const server = (port: number, backend: number) =>
      `server { listen 127.0.0.1:${port} backlog=4096; ${tuning} proxy_pass 127.0.0.1:${backend}; }`
    const config = `load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
pid ${sandbox.directory}/nginx-${ports.http}.pid;
error_log stderr;
worker_processes 1;
events { worker_connections 10000; }
stream {
  ${server(ports.http, backends.http)}
  ${server(ports.bulk, backends.bulk)}
}
`
    return ['nginx', '-e', 'stderr', '-c', sandbox.write(`nginx-${ports.http}.conf`, config)]
  }
}

interface PackagedFile {
  listeners: Record<string, object>
  upstreams: Record<string, object>
}

/** The packaged file with its own listener and upstream as the pattern for all: only addresses change, and workers. */
async function ours(sandbox: Sandbox, ports: Backends, backends: Backends, variant: Variant): Promise<string[]> {
  const root = fileURLToPath(new URL('../../', import.meta.url))
  const packaged = parse(readFileSync(join(root, 'config/lb.yaml'), 'utf8')) as PackagedFile
  const listener = Object.values(packaged.listeners)[0]
  const upstream = Object.values(packaged.upstreams)[0]
  const listeners: Record<string, object> = {}
  const upstreams: Record<string, object> = {}
  const add = (name: string, port: number, addresses: readonly string[]) => {
    listeners[name] = { ...listener, bind: `127.0.0.1:${port}`, upstream: name }
    upstreams[name] = { ...upstream, servers: addresses.map((address) => ({ address })) }
  }
  const http = httpHosts.map((host) => `${host}:${backends.http}`)
  add('http', ports.http, http.slice(0, variant.httpBackends ?? 1))
  add('bulk', ports.bulk, [`127.0.0.1:${backends.bulk}`])
  for (let i = 0; i < (variant.bystanders ?? 0); i++) add(`bystander${i}`, await sandbox.freePort(), http.slice(0, 10))
  // As packaged, not in the folder of the file: the watch sees everything that changes there.
  const logs = join(sandbox.directory, `log-${ports.http}`)
  mkdirSync(logs)
  const config = {
    ...packaged,
    workers: 1,
    accessLog: { ...logFormat(packaged), to: variant.accessLog ? join(logs, 'access.log') : 'none' },
    admin: { socket: join(sandbox.directory, `admin-${ports.http}.sock`) },
    listeners,
    upstreams,
  }
  const file = sandbox.write(`lb-${ports.http}.yaml`, stringify(config))
  return [process.execPath, join(root, 'dist/main.js'), 'run', '--config', file]
}

function logFormat(packaged: object): object {
  return 'accessLog' in packaged && typeof packaged.accessLog === 'object' ? (packaged.accessLog ?? {}) : {}
}
