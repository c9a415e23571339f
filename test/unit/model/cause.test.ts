import assert from 'node:assert/strict'
import test from 'node:test'
import { CauseCode, causes } from '#src/model/cause.js'

test('causes have the codes 0, 1, 2, …, each that of one key', () => {
  assert.deepEqual(
    causes.map(({ code }) => code),
    [...causes.keys()],
  )
  assert.deepEqual(
    Object.values(CauseCode).sort((a, b) => a - b),
    [...causes.keys()],
  )
  // A slot keeps the code in a byte.
  assert.ok(causes.length <= 256)
})

test('causes have names of their own, in kebab case, that say what their keys say', () => {
  assert.equal(new Set(causes.map(({ name }) => name)).size, causes.length)
  for (const [key, code] of Object.entries(CauseCode)) {
    assert.equal(
      causes[code]!.name,
      key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`),
    )
  }
})

test('causes have a termination code of two characters that HAProxy prints', () => {
  for (const { name, tcplog } of causes) assert.match(tcplog, /^(?:--|[CScsRIKPD][RQCHDLT])$/, name)
})

test('causes have a description, and the phase that their termination code names', () => {
  for (const { name, description, tcplog, phase } of causes) {
    assert.match(description, /^[A-Z].*\.$/, name)
    if (tcplog !== '--') assert.equal(/[CQ]/.test(tcplog[1]!) ? 'connect' : 'relay', phase, name)
  }
})
