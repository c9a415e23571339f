import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bindFailed } from '#src/control/bind-failed.js'
import { Errno } from '#src/kernel/errno.js'

const tcp = { family: 'ipv4', host: '0.0.0.0', port: 80 } as const
const unix = { family: 'unix', path: '/run/chat.sock' } as const

test('bindFailed() says what helps where permission is denied, and only that', () => {
  const ofPort = 'permission denied; grant CAP_NET_BIND_SERVICE, or use a port above 1023'
  const ofFile = 'permission denied; let the user that runs mcs-lb write to the directory'
  for (const errno of [Errno.EACCES, Errno.EPERM]) {
    assert.equal(bindFailed('edge', tcp, errno).message, `Cannot bind listener "edge" to 0.0.0.0:80: ${ofPort}`)
    assert.equal(
      bindFailed('edge', unix, errno).message,
      `Cannot bind listener "edge" to unix:/run/chat.sock: ${ofFile}`,
    )
  }
})
