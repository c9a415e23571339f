import type { HealthConfig } from '../../model/config.ts'
import type { Channel } from '../channel.ts'
import { quoteBytes, StepFailure } from '../reason.ts'

/** Takes the configured steps in order; a step is named by its kind and its place among all: `send 1`, `expect 2`. */
export async function sendAndExpect(channel: Channel, { steps }: HealthConfig): Promise<void> {
  for (const [index, step] of steps.entries()) {
    const isSend = 'send' in step
    channel.step = `${isSend ? 'send' : 'expect'} ${index + 1}`
    if (isSend) await channel.send(step.send)
    else await expectBytes(channel, step.expect)
  }
}

/** Waits until the bytes have come, or others have. Fewer are waited for to the deadline. */
async function expectBytes(channel: Channel, expected: Uint8Array): Promise<void> {
  for (;;) {
    const got = channel.received.subarray(0, expected.length)
    if (!got.equals(expected.subarray(0, got.length)))
      throw new StepFailure(channel.step, `expected ${quoteBytes(expected)}, got ${quoteBytes(channel.received)}`)
    if (got.length === expected.length) break
    if (!(await channel.more()))
      throw new StepFailure(
        channel.step,
        `expected ${quoteBytes(expected)}, closed after ${quoteBytes(channel.received)}`,
      )
  }
  channel.skip(expected.length)
}
