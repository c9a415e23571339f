import { patience } from './harsh.ts'
import { waitUntil } from './wait-until.ts'

const STILL_MS = 250
const TIMEOUT_MS = 20_000

/** Waits until a number that has risen above zero rises no more, and returns it. */
export async function waitUntilStill(what: string, read: () => number | Promise<number>): Promise<number> {
  let last = 0
  let since = performance.now()
  const isStill = async () => {
    const value = await read()
    if (value !== last) since = performance.now()
    last = value
    return last > 0 && performance.now() - since >= STILL_MS * patience
  }
  await waitUntil(`${what} stop`, isStill, TIMEOUT_MS * patience)
  return last
}
