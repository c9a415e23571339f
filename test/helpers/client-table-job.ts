import { ClientKey } from '#src/shared/client-key.js'
import { ClientTable } from '#src/shared/client-table.js'

/** Finds and remembers clients at random, each with a backend that says whose it is and when it was seen. */
export interface HammerJob {
  readonly type: 'hammer'
  readonly table: SharedArrayBuffer
  readonly lockerId: number
  readonly clients: number
  readonly rounds: number
  /** Set to 1 by the test once this may end before its rounds do. */
  readonly stop: SharedArrayBuffer
}

export interface HammerResult {
  readonly found: number
  readonly remembered: number
  readonly restored: number
  /** Answers that nobody wrote for that client. */
  readonly wrong: number
}

const ROWS = 1000

/** A client by number. */
export function setClient(key: ClientKey, client: number): void {
  const address = [10, (client >> 16) & 255, (client >> 8) & 255, client & 255]
  key.setIpv4(client % 7, Uint8Array.from(address), 0, { ipv4: 32, ipv6: 64 })
}

/** What an entry must say, so that one of mixed writers is told. */
export function isWhole(client: number, row: number, incarnation: number, lastUseMs?: number): boolean {
  if (incarnation !== incarnationOf(client, row)) return false
  return lastUseMs === undefined || lastUseMs === lastUseOf(client, row)
}

export function hammer({ table: memory, lockerId, clients, rounds, stop }: HammerJob): HammerResult {
  const table = new ClientTable(memory, lockerId)
  const stopCell = new Int32Array(stop)
  const key = new ClientKey()
  const result = { found: 0, remembered: 0, restored: 0, wrong: 0 }
  for (let round = 0; round < rounds && Atomics.load(stopCell, 0) === 0; round++) {
    const client = Math.floor(Math.random() * clients)
    const row = Math.floor(Math.random() * ROWS)
    setClient(key, client)
    if (table.find(key, 0, Number.POSITIVE_INFINITY)) {
      result.found++
      if (!isWhole(client, table.row, table.incarnation)) result.wrong++
    }
    const [incarnation, lastUseMs] = [incarnationOf(client, row), lastUseOf(client, row)]
    if (round % 8 !== 0) result.remembered += Number(table.remember(key, row, incarnation, lastUseMs))
    else result.restored += Number(table.restore(key, row, incarnation, lastUseMs))
  }
  return result
}

function incarnationOf(client: number, row: number): number {
  return Math.imul(client + 1, 0x9e37_79b1) ^ Math.imul(row + 1, 0x85eb_ca6b)
}

/** Wider than 32 bits, so that half of it is not enough. */
function lastUseOf(client: number, row: number): number {
  return row * 2 ** 32 + client * ROWS + row
}
