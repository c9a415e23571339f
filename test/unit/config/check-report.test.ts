import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatIssues, formatIssuesAsJson } from '#src/cli/check-report.js'
import type { ConfigIssue } from '#src/model/errors.js'

const issue: ConfigIssue = {
  file: 'lb.yaml',
  line: 2,
  column: 10,
  path: 'workers',
  message: '"4" is text',
  hint: 'remove the quotes',
}
const text = 'version: 1\nworkers: "4"\n'

test('formatIssues() shows the line, a caret below the column and the hint', () => {
  assert.equal(
    formatIssues([issue], { colour: false, text }),
    [
      'lb.yaml:2:10: error: workers: "4" is text',
      '    2 | workers: "4"',
      '      |          ^',
      '  hint: remove the quotes',
      '',
    ].join('\n'),
  )
})

test('formatIssues() leaves out what is not there', () => {
  const whole = { ...issue, path: '', hint: '' }
  assert.equal(formatIssues([whole], { colour: false }), 'lb.yaml:2:10: error: "4" is text\n')
  assert.equal(formatIssues([{ ...whole, line: 9 }], { colour: false, text }), 'lb.yaml:9:10: error: "4" is text\n')
  assert.equal(formatIssues([], { colour: true, text }), '')
})

test('formatIssues() puts the caret below the column also behind a secret, and none behind what is cut off', () => {
  const report = (line: string, part: string) =>
    formatIssues([{ ...issue, line: 1, column: line.indexOf(part) + 1 }], { colour: false, text: line }).split('\n')
  const flow = 'redis: { url: "redis://:hunter2@h", tsl: {} }'
  const [, shown = '', caret = ''] = report(flow, 'tsl')
  assert.equal(shown, '    1 | redis: { url: …, tsl: {} }')
  assert.equal(caret.indexOf('^'), shown.indexOf('tsl'))
  const [, line = '', below = ''] = report(flow, '"redis')
  assert.equal(below.indexOf('^'), line.indexOf('…'))
  assert.deepEqual(report('redis: { url: a b, tsl: {} }', 'tsl').slice(1, 3), [
    '    1 | redis: { url: …',
    '  hint: remove the quotes',
  ])
})

test('formatIssues() colours only when told', () => {
  const plain = formatIssues([issue, issue], { colour: false, text })
  const painted = formatIssues([issue, issue], { colour: true, text })
  assert.ok(!plain.includes('\u001b') && painted.includes('\u001b[31m^'))
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours begin with one.
  assert.equal(painted.replaceAll(/\u001b\[\d+m/g, ''), plain)
})

test('formatIssues() says of warnings that they are some, in a colour of their own', () => {
  const plain = formatIssues([issue], { colour: false, severity: 'warning', text })
  assert.equal(plain, formatIssues([issue], { colour: false, text }).replace('error:', 'warning:'))
  assert.ok(formatIssues([issue], { colour: true, severity: 'warning', text }).includes('\u001b[33mwarning:'))
})

test('formatIssues() lets no line act on the terminal, and cuts long ones around the column', () => {
  const hostile = formatIssues([{ ...issue, line: 1, column: 4 }], {
    colour: false,
    text: 'a\t\u001b[2J\u202e\u009b\r',
  })
  assert.match(hostile, /\n {4}1 \| a ·\[2J···\n {6}\| {4}\^\n/)
  const long = formatIssues([{ ...issue, line: 1, column: 5001 }], {
    colour: false,
    text: `${'x'.repeat(5000)}y${'z'.repeat(5000)}`,
  })
  const [, line = '', caret = ''] = long.split('\n')
  assert.ok(line.length <= 130)
  assert.equal(line[caret.indexOf('^')], 'y')
})

test('formatIssuesAsJson() gives an array of issues', () => {
  assert.deepEqual(JSON.parse(formatIssuesAsJson([issue])), [issue])
  assert.equal(formatIssuesAsJson([]), '[]\n')
})
