import assert from 'node:assert/strict'
import test from 'node:test'
import { checkImports, findCycles, scanImports } from '../../../scripts/rule/imports.ts'

const check = (path: string, text: string) => checkImports([{ path, text }]).map(({ message }) => message)

test('scanImports() finds every form of import and export, with its line', () => {
  const text = [
    `import a, { b } from './a.ts'`,
    `import type { C } from './c.ts'`,
    `import './d.ts'`,
    `export * from "./e.ts"`,
    'export {',
    '  f,',
    `} from './f.ts'`,
    `const g = await import('./g.ts')`,
    `import { type H } from './h.ts'`,
  ].join('\n')
  assert.deepEqual(
    scanImports(text).map(({ specifier, typeOnly, line }) => `${line} ${specifier}${typeOnly ? ' type' : ''}`),
    ['1 ./a.ts', '2 ./c.ts type', '3 ./d.ts', '4 ./e.ts', '7 ./f.ts', '8 ./g.ts', '9 ./h.ts'],
  )
})

test('scanImports() is not misled by comments, strings, and exports without a module', () => {
  const text = [
    `// import x from './a.ts'`,
    `const text = "import x from './b.ts'"`,
    `export const from = 'c'`,
    'export { text }',
    `import { d } from './d.ts'`,
  ].join('\n')
  assert.deepEqual(scanImports(text), [{ specifier: './d.ts', typeOnly: false, line: 5 }])
})

test('checkImports() accepts what the design allows', () => {
  assert.deepEqual(check('control/prepare.ts', `import { a } from '../dataplane/a.ts'`), [])
  assert.deepEqual(check('shared/a.ts', `import { AF_INET } from '../kernel/constants.ts'`), [])
  assert.deepEqual(check('kernel/libc.ts', `import koffi from 'koffi'`), [])
  assert.deepEqual(check('systemd/notify.ts', `import type { Logger } from '../observe/logger.ts'`), [])
  assert.deepEqual(check('control/run.ts', `import { a } from '../admin/a.ts'`), [])
})

test('checkImports() names an import that goes upwards, its line and its rule', () => {
  const [violation] = checkImports([{ path: 'model/a.ts', text: `\nimport { b } from '../config/b.ts'` }])
  assert.deepEqual(violation, {
    path: 'model/a.ts',
    line: 2,
    message: 'model imports config/b.ts',
    rule: 'model may import itself only',
  })
})

test('checkImports() refuses each forbidden direction', () => {
  assert.deepEqual(check('control/a.ts', `import '../admin/b.ts'`), ['control imports admin/b.ts'])
  assert.deepEqual(check('shared/a.ts', `import '../kernel/libc.ts'`), ['shared imports kernel/libc.ts'])
  assert.deepEqual(check('systemd/a.ts', `import { b } from '../observe/b.ts'`), ['systemd loads observe/b.ts'])
  assert.deepEqual(check('dataplane/a.ts', `import koffi from 'koffi'`), ['dataplane imports koffi'])
  assert.deepEqual(check('protocol/a.ts', `import net from 'node:net'`), ['protocol imports node:net'])
  assert.deepEqual(check('elsewhere/a.ts', `import '../model/b.ts'`), ['elsewhere has no place among the directions'])
})

test('findCycles() reports a cycle once', () => {
  const edges = new Map([
    ['a', ['b']],
    ['b', ['c']],
    ['c', ['a']],
    ['d', ['a']],
  ])
  assert.deepEqual(
    findCycles(edges).map(({ message }) => message),
    ['imports form a cycle: a → b → c → a'],
  )
})

test('checkImports() leaves out of cycles what loads nothing inside one folder', () => {
  const cycle = (keyword: string) =>
    checkImports([
      { path: 'model/a.ts', text: `import { b } from './b.ts'` },
      { path: 'model/b.ts', text: `${keyword} { a } from './a.ts'` },
    ]).length
  assert.equal(cycle('import'), 1)
  assert.equal(cycle('import type'), 0)
})
