import { readFileSync } from 'node:fs'

/** The version in package.json, which stands two folders above the built file. */
function versionOnDisk(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}

/** The version of the program that runs, whatever is on disk since. */
export const programVersion = versionOnDisk()

/**
 * Why no thread can start: it would load its code from the disk, and after an upgrade without a restart that is not the
 * code of main, whose memory it shares. Null where all is well.
 */
export function whyNoThread(readVersion: () => string = versionOnDisk): string | null {
  try {
    const version = readVersion()
    if (version === programVersion) return null
    return `version ${version} of mcs-lb is on disk, and ${programVersion} runs; restart it`
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return `the program is no more on disk as it was (${reason}); restart mcs-lb once it is installed`
  }
}
