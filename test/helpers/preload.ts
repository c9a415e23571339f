import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/**
 * Writes a module that node loads before the program, in main and in every worker thread, and returns the options for
 * that. Its text finds `isMainThread` and `workerData` imported, and modules of the program by `await program('…')`.
 */
export function preload(directory: string, text: string): string[] {
  const file = join(directory, 'preload.mjs')
  const base = new URL('.', import.meta.resolve('#src/main.js'))
  const head = `import { isMainThread, workerData } from 'node:worker_threads'
const program = (path) => import(new URL(path, ${JSON.stringify(base.href)}))
`
  writeFileSync(file, head + text)
  return ['--import', pathToFileURL(file).href]
}
