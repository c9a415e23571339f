import type { ReloadResult, Service, ServiceStatus } from '#src/control/service.js'

/** A status with one of everything. */
export const sampleStatus: ServiceStatus = {
  version: '0.1.0',
  pid: 4711,
  startedAt: '2025-01-01T00:00:00.000Z',
  configFile: '/etc/mcs-lb/lb.yaml',
  state: 'serving',
  generation: 3,
  generationSince: '2025-01-02T00:00:00.000Z',
  lastReload: { trigger: 'admin', at: '2025-01-02T00:00:00.000Z', result: 'serving', durationMs: 12.4 },
  descriptors: { limit: 1024, open: 40, capacity: 500 },
  connections: { active: 7, total: 1234, limit: 500 },
  generations: [
    { generation: 2, connections: 3 },
    { generation: 3, connections: 4 },
  ],
  workers: [{ id: 0, state: 'serving', connections: 7, accepted: 1234, restarts: 1 }],
  listeners: [
    {
      name: 'edge',
      state: 'serving',
      addresses: ['0.0.0.0:64400'],
      upstream: 'chat',
      active: 7,
      accepted: 1234,
      turnedAway: 5,
      bytesUp: 2048,
      bytesDown: 5 * 1024 * 1024,
    },
  ],
  upstreams: [
    {
      name: 'chat',
      state: 'serving',
      balance: 'round-robin',
      backends: [
        {
          address: '10.0.0.1:9100',
          state: 'up',
          since: '2025-01-01T00:00:00.000Z',
          origin: 'file',
          weight: 2,
          priority: 0,
          backup: false,
          maxConnections: 1000,
          active: 7,
          connections: 1230,
          connectFailures: 3,
          earlyResets: 1,
          bytesUp: 2048,
          bytesDown: 999,
        },
      ],
    },
  ],
  accessLog: { written: 1227, dropped: 0 },
}

/** A service that answers what the test says, and counts. */
export class FakeService implements Service {
  reloads = 0
  reopens = 0
  currentStatus: ServiceStatus = sampleStatus
  onReload: () => Promise<ReloadResult> = async () => ({
    outcome: 'serving',
    generation: 4,
    durationMs: 1,
    warnings: [],
  })
  onReopen: () => Promise<void> = async () => {}

  reload(): Promise<ReloadResult> {
    this.reloads++
    return this.onReload()
  }

  async status(): Promise<ServiceStatus> {
    return this.currentStatus
  }

  reopenLogs(): Promise<void> {
    this.reopens++
    return this.onReopen()
  }
}

/** Has the service's reload wait: `asked` resolves when it was called, `finish` ends it. */
export function holdReload(service: FakeService) {
  let finish: (result: ReloadResult) => void = () => {}
  const result = new Promise<ReloadResult>((resolve) => {
    finish = resolve
  })
  const asked = new Promise<void>((resolve) => {
    service.onReload = () => {
      resolve()
      return result
    }
  })
  return { asked, finish }
}
