import { fileURLToPath } from 'node:url'
import { runDemo } from '../lab/demo.ts'
import { printLine } from './print.ts'

/** `mcs-lb demo`: exits with what the load balancer exited with. */
export function demo(options: { readonly port: number }): Promise<number> {
  const main = fileURLToPath(new URL('../main.js', import.meta.url))
  return runDemo({ port: options.port, program: [process.execPath, main], print: printLine })
}
