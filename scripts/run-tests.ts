import { spawn } from 'node:child_process'
import { selectTests } from './rule/selection.ts'
import { readSources } from './rule/source.ts'

/**
 * Runs the built tests under Node's own runner: `run-tests.js [--node-option …] [part of a file name …]`. The list
 * comes from the sources, because the runner of Node 20 takes no globs and a deleted test may still lie in build/.
 */
const kinds = ['unit', 'integration', 'regression', 'simulation']
const paths = kinds.flatMap((kind) => readSources(`test/${kind}`).map(({ path }) => `test/${kind}/${path}`))
const { options, files } = selectTests(paths, process.argv.slice(2))

if (files.length === 0) {
  console.error('No test file has that in its name.')
  process.exitCode = 1
} else {
  // Two files at a time: integration tests are timed, and must not starve each other on a small machine.
  const runner = ['--test', '--test-concurrency=2', '--test-timeout=300000', '--test-reporter=spec']
  const child = spawn(process.execPath, [...runner, ...options, ...files], { stdio: 'inherit' })
  child.on('exit', (code) => {
    process.exitCode = code ?? 1
  })
}
