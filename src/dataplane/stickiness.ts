import { AF_INET, AF_INET6 } from '../kernel/constants.ts'
import type { BackendSnapshot } from '../model/snapshot.ts'
import { ClientKey } from '../shared/client-key.ts'
import type { Core } from './core.ts'
import type { ServingUpstream } from './serving.ts'

/** Brings clients back to the backend that they had, as far as it can take them. */
export class Stickiness {
  readonly #core: Core
  readonly #key = new ClientKey()

  constructor(core: Core) {
    this.#core = core
  }

  /** The backend that the client had, with a place taken at it; undefined where it had none, or it cannot take it. */
  choose(connection: number, upstream: ServingUpstream): BackendSnapshot | undefined {
    const { clients, nowMs, panics, table } = this.#core
    const { row, stickyTtlMs } = upstream.policy
    if (!this.#setKey(connection, upstream) || !clients.find(this.#key, nowMs, stickyTtlMs)) return undefined
    const member = upstream.memberWith(clients.incarnation)
    if (member === undefined) return undefined
    const { backend, group } = member
    const inPanic = ((panics[row]! >>> group) & 1) === 1
    if (!table.mayComeBack(backend.row, inPanic)) return undefined
    return table.acquire(backend.row, backend.maxConnections) ? backend : undefined
  }

  /** The client is connected to its backend: it comes back to this one. */
  remember(connection: number, upstream: ServingUpstream): void {
    const { clients, nowMs, slots, table } = this.#core
    const row = slots.backendRow[connection]!
    if (this.#setKey(connection, upstream)) clients.remember(this.#key, row, table.id(row), nowMs)
  }

  /** False for a client without an address: one on a unix socket. */
  #setKey(connection: number, { policy }: ServingUpstream): boolean {
    const { clientAddress, clientBytes } = this.#core.slots
    const family = clientAddress[5 * connection]! & 0xffff
    const at = 20 * connection + 4
    if (family === AF_INET) this.#key.setIpv4(policy.row, clientBytes, at, policy.sourcePrefix)
    else if (family === AF_INET6) this.#key.setIpv6(policy.row, clientBytes, at, policy.sourcePrefix)
    else return false
    return true
  }
}
