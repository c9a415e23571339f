import { setTimeout as wait } from 'node:timers/promises'

/** Waits until a condition holds, looking every few milliseconds; throws after the deadline. */
export async function eventually(what: string, condition: () => boolean, deadlineMs = 10_000): Promise<void> {
  const end = Date.now() + deadlineMs
  while (!condition()) {
    if (Date.now() > end) throw new Error(`Waited ${deadlineMs} ms in vain: ${what}`)
    await wait(5)
  }
}
