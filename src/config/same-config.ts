import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../model/config.ts'

/** Whether two configurations say the same, so that nothing has to be done. The order of names and servers counts. */
export function sameConfig(a: Config, b: Config): boolean {
  return isDeepStrictEqual(a, b)
}
