import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { atEnd, type Cleanup } from './cleanup.ts'

/** A directory of the test's own, which goes with it. */
export function temporaryDirectory(t: Cleanup): string {
  const directory = mkdtempSync(join(tmpdir(), 'mcs-lb-'))
  atEnd(t, () => rmSync(directory, { recursive: true, force: true }))
  return directory
}
