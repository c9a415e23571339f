import assert from 'node:assert/strict'
import test from 'node:test'
import { codeOf, lineAt } from '../../../scripts/rule/source.ts'

test('codeOf() blanks comments and keeps every offset', () => {
  const text = 'a // await\nb /* await\n*/ c'
  assert.equal(codeOf(text), 'a         \nb         \n   c')
})

test('codeOf() blanks the contents of strings and keeps their quotes', () => {
  assert.equal(codeOf(`f('aw\\'ait', "x//y")`), `f('       ', "    ")`)
})

test('codeOf() blanks template text and keeps the code inside', () => {
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: the sample is source code.
  assert.equal(codeOf('`await ${f({ a: `b${c}` })} await` + await'), '`      ${f({ a: ` ${c}` })}      ` + await')
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: the sample is source code.
})

test('codeOf() takes a quote inside a regular expression for what it is', () => {
  assert.equal(codeOf(`split(/['"/]/) + await`), `split(       ) + await`)
})

test('codeOf() takes a slash between operands for a division', () => {
  assert.equal(codeOf(`a / b + await / 2 // '`), 'a / b + await / 2     ')
})

test('lineAt() counts lines from 1', () => {
  assert.deepEqual(
    [0, 1, 2, 3].map((offset) => lineAt('a\nb\n', offset)),
    [1, 1, 2, 2],
  )
})
