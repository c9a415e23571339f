import type { Service } from '../control/service.ts'
import { McsError } from '../model/errors.ts'

/** An answer of the admin API; `body` becomes JSON. */
export interface Answer {
  /** HTTP status. */
  readonly status: number
  readonly body: unknown
  /** The Allow header of a 405. */
  readonly allow?: string
}

/** One operation of the admin API. */
export interface Route {
  readonly method: 'GET' | 'POST'
  readonly path: string
  handle(service: Service): Promise<Answer>
}

const routes: readonly Route[] = [
  { method: 'GET', path: '/status', handle: async (service) => ({ status: 200, body: await service.status() }) },
  { method: 'GET', path: '/healthz', handle: healthz },
  { method: 'POST', path: '/reload', handle: reload },
  { method: 'POST', path: '/reopen', handle: reopen },
]

/** The route for a request, or the 404 or 405 that answers it. A query is not looked at. */
export function findRoute(method: string, target: string): Route | Answer {
  const path = target.split('?', 1)[0]
  const route = routes.find((candidate) => candidate.path === path)
  if (route === undefined) {
    const known = routes.map((candidate) => `${candidate.method} ${candidate.path}`).join(', ')
    return { status: 404, body: { error: { message: `No such path; there are ${known}` } } }
  }
  if (route.method === method) return route
  return {
    status: 405,
    allow: route.method,
    body: { error: { message: `${route.path} takes ${route.method} only` } },
  }
}

/** The answer to a request that threw: 500, with the code where the error is one of the program's own. */
export function answerFailure(error: unknown): Answer {
  if (error instanceof McsError) return { status: 500, body: { error: { code: error.code, message: error.message } } }
  return { status: 500, body: { error: { message: "The request failed; the program's log says why" } } }
}

async function healthz(service: Service): Promise<Answer> {
  const { state } = await service.status()
  return { status: state === 'serving' ? 200 : 503, body: { state } }
}

async function reload(service: Service): Promise<Answer> {
  const result = await service.reload('admin')
  return { status: result.outcome === 'refused' ? 422 : 200, body: result }
}

async function reopen(service: Service): Promise<Answer> {
  await service.reopenLogs()
  return { status: 200, body: { outcome: 'reopened' } }
}
