import { createClientTableMemory } from '#src/shared/client-table.js'
import { createSharedTables, type SharedMemory } from '#src/shared/worker-memory.js'

/** All memory that threads share, with a small table of clients whose secret is known. */
export function createSharedMemory(): SharedMemory {
  return { ...createSharedTables(), clients: createClientTableMemory(new Uint8Array(8), 64) }
}
