import type { Ajv2020 } from 'ajv/dist/2020.js'
import { parseDuration, parseSize, suggestDuration, suggestSize } from '../model/units.ts'
import { hasControlCharacter, parseAddress, type Refusal } from './address.ts'
import { nearest } from './nearest.ts'
import { printable, quote } from './quote.ts'
import type { AddressRole, SchemaNode, UnitRule } from './schema.ts'
import {
  checkHex,
  checkHostName,
  checkHostPort,
  checkHttpPath,
  checkIp,
  checkNetwork,
  checkPercent,
  checkPlain,
  checkRange,
  checkRedisKey,
  checkRedisPrefix,
  checkRedisUrl,
} from './text-form.ts'

/** Teaches the validator this program's keywords, which say themselves what is wrong; `secret` is only a remark. */
export function addKeywords(ajv: Ajv2020): void {
  add(ajv, 'duration', (rule: UnitRule, text) => checkUnit(rule, text, 'duration', parseDuration, suggestDuration))
  add(ajv, 'size', (rule: UnitRule, text) => checkUnit(rule, text, 'size', parseSize, suggestSize))
  add(ajv, 'address', (role: AddressRole, text) => {
    const parsed = parseAddress(text, role)
    return 'message' in parsed ? parsed : undefined
  })
  add(ajv, 'path', checkPath)
  add(ajv, 'percent', checkPercent)
  add(ajv, 'range', checkRange)
  add(ajv, 'ip', checkIp)
  add(ajv, 'form', (form: keyof typeof forms, text) => forms[form].check(text))
  ajv.addKeyword('secret')
}

/** Each form: what holds a text against it, and what it is called. */
const forms = {
  network: { check: checkNetwork, expected: 'a network such as 10.0.0.0/8' },
  'host-port': { check: checkHostPort, expected: 'a host and a port such as 10.0.0.1:6379' },
  'host-name': { check: checkHostName, expected: 'a host name' },
  hex: { check: checkHex, expected: 'hexadecimal pairs such as "48 65", in quotes' },
  'http-path': { check: checkHttpPath, expected: 'a path such as /health' },
  plain: { check: checkPlain, expected: 'text' },
  'redis-url': { check: checkRedisUrl, expected: 'a URL such as redis://127.0.0.1:6379' },
  'redis-key': { check: checkRedisKey, expected: 'text' },
  'redis-prefix': { check: checkRedisPrefix, expected: 'text' },
} as const

function add<Rule>(ajv: Ajv2020, keyword: string, check: (rule: Rule, text: string) => Refusal | undefined): void {
  const validate: { (rule: Rule, text: string): boolean; errors?: { keyword: string; params: Refusal }[] } = (
    rule,
    text,
  ) => {
    const refusal = check(rule, text)
    validate.errors = refusal === undefined ? [] : [{ keyword, params: refusal }]
    return refusal === undefined
  }
  ajv.addKeyword({ keyword, type: 'string', errors: true, validate })
}

function checkUnit(
  rule: UnitRule,
  text: string,
  kind: 'duration' | 'size',
  parse: (text: string) => number | undefined,
  suggest: (text: string) => string,
): Refusal | undefined {
  const words = rule.words ?? []
  if (words.includes(text)) return undefined
  const value = parse(text)
  if (value === undefined) {
    const message = /^\d+$/.test(text) ? `${quote(text)} has no unit` : `${quote(text)} is not a ${kind}`
    const likely = nearest(text, words) ?? suggest(text)
    return { message, hint: likely === '' ? `write ${describeUnit(rule, kind)}` : `write ${likely}` }
  }
  const low = value < (parse(rule.minimum) ?? 0)
  if (!low && value <= (parse(rule.maximum) ?? 0)) return undefined
  const message = low ? `${text} is less than ${rule.minimum}` : `${text} is more than ${rule.maximum}`
  return { message, hint: `write ${describeUnit(rule, kind)}` }
}

function describeUnit(rule: UnitRule, kind: 'duration' | 'size'): string {
  const words = (rule.words ?? []).map((word) => `, or ${word}`).join('')
  return `a ${kind} from ${rule.minimum} to ${rule.maximum}, such as ${kind === 'duration' ? '5s' : '64MiB'}${words}`
}

function checkPath(rule: { readonly words: readonly string[] }, text: string): Refusal | undefined {
  if (rule.words.includes(text)) return undefined
  const words = rule.words.join(' or ')
  if (hasControlCharacter(text)) return { message: `${quote(text)} has a control character`, hint: 'remove it' }
  if (text === '' || text.endsWith('/')) {
    const hint = words === '' ? 'write the path of a file' : `write ${words}, or the path of a file`
    return { message: `${quote(text)} names no file`, hint }
  }
  if (text.includes('/')) return undefined
  if (words === '') {
    const hint = `a path has a "/": ./${printable(text.slice(0, 64))}`
    return { message: `${quote(text)} is not a path`, hint }
  }
  const likely = nearest(text, rule.words)
  const word = likely === undefined ? `write ${words};` : `did you mean ${likely}?`
  return {
    message: `${quote(text)} is neither a known word nor a path`,
    hint: `${word} a path has a "/": ./${printable(text.slice(0, 64))}`,
  }
}

/** What a value of this schema looks like: `a whole number from 1 to 64`. */
export function expected(node: SchemaNode | undefined): string {
  if (node === undefined) return 'nothing'
  if (node.oneOf !== undefined) return node.oneOf.map(expected).join(', or ')
  if (node.const !== undefined) return String(node.const)
  if (node.enum !== undefined) return node.enum.length === 1 ? String(node.enum[0]) : `one of ${node.enum.join(', ')}`
  if (node.duration !== undefined) return describeUnit(node.duration, 'duration')
  if (node.size !== undefined) return describeUnit(node.size, 'size')
  if (node.address !== undefined) return 'an address such as 10.0.0.1:9100, [::1]:9100 or unix:/run/chat.sock'
  if (node.path !== undefined) return pathOr(node.path.words)
  if (node.percent !== undefined) return `a share from ${node.percent.minimum} to ${node.percent.maximum}, such as 30%`
  if (node.range !== undefined) return `a range such as ${node.range.minimum}-${node.range.maximum}`
  if (node.ip !== undefined) return 'an IP address'
  if (node.form !== undefined) return forms[node.form].expected
  if (node.type === 'integer') return `a whole number from ${node.minimum} to ${node.maximum}`
  if (node.type === 'boolean') return 'true or false'
  if (node.type === 'array') return 'a list'
  if (node.type === 'object') return 'a map of keys and values'
  return 'text'
}

function pathOr(words: readonly string[]): string {
  return words.length === 0 ? 'the path of a file' : `${words.join(', ')}, or the path of a file`
}
