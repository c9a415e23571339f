import { setTimeout as pause } from 'node:timers/promises'

/** Waits until `condition` holds, looking every few milliseconds. Rejects with what was waited for after `timeoutMs`. */
export async function waitUntil(what: string, condition: () => boolean | Promise<boolean>, timeoutMs = 15_000) {
  const end = performance.now() + timeoutMs
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`Waited ${timeoutMs} ms in vain: ${what}`)
    await pause(5)
  }
}
