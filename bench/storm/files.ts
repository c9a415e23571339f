/** Kinds of change that a valid file makes to the one before, in turn. */
export const changes = ['listener', 'rebind', 'upstream', 'workers'] as const
export type Change = (typeof changes)[number]

/** What is wrong with an invalid file, in turn. */
export const faults = ['yaml', 'upstream', 'port', 'log'] as const
export type Fault = (typeof faults)[number]

/** Addresses that files are made of. */
export interface Places {
  /** Ports of the listener that stays, of the one that is bound anew, of the one that comes and goes. */
  readonly edge: number
  readonly moved: number
  readonly extra: number
  /** A port that another program has. */
  readonly occupied: number
  /** Backends that files may serve, and one that only invalid files name. */
  readonly backends: readonly string[]
  readonly poison: string
}

/** What a valid file serves. */
export interface State {
  readonly workers: 1 | 4
  readonly host: '127.0.0.1' | '0.0.0.0'
  readonly extra: boolean
  readonly upstream: number
  /** `limits.connections`: no two files have the same, so that status tells which serves. Below what ulimit -n allows. */
  readonly marker: number
}

export const firstState: State = { workers: 1, host: '127.0.0.1', extra: true, upstream: 0, marker: 2000 }

export function changed(state: State, change: Change): State {
  const marker = state.marker + 1
  switch (change) {
    case 'listener':
      return { ...state, marker, extra: !state.extra }
    case 'rebind':
      return { ...state, marker, host: state.host === '0.0.0.0' ? '127.0.0.1' : '0.0.0.0' }
    case 'upstream':
      return { ...state, marker, upstream: state.upstream + 1 }
    case 'workers':
      return { ...state, marker, workers: state.workers === 1 ? 4 : 1 }
  }
}

/** The two backends that a state serves; `replaced` states have another name and another pair. */
function serversOf({ upstream }: State, { backends }: Places): string[] {
  return [backends[upstream % backends.length]!, backends[(upstream + 1) % backends.length]!]
}

export function fileOf(state: State, places: Places): string {
  return textOf(state, places, `web-${state.upstream % 2}`, serversOf(state, places))
}

/** A file that asks for changes everywhere, with a fault in it. None of the changes may be seen. */
export function faultyFileOf(state: State, places: Places, fault: Fault): string {
  const wanted: State = { ...state, workers: state.workers === 1 ? 4 : 1, extra: !state.extra, marker: 99 }
  const text = textOf(wanted, places, 'web', [places.poison])
  switch (fault) {
    case 'yaml':
      return `${text}  }{\n`
    case 'upstream':
      return text.replace('upstream: web', 'upstream: wbe')
    case 'port':
      return text.replace(
        'listeners:\n',
        `listeners:\n  taken: { bind: "127.0.0.1:${places.occupied}", upstream: web }\n`,
      )
    case 'log':
      return text.replace('access.log', 'missing/access.log')
  }
}

function textOf(state: State, places: Places, upstream: string, servers: readonly string[]): string {
  const { workers, host, extra, marker } = state
  const listener = (name: string, bind: string) => `  ${name}: { bind: "${bind}", upstream: ${upstream} }\n`
  return `workers: ${workers}
reload: { watch: true, debounce: 20ms }
limits: { connections: ${marker} }
log: { level: info, format: text }
accessLog: { to: @DIR@/access.log, format: json }
listeners:
${listener('edge', `127.0.0.1:${places.edge}`)}${listener('moved', `${host}:${places.moved}`)}${
  extra ? listener('extra', `127.0.0.1:${places.extra}`) : ''
}upstreams:
  ${upstream}: { servers: [${servers.map((address) => `{ address: "${address}" }`).join(', ')}] }
`
}
