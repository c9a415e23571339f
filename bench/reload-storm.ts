import { parseArgs } from 'node:util'
import { CleanupList } from '../test/helpers/cleanup.ts'
import { measureSpread } from './storm/spread.ts'
import { runStorm } from './storm/storm.ts'
import { stormTable } from './storm/table.ts'

const usage = `node build/bench/reload-storm.js [options]
  --reloads N   files that are saved (default 200)
  --seconds N   time for them (default 60)
  --streams N   long streams that must outlive them (default 100)
  --spread N    instead: open N connections at 200/s, and see how they spread over four workers`

/** No worker may hold more than this multiple of its share. */
const SPREAD_LIMIT = 1.3

const cleanup = new CleanupList()
try {
  const { reloads, seconds, streams, spread } = parseOptions(process.argv.slice(2))
  const isGood = spread > 0 ? await showSpread(spread) : await showStorm({ reloads, seconds, streams })
  process.exitCode = isGood ? 0 : 1
} catch (error) {
  console.error(error instanceof TypeError ? `${error.message}\n${usage}` : error)
  process.exitCode = 1
} finally {
  await cleanup.run()
}

function parseOptions(args: readonly string[]) {
  const string = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...args],
    options: { reloads: string, seconds: string, streams: string, spread: string },
  })
  const number = (name: keyof typeof values, standard: number) => {
    const value = Number(values[name] ?? standard)
    if (!Number.isInteger(value) || value < 0) throw new TypeError(`--${name} is not a whole number: "${values[name]}"`)
    return value
  }
  return {
    reloads: number('reloads', 200),
    seconds: number('seconds', 60),
    streams: number('streams', 100),
    spread: number('spread', 0),
  }
}

async function showStorm(options: { reloads: number; seconds: number; streams: number }): Promise<boolean> {
  const result = await runStorm(cleanup, options)
  console.log(stormTable(result))
  return result.failures.length === 0
}

async function showSpread(connections: number): Promise<boolean> {
  const shares = await measureSpread(cleanup, { connections, perSecond: 200, workers: 4 })
  console.log(`connections of each worker, its share being 1: ${shares.map((share) => share.toFixed(2)).join(', ')}`)
  return Math.max(...shares) <= SPREAD_LIMIT
}
