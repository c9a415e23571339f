import { lineAt, type SourceFile, type Violation } from './source.ts'

/** The list of behaviours: which numbers stand, and what each number says. */
export interface Behaviours {
  readonly standing: readonly number[]
  readonly texts: Readonly<Record<string, string>>
}

// A skipped or planned test proves nothing: `test.skip(` and `test.todo(` do not match.
const numberedTest = /\b(?:test|it)\(\s*(['"`])(\d+)\. /g

/** Standing behaviours without a test, and tests whose number no behaviour has. */
export function checkBehaviours(tests: readonly SourceFile[], { standing, texts }: Behaviours): Violation[] {
  const tested = new Set<number>()
  const violations: Violation[] = []
  for (const { path, text } of tests) {
    for (const match of text.matchAll(numberedTest)) {
      const number = Number(match[2])
      tested.add(number)
      if (texts[number] !== undefined) continue
      const message = `names behaviour ${number}, which the list does not have`
      violations.push({ path, line: lineAt(text, match.index), message, rule: 'test/behaviours.json' })
    }
  }
  for (const number of standing.filter((each) => !tested.has(each))) {
    const message = `no test is named '${number}. …': ${texts[number] ?? 'a number without a text'}`
    violations.push({ path: '', line: 1, message, rule: 'every standing behaviour has a test' })
  }
  return violations
}
