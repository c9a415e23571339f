import type { Sandbox } from './sandbox.ts'

/** What the load balancers stand in front of. */
export interface Backends {
  /** Port of an HTTP server that answers `hello from b1`. */
  readonly http: number
  /** Port of an iperf3 server. */
  readonly bulk: number
}

/** Loopback addresses at which the HTTP server is reached, so that an upstream can have many backends. */
export const httpHosts: readonly string[] = Array.from(
  { length: 1000 },
  (_, i) => `127.0.${Math.floor(i / 250)}.${(i % 250) + 1}`,
)

export async function startBackends(sandbox: Sandbox): Promise<Backends> {
  const [http, bulk] = [await sandbox.freePort(), await sandbox.freePort()]
  const config = sandbox.write('backend.conf', backendConfig(sandbox.directory, http))
  await sandbox.start('backend', ['nginx', '-e', 'stderr', '-c', config], [http])
  await sandbox.start('iperf3', ['iperf3', '--server', '--bind', '127.0.0.1', '--port', `${bulk}`], [])
  return { http, bulk }
}

function backendConfig(directory: string, port: number): string {
  const kinds = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `daemon off;
pid ${directory}/backend.pid;
error_log stderr;
worker_processes 1;
events { worker_connections 10000; }
http {
  access_log off;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  ${kinds.map((kind) => `${kind}_temp_path ${directory}/${kind};`).join('\n  ')}
  server {
    listen 0.0.0.0:${port} backlog=4096;
    location / { return 200 "hello from b1\\n"; }
  }
}
`
}
