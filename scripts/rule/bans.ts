import { codeOf, lineAt, type SourceFile, type Violation } from './source.ts'

const deferred = /\b(?:async|await|Promise|setTimeout|setInterval|setImmediate|queueMicrotask|nextTick)\b/g
const finalized = /\b(?:FinalizationRegistry|WeakRef|EventEmitter)\b/g
const written = /\bconsole\b/g
const foreign = /\bkoffi\b/g
const ambient = /\b(?:Date\.now|performance\.now|hrtime|Math\.random|setTimeout|setInterval|setImmediate)\b/g

const neverRuns = 'a thread that never returns to its loop runs none of these'
const pure = 'pure code takes the time and random numbers as arguments'

/** What the code of each folder of src must not hold, and why. */
const bans: Readonly<Record<string, readonly (readonly [RegExp, string])[]>> = {
  dataplane: loop([foreign, 'only src/kernel knows koffi']),
  tls: loop([foreign, 'only src/kernel knows koffi']),
  kernel: loop(),
  balance: loop([ambient, pure]),
  protocol: loop([ambient, pure]),
  shared: loop([ambient, pure]),
  model: [[ambient, pure]],
}

/** Every word in `files` (paths relative to src) that its folder must not hold. Comments and strings are not code. */
export function checkBans(files: readonly SourceFile[]): Violation[] {
  const violations: Violation[] = []
  for (const { path, text } of files) {
    const code = codeOf(text)
    for (const [pattern, rule] of bans[path.split('/')[0] ?? ''] ?? []) {
      for (const match of code.matchAll(pattern)) {
        violations.push({ path, line: lineAt(text, match.index), message: `holds ${match[0]}`, rule })
      }
    }
  }
  return violations
}

function loop(...more: (readonly [RegExp, string])[]): readonly (readonly [RegExp, string])[] {
  return [[deferred, neverRuns], [finalized, neverRuns], [written, neverRuns], ...more]
}
