import type { HealthConfig } from '../../model/config.ts'
import type { Channel } from '../channel.ts'
import { quoteAnswer, quoteBytes, StepFailure } from '../reason.ts'

/** Longest line of an answer; Redis's own errors are shorter. */
const LINE_BYTES = 1024
/** Longest name of a role. */
const ROLE_BYTES = 32

/** What ROLE calls the roles of the file. */
const roleNames = { master: 'master', replica: 'slave' } as const

/** Logs in where there is a password, sends PING, and asks for the role where one is wanted (redis.io, RESP2). */
export async function askRedis(channel: Channel, { redis }: HealthConfig): Promise<void> {
  const { role, username, password } = redis
  if (password !== '') {
    const words = username === '' ? ['AUTH', password] : ['AUTH', username, password]
    await expectLine(channel, 'login', words, '+OK', password)
  }
  await expectLine(channel, 'ping', ['PING'], '+PONG', password)
  if (role === 'any') return
  const actual = await readRole(channel, password)
  if (actual !== roleNames[role])
    throw new StepFailure('role', `expected ${role}, got ${quoteBytes(Buffer.from(actual))}`)
}

async function expectLine(channel: Channel, step: string, words: string[], expected: string, secret: string) {
  channel.step = step
  await channel.send(command(words))
  const line = await channel.takeLine(LINE_BYTES)
  if (!line.equals(Buffer.from(expected)))
    throw new StepFailure(step, `expected "${expected}", got ${quoteAnswer(line, secret)}`)
}

/** The role is the first element of the answer; what follows it is not read. */
async function readRole(channel: Channel, secret: string): Promise<string> {
  channel.step = 'role'
  await channel.send(command(['ROLE']))
  const head = await channel.takeLine(LINE_BYTES)
  if (!/^\*[1-9]\d{0,3}$/.test(head.toString('latin1')))
    throw new StepFailure('role', `expected a list, got ${quoteAnswer(head, secret)}`)
  const size = /^\$(\d{1,2})$/.exec((await channel.takeLine(LINE_BYTES)).toString('latin1'))?.[1]
  if (size === undefined || Number(size) > ROLE_BYTES) throw new StepFailure('role', 'expected the name of a role')
  return (await channel.take(Number(size))).toString('latin1')
}

function command(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`
}
