import { harmless } from './harmless.ts'

export type Cell = string | number

/** Columns of figures. */
const rightAligned = new Set([
  'FOR',
  'WEIGHT',
  'PRIORITY',
  'ACTIVE',
  'MAX',
  'ACCEPTED',
  'TURNED AWAY',
  'CONNECTIONS',
  'TOTAL',
  'FAILURES',
  'MEMBERS',
  'FOUND',
  'RESTARTS',
  'UP',
  'DOWN',
])

/** Columns as wide as their widest cell, two blanks apart; empty where there are no rows. */
export function formatTable(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  if (rows.length === 0) return ''
  const table = [head, ...rows].map((row) => row.map((cell) => harmless(`${cell}`)))
  const widths = head.map((_, column) => table.reduce((widest, row) => Math.max(widest, row[column]!.length), 0))
  const isRight = head.map((title) => rightAligned.has(title))
  return table
    .map((row) =>
      row
        .map((cell, column) => (isRight[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** `999 B`, `1.5 MiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`
}

/** How long something lasts, in its two largest units: `41s`, `12m`, `3h5m`, `2d3h`. */
export function formatAge(ms: number): string {
  const seconds = Math.floor(Math.max(0, ms) / 1000)
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  if (minutes === 0) return `${seconds}s`
  if (hours === 0) return `${minutes}m`
  return hours < 24 ? `${hours}h${minutes % 60}m` : `${Math.floor(hours / 24)}d${hours % 24}h`
}
