import assert from 'node:assert/strict'
import test from 'node:test'
import { selectTests } from '../../../scripts/rule/selection.ts'

const paths = ['test/unit/a.test.ts', 'test/unit/helper.ts', 'test/integration/reload.test.ts']

test('selectTests() takes every test file when no word is given', () => {
  const files = ['build/test/unit/a.test.js', 'build/test/integration/reload.test.js']
  assert.deepEqual(selectTests(paths, []), { options: [], files })
})

test('selectTests() takes a part of a name, a source path and a built path', () => {
  for (const word of ['reload', 'test/integration/reload.test.ts', './build/test/integration/reload.test.js']) {
    assert.deepEqual(selectTests(paths, [word]).files, ['build/test/integration/reload.test.js'])
  }
})

test('selectTests() passes options on to Node', () => {
  const selection = selectTests(paths, ['--test-only', 'unit'])
  assert.deepEqual(selection, { options: ['--test-only'], files: ['build/test/unit/a.test.js'] })
})
