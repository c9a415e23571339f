import assert from 'node:assert/strict'
import { parseConfig } from '#src/config/load.js'
import type { Machine } from '#src/config/machine.js'
import type { Config } from '#src/model/config.js'
import { ConfigError, type ConfigIssue } from '#src/model/errors.js'

/** The top of the checkout, seen from the built tests. */
export const root = new URL('../../../../', import.meta.url)

/** One on which `/link` leads to `/etc/mcs-lb`, and there is no other symbolic link. Only `/missing` is empty. */
export const machine: Machine = {
  cpus: 6,
  addresses: ['192.0.2.7', '2001:db8::7'],
  realPath: (path) => path.replace(/^\/link\//, '/etc/mcs-lb/'),
  isMissing: (path) => path.startsWith('/missing/'),
}

export const minimal = `version: 1
listeners:
  edge:
    bind: 127.0.0.1:64400
    upstream: chat
upstreams:
  chat:
    servers:
      - address: 10.0.0.1:9100
`

/** The Config of a text in the folder /etc/mcs-lb. */
export function parse(text: string, env: Readonly<NodeJS.ProcessEnv> = {}): Config {
  return parseConfig(text, '/etc/mcs-lb/lb.yaml', env, machine).config
}

/** Each warning of a good text as `line:column path | message | hint`. */
export function warningsIn(text: string): string[] {
  return parseConfig(text, '/etc/mcs-lb/lb.yaml', {}, machine).warnings.map(formatIssue)
}

/** The issues of a text that must have some. */
export function issuesOf(text: string, env: Readonly<NodeJS.ProcessEnv> = {}): readonly ConfigIssue[] {
  try {
    parse(text, env)
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error))
    return error.issues
  }
  assert.fail('the text has no fault')
}

/** Each issue as `line:column path | message | hint`. */
export function faultsOf(text: string, env: Readonly<NodeJS.ProcessEnv> = {}): string[] {
  return issuesOf(text, env).map(formatIssue)
}

function formatIssue({ line, column, path, message, hint }: ConfigIssue): string {
  return `${line}:${column} ${path} | ${message} | ${hint}`
}

/** The minimal file with a line put in place of another, or behind the last. */
export function changed(line: string, replacement: string): string {
  assert.ok(minimal.includes(line), `the minimal file has ${line}`)
  return minimal.replace(line, replacement)
}
