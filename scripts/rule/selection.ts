/** What to hand to Node's test runner. */
export interface TestSelection {
  /** Arguments that begin with a dash, for Node. */
  readonly options: readonly string[]
  /** Built files, in the order of `paths`. */
  readonly files: readonly string[]
}

/**
 * Picks the test sources whose path holds one of the words among `args`, or all when there is none, and names their
 * built files: `test/unit/a.test.ts` → `build/test/unit/a.test.js`.
 */
export function selectTests(paths: readonly string[], args: readonly string[]): TestSelection {
  const options = args.filter((arg) => arg.startsWith('-'))
  const words = args.filter((arg) => !arg.startsWith('-')).map((arg) => arg.replace(/^(?:\.\/)?(?:build\/)?/, ''))
  const files = paths
    .filter((path) => path.endsWith('.test.ts'))
    .filter((path) => words.length === 0 || words.some((word) => path.includes(word.replace(/\.js$/, '.ts'))))
    .map((path) => `build/${path.replace(/\.ts$/, '.js')}`)
  return { options, files }
}
