import type { HealthConfig } from '../model/config.ts'

/** What is believed of a backend, and how many results in a row have spoken against it. */
export interface Standing {
  /** `unknown` before the first result: it counts as up. */
  readonly state: 'unknown' | 'up' | 'down'
  /** Results in a row that differ from the state; below `rise` or `fall`. */
  readonly against: number
}

export const unknownStanding: Standing = { state: 'unknown', against: 0 }

/** The standing after one more result. The first result decides at once; later ones when they are enough in a row. */
export function noteResult(standing: Standing, isGood: boolean, { rise, fall }: HealthConfig): Standing {
  const shown = isGood ? 'up' : 'down'
  if (standing.state === 'unknown') return { state: shown, against: 0 }
  if (standing.state === shown) return { state: shown, against: 0 }
  const against = standing.against + 1
  return against >= (isGood ? rise : fall) ? { state: shown, against: 0 } : { state: standing.state, against }
}

export function isUp({ state }: Standing): boolean {
  return state !== 'down'
}

/**
 * The pause before the next check, ms: `fastIntervalMs` while results differ from the state, else `downIntervalMs` while
 * it is down. It varies by `jitter` of itself to either side; `random` gives a number from 0 to below 1.
 */
export function nextPauseMs(standing: Standing, config: HealthConfig, random: () => number): number {
  const pauseMs =
    standing.against > 0 ? config.fastIntervalMs : standing.state === 'down' ? config.downIntervalMs : config.intervalMs
  return pauseMs * (1 + config.jitter * (2 * random() - 1))
}
