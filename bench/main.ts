import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { judge, type Sample } from './bars.ts'
import { describeMachine } from './machine.ts'
import { type Options, parseOptions, usage } from './options.ts'
import { medianTable, verdictTable } from './report.ts'
import { runBench } from './run.ts'
import { Sandbox } from './sandbox.ts'

const results = fileURLToPath(new URL('../../bench/results/', import.meta.url))

// Debian puts servers in sbin, which is not in the PATH of every user.
process.env.PATH = `${process.env.PATH}:/usr/local/sbin:/usr/sbin`

try {
  const options = parseOptions(process.argv.slice(2))
  await main(options)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  if (error instanceof TypeError) console.error(usage)
  process.exitCode = 1
}

async function main(options: Options): Promise<void> {
  const sandbox = new Sandbox()
  const interrupt = () => void sandbox.close().finally(() => process.exit(130))
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  try {
    publish(options, await runBench(options, sandbox, (line) => console.error(line)))
  } finally {
    await sandbox.close()
  }
}

function publish(options: Options, samples: readonly Sample[]): void {
  const verdicts = judge(samples)
  console.log(medianTable(samples))
  if (verdicts.length > 0) console.log(`\n${verdictTable(verdicts, process.stdout.isTTY)}`)
  const machine = describeMachine()
  const date = new Date().toISOString()
  const json = `${JSON.stringify({ date, machine, options, verdicts, samples }, undefined, 1)}\n`
  if (options.json !== undefined) writeFileSync(options.json, json)
  if (options.smoke) return
  mkdirSync(results, { recursive: true })
  const file = join(results, `${date.slice(0, 10)}-${machine.commit}.json`)
  writeFileSync(file, json)
  console.error(`rounds written to ${file}`)
}
