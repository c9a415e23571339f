import type { BalanceAlgorithm } from '../model/config.ts'
import type { Algorithm, AlgorithmParts } from './balancer.ts'
import { LeastConnections } from './least-connections.ts'
import { LeastLatency } from './least-latency.ts'
import { Random } from './random.ts'
import { RandomTwo } from './random-two.ts'
import { RoundRobin } from './round-robin.ts'
import { SourceHash } from './source-hash.ts'

/** Every algorithm by the name that the file gives it. */
const algorithms: Readonly<Record<BalanceAlgorithm, new (parts: AlgorithmParts) => Algorithm>> = {
  'round-robin': RoundRobin,
  'least-connections': LeastConnections,
  random: Random,
  'random-two': RandomTwo,
  'source-hash': SourceHash,
  'least-latency': LeastLatency,
}

export const algorithmNames = Object.keys(algorithms) as readonly BalanceAlgorithm[]

export function createAlgorithm(name: BalanceAlgorithm, parts: AlgorithmParts): Algorithm {
  return new algorithms[name](parts)
}
