import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { atEnd, type Cleanup } from '../../test/helpers/cleanup.ts'
import { LoadBalancerProcess } from '../../test/helpers/load-balancer-process.ts'
import { waitUntil } from '../../test/helpers/wait-until.ts'
import { Sandbox } from '../sandbox.ts'
import { startStormBackend } from './backend.ts'
import {
  type Change,
  changed,
  changes,
  type Fault,
  faults,
  faultyFileOf,
  fileOf,
  firstState,
  type Places,
} from './files.ts'
import { ShortConnections, type ShortResults } from './short-connections.ts'
import { type StreamResults, Streams } from './streams.ts'

export interface StormOptions {
  readonly reloads: number
  readonly seconds: number
  readonly streams: number
}

export interface StormResult {
  readonly tookMs: number
  /** Reloads that did what their file asks for, by what that is. */
  readonly served: Readonly<Record<Change, number>>
  readonly refused: Readonly<Record<Fault, number>>
  readonly short: { readonly edge: ShortResults; readonly moved: ShortResults }
  readonly streams: StreamResults
  /** Lines of the access log, by cause. */
  readonly causes: Readonly<Record<string, number>>
  /** What must not have happened, one sentence each. */
  readonly failures: readonly string[]
}

/** Short connections to each listener that come at once, 20 times a second. */
const WAVE = 6
const ANSWER_TIMEOUT_MS = 10_000

/** Reloads a load balancer over and over, with valid and invalid files in turn, under a steady load. */
export async function runStorm(t: Cleanup, options: StormOptions): Promise<StormResult> {
  const streams = new Streams(t)
  const places = await findPlaces(t, streams)
  const lb = await LoadBalancerProcess.start(t, { config: fileOf(firstState, places) })
  for (let i = 0; i < options.streams; i++) await streams.open([places.edge, places.moved, places.extra][i % 3]!)
  const names = new Set(places.backends.map((_, i) => `b${i}`))
  const edge = new ShortConnections(places.edge, WAVE, names)
  const moved = new ShortConnections(places.moved, WAVE, names)

  const driver = new Driver(lb, places)
  const startedAt = performance.now()
  for (let n = 0; n < options.reloads; n++) {
    await driver.step(n, n === options.reloads - 1)
    await pause(Math.max(0, startedAt + ((n + 1) * options.seconds * 1000) / options.reloads - performance.now()))
  }
  const tookMs = performance.now() - startedAt
  const short = { edge: await edge.finish(), moved: await moved.finish() }
  const streamResults = await streams.finish()
  await driver.checkEnd()
  const code = await lb.stop()
  if (code !== 0) driver.fail(`the load balancer exited with ${code}`)
  const causes = countCauses(lb.accessLogFile)
  const failures = [
    ...driver.failures,
    ...judgeLoad(short, streamResults),
    ...judgeCauses(causes, short, streamResults),
    ...(tookMs > options.seconds * 1100
      ? [`the reloads took ${Math.round(tookMs / 1000)} s, not ${options.seconds}`]
      : []),
  ]
  return { tookMs, served: driver.served, refused: driver.refused, short, streams: streamResults, causes, failures }
}

async function findPlaces(t: Cleanup, streams: Streams): Promise<Places> {
  // Ports that no outgoing connection takes while a listener is away.
  const sandbox = new Sandbox()
  atEnd(t, () => sandbox.close())
  const occupant = createServer().listen(0, '127.0.0.1')
  await once(occupant, 'listening')
  atEnd(t, () => occupant.close())
  return {
    edge: await sandbox.freePort(),
    moved: await sandbox.freePort(),
    extra: await sandbox.freePort(),
    occupied: (occupant.address() as AddressInfo).port,
    backends: await Promise.all([0, 1, 2, 3].map((i) => startStormBackend(t, `b${i}`, streams))),
    poison: await startStormBackend(t, 'poison', streams),
  }
}

/** Writes the files, one after the other, and sees what becomes of them. */
class Driver {
  readonly served: Record<Change, number> = { listener: 0, rebind: 0, upstream: 0, workers: 0 }
  readonly refused: Record<Fault, number> = { yaml: 0, upstream: 0, port: 0, log: 0 }
  readonly failures: string[] = []
  readonly #lb: LoadBalancerProcess
  readonly #places: Places
  #state = firstState

  constructor(lb: LoadBalancerProcess, places: Places) {
    this.#lb = lb
    this.#places = places
  }

  fail(what: string): void {
    this.failures.push(what)
  }

