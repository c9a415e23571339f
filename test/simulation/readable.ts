import { EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLPRI, EPOLLRDHUP } from '#src/kernel/constants.js'
import type { SimFile } from './sim-file.ts'

/** A file as a trace names it: its label, its descriptor, and the low half of its data word. */
export function describe(file: SimFile | null): string {
  return file === null ? '?' : `${file.label} (${file.fd}, ${file.low})`
}

/** `IN|RDHUP` for a mask of epoll's. */
export function maskNames(mask: number): string {
  const names: string[] = []
  if (mask & EPOLLIN) names.push('IN')
  if (mask & EPOLLOUT) names.push('OUT')
  if (mask & EPOLLPRI) names.push('PRI')
  if (mask & EPOLLRDHUP) names.push('RDHUP')
  if (mask & EPOLLHUP) names.push('HUP')
  if (mask & EPOLLERR) names.push('ERR')
  return names.join('|')
}
