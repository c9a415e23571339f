import { parseArgs } from 'node:util'
import { ROUNDS_FOR_A_VERDICT } from './bars.ts'
import { type RowName, rowNames } from './rows.ts'
import { type TargetName, targetNames } from './targets.ts'

export interface Options {
  readonly rounds: number
  /** Length of each load. */
  readonly seconds: number
  readonly rows: readonly RowName[]
  readonly targets: readonly TargetName[]
  /** Connections held open by the memory and crowd rows. */
  readonly idle: { readonly memory: number; readonly crowd: number }
  /** Where the JSON goes besides bench/results; undefined for nowhere. */
  readonly json: string | undefined
  /** Everything once and as briefly as can be, to see that it works; its figures mean nothing. */
  readonly smoke: boolean
}

export const usage = `npm run bench -- [options]
  --rounds N       rounds; the bars need ${ROUNDS_FOR_A_VERDICT} (default ${ROUNDS_FOR_A_VERDICT})
  --seconds N      length of each load in whole seconds (default 3)
  --only a,b       rows: ${rowNames.join(', ')}
  --targets a,b    targets: ${targetNames.join(', ')}
  --json FILE      write the JSON to FILE too
  --smoke          one round of one second, to see that everything starts; writes no result`

/** Reads the command line. Throws an Error whose message says what would do. */
export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      only: { type: 'string' },
      targets: { type: 'string' },
      json: { type: 'string' },
      smoke: { type: 'boolean', default: false },
    },
  })
  const smoke = values.smoke
  return {
    rounds: wholeNumber('--rounds', values.rounds, smoke ? 1 : ROUNDS_FOR_A_VERDICT),
    seconds: wholeNumber('--seconds', values.seconds, smoke ? 1 : 3),
    rows: choose('--only', values.only, rowNames),
    targets: choose('--targets', values.targets, targetNames),
    idle: smoke ? { memory: 200, crowd: 200 } : { memory: 3900, crowd: 3000 },
    json: values.json,
    smoke,
  }
}

function wholeNumber(option: string, value: string | undefined, otherwise: number): number {
  if (value === undefined) return otherwise
  if (!/^[1-9]\d{0,3}$/.test(value)) throw new Error(`${option} takes a whole number from 1 to 9999, not "${value}"`)
  return Number(value)
}

function choose<T extends string>(option: string, value: string | undefined, known: readonly T[]): readonly T[] {
  if (value === undefined) return known
  const wanted = value.split(',')
  const unknown = wanted.find((name) => !known.some((each) => each === name))
  if (unknown !== undefined) throw new Error(`${option} does not know "${unknown}"; it knows ${known.join(', ')}`)
  return known.filter((name) => wanted.includes(name))
}
