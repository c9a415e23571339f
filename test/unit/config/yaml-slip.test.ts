import assert from 'node:assert/strict'
import { test } from 'node:test'
import { faultsOf, minimal } from './fixture.ts'

const head = minimal.slice(0, minimal.indexOf('      - '))

/** The faults of lines below `servers:`, the first of which is line 9. */
function servers(...lines: string[]): string[] {
  return faultsOf(`${head}${lines.map((line) => `${line}\n`).join('')}`)
}

const indentation = 'the indentation does not fit the lines above'
const asKey = `${indentation} | indent it as far as the key in line 9: 8 blanks`
const asDash = `${indentation} | indent it as far as the "-" in line 9: 6 blanks`

test('parseConfig() points at the key of a list entry that is indented less than the one above', () => {
  assert.deepEqual(servers('      - address: "10.0.0.1:1"', '       weight: 2'), [`10:8  | ${asKey}`])
  assert.deepEqual(servers('      - address: "10.0.0.1:1"', '       weight: 2', '      - address: "10.0.0.2:1"'), [
    `10:8  | ${asKey}`,
  ])
})

test('parseConfig() points at the key that is indented further than the one above', () => {
  for (const address of ['"10.0.0.1:1"', '10.0.0.1:1', '10.0.0.1:1 # ours']) {
    assert.deepEqual(servers(`      - address: ${address}`, '          weight: 2'), [`10:11  | ${asKey}`], address)
  }
  assert.deepEqual(servers('      - address: 10.0.0.1:1', '', '  # ours', '         weight: 2'), [`12:10  | ${asKey}`])
  assert.deepEqual(servers('      - address: "10.0.0.1:1"', '        weight: 2', '          backup: true'), [
    `11:11  | ${indentation} | indent it as far as the key in line 10: 8 blanks`,
  ])
})

test('parseConfig() points at the list entry that is indented unlike the others', () => {
  assert.deepEqual(servers('      - address: "10.0.0.1:1"', '     - address: "10.0.0.2:1"'), [`10:6  | ${asDash}`])
  assert.deepEqual(servers('      - address: "10.0.0.1:1"', '       - address: "10.0.0.2:1"'), [`10:8  | ${asDash}`])
})

test('parseConfig() says where a comma is missing', () => {
  const comma = 'a comma may be missing | put a comma before'
  assert.deepEqual(servers('      - { address: 10.0.0.1:1 weight: 2 }'), [`9:31  | ${comma} weight`])
  assert.deepEqual(servers('      - { address: "10.0.0.1:1" weight: 2 }'), [`9:33  | ${comma} weight`])
  assert.deepEqual(servers('      - { address: "10.0.0.1:1", weight: 2 backup: true }'), [`9:44  | ${comma} backup`])
  assert.deepEqual(servers('      - { address: "10.0.0.1:1"', '          weight: 2 }'), [`10:11  | ${comma} this`])
  assert.deepEqual(servers('      - { address: {} weight: 2 }'), [`9:23  | ${comma} weight`])
  assert.doesNotMatch(servers('      - { address: a hunter2: 2 }').join(), /hunter2/)
})

test('parseConfig() says that a blank is missing after a dash', () => {
  const hint = /\| put a blank after the -$/
  assert.match(servers('      -address: "10.0.0.1:1"').join(), hint)
  assert.match(servers('      - address: "10.0.0.1:1"', '      -address: "10.0.0.2:1"').join(), /^10:7 /)
  assert.match(servers('      - address: "10.0.0.1:1"', '      -address: "10.0.0.2:1"').join(), hint)
})

test('parseConfig() points at the quotation mark that is not closed', () => {
  const open = ['9:18  | a quotation mark is not closed | add the closing one']
  assert.deepEqual(servers('      - address: "10.0.0.1:1'), open)
  assert.deepEqual(servers("      - address: '10.0.0.1:1", '        weight: 1'), open)
  assert.deepEqual(servers('      - address: "10.0.0.1:1', '      - address: "10.0.0.2:1"'), open)
})

test('parseConfig() points at the bracket that is not closed', () => {
  const open = (place: string, closing: string) =>
    `${place}  | a bracket is not closed | add the closing "${closing}", on a line that is indented further than its key`
  assert.deepEqual(servers('      - { address: "10.0.0.1:1"', '      - { address: "10.0.0.2:1" }'), [open('9:9', '}')])
  assert.deepEqual(servers('      [ { address: "10.0.0.1:1" }, # ]', '', ''), [open('9:7', ']')])
  assert.deepEqual(servers('      [{ address: "]}" ]'), [open('9:8', '}')])
  assert.deepEqual(servers('      [[],', '    ]'), [
    '9:8 upstreams.chat.servers[0] | a list is not a map of keys and values | write a map of keys and values',
  ])
})

test('parseConfig() shows a list of servers where they are a map', () => {
  assert.match(
    servers('      address: "10.0.0.1:1"').join(),
    /\| write a list of servers: \[\{ address: "10\.0\.0\.1:9100" \}\]$/,
  )
})
