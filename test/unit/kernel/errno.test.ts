import assert from 'node:assert/strict'
import test from 'node:test'
import { Errno, errnoName } from '#src/kernel/errno.js'

test('errnoName() names what the man pages of socket calls speak of', () => {
  const names = [
    'EAGAIN',
    'EOPNOTSUPP',
    'ECONNREFUSED',
    'ECONNRESET',
    'EPIPE',
    'EMFILE',
    'ETIMEDOUT',
    'EADDRINUSE',
  ] as const
  for (const name of names) assert.equal(errnoName(Errno[name]), name)
  assert.deepEqual([Errno.EAGAIN, Errno.ECONNREFUSED], [11, 111])
})

test('errnoName() gives the number of an errno that has no name', () => {
  assert.equal(errnoName(4095), 'errno 4095')
  assert.equal(errnoName(0), 'errno 0')
})