  /** Step `n`: every third file is invalid, but never the last. */
  async step(n: number, isLast: boolean): Promise<void> {
    const turn = Math.floor(n / 3)
    if (n % 3 === 2 && !isLast) await this.#refuse(n, faults[turn % faults.length]!)
    else await this.#serve(n, changes[(2 * turn + (n % 3)) % changes.length]!)
  }

  /** The last valid file serves, and nothing is left of the others. */
  async checkEnd(): Promise<void> {
    await this.#expect(
      'at the end all connections are gone',
      async () => (await this.#lb.status()).connections.active === 0,
    )
    const { connections, generations, workers, listeners, accessLog } = await this.#lb.status()
    const { marker, extra, workers: wanted } = this.#state
    if (connections.limit !== marker) this.fail(`file ${connections.limit} serves at the end, not ${marker}`)
    if (generations.length > 0) this.fail(`generations are left: ${JSON.stringify(generations)}`)
    if (workers.some(({ restarts }) => restarts > 0)) this.fail('a worker threw')
    if (listeners.length !== (extra ? 3 : 2)) this.fail(`there are ${listeners.length} listeners`)
    if (accessLog.dropped > 0) this.fail(`${accessLog.dropped} lines of the access log were dropped`)
    await this.#expect(`there are ${wanted} workers`, async () => (await this.#lb.status()).workers.length === wanted)
  }

  async #serve(n: number, change: Change): Promise<void> {
    this.#state = changed(this.#state, change)
    this.#save(n, fileOf(this.#state, this.#places))
    const { marker } = this.#state
    const isServed = await this.#expect(
      `file ${marker}, which changes the ${change}, is served`,
      async () => (await this.#lb.status()).connections.limit === marker,
    )
    if (isServed) this.served[change]++
  }

  async #refuse(n: number, fault: Fault): Promise<void> {
    const before = countRefusals(this.#lb.stderr)
    this.#save(n, faultyFileOf(this.#state, this.#places, fault))
    const isRefused = await this.#expect(
      `the file with a fault of kind ${fault} is refused`,
      () => countRefusals(this.#lb.stderr) > before,
    )
    const { limit } = (await this.#lb.status()).connections
    if (limit !== this.#state.marker) this.fail(`file ${limit} serves after one that was refused`)
    else if (isRefused) this.refused[fault]++
  }

  /** By a save in place, by a rename, or by a save and SIGHUP. */
  #save(n: number, text: string): void {
    this.#lb.writeConfig(text, n % 2 === 0 ? 'in-place' : 'rename')
    if (n % 4 > 1) this.#lb.child.kill('SIGHUP')
  }

  async #expect(what: string, condition: () => boolean | Promise<boolean>): Promise<boolean> {
    try {
      await waitUntil(what, condition, ANSWER_TIMEOUT_MS)
      return true
    } catch (error) {
      this.fail((error as Error).message)
      return false
    }
  }
}

function countRefusals(log: string): number {
  return log.split('Refused the configuration').length - 1
}

function countCauses(file: string): Record<string, number> {
  const causes: Record<string, number> = {}
  for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
    const { cause } = JSON.parse(line) as { cause: string }
    causes[cause] = (causes[cause] ?? 0) + 1
  }
  return causes
}

function judgeLoad(short: StormResult['short'], streams: StreamResults): string[] {
  const bad = ['refused', 'reset', 'truncated', 'mismatched', 'hung'] as const
  const ofShort = Object.entries(short).flatMap(([listener, results]) =>
    bad.filter((what) => results[what] > 0).map((what) => `${results[what]} short connections to ${listener}: ${what}`),
  )
  const ofStreams = (['refused', 'reset', 'truncated', 'mismatched'] as const)
    .filter((what) => streams[what] > 0)
    .map((what) => `${streams[what]} streams: ${what}`)
  const idle = Object.entries(short).filter(([, { ok }]) => ok === 0)
  return [...ofShort, ...ofStreams, ...idle.map(([listener]) => `nobody got through to ${listener}`)]
}

/** Every connection ends in order, and has its line. */
function judgeCauses(causes: Record<string, number>, short: StormResult['short'], streams: StreamResults): string[] {
  const wanted = short.edge.ok + short.moved.ok + streams.count
  const lines = causes['client-closed'] ?? 0
  const others = Object.keys(causes).filter((cause) => cause !== 'client-closed')
  return [
    ...others.map((cause) => `${causes[cause]} connections ended by ${cause}`),
    ...(lines === wanted ? [] : [`the access log has ${lines} lines for ${wanted} connections`]),
  ]
}
