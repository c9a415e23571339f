import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { adminLimits } from '#src/admin/server.js'
import { errorCodes } from '#src/model/errors.js'
import { temporaryDirectory } from '../../helpers/temporary-directory.ts'
import { runProgram } from './run-program.ts'

const read = (path: string) => readFileSync(path, 'utf8')

test('docs/errors.md explains every error code, says what to do, and knows no other', () => {
  const sections = read('docs/errors.md').split(/^### /m).slice(1)
  assert.deepEqual(
    sections.map((section) => section.slice(0, section.indexOf('\n'))),
    Object.keys(errorCodes),
  )
  for (const section of sections) assert.match(section, /\*\*What to do:\*\*/)
})

test('docs/admin.md states the limits that hold', () => {
  const text = read('docs/admin.md')
  assert.ok(text.includes(`| connections | ${adminLimits.connections};`))
  assert.ok(
    text.includes(
      `| header | ${adminLimits.headerBytes / 1024} KiB, complete within ${adminLimits.headersTimeoutMs / 1000} s |`,
    ),
  )
  assert.ok(
    text.includes(
      `| body | ${adminLimits.bodyBytes / 1024} KiB, complete within ${adminLimits.requestTimeoutMs / 1000} s;`,
    ),
  )
  assert.ok(text.includes(`| silence | ${adminLimits.idleTimeoutMs / 1000} s,`))
})

for (const page of ['README.md', 'docs/from-nginx.md', 'docs/from-haproxy.md']) {
  test(`${page} shows a configuration that check accepts`, async (t) => {
    const yaml = /```yaml\n(.*?)```/s.exec(read(page))?.[1]
    assert.ok(yaml)
    const file = join(temporaryDirectory(t), 'lb.yaml')
    await writeFile(file, yaml)
    const { code, stdout } = await runProgram(['check', '--config', file])
    assert.equal(code, 0, stdout)
  })
}

test('README.md and docs link to files that exist', () => {
  for (const page of readdirSync('docs')
    .map((name) => `docs/${name}`)
    .concat('README.md')) {
    for (const [, target] of read(page).matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
      assert.doesNotThrow(() => read(join(page, '..', target ?? '')), `${page} links to ${target}`)
    }
  }
})
