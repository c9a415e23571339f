import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { spawnChild } from '../helpers/child-process.ts'
import { atEnd } from '../helpers/cleanup.ts'
import { type HarshProfile, harshProfiles, isHarsh } from '../helpers/harsh.ts'
import { needs, without } from '../helpers/peers.ts'

/** Those that are over within seconds; `MCS_LB_TEST_HARSH=slow node --test build/test/…` runs any of the others. */
const files = ['data-relay', 'data-chaos', 'data-causes'].map((name) =>
  fileURLToPath(new URL(`./${name}.test.js`, import.meta.url)),
)

/** Room of each socket in the namespace of `short`, in bytes. Less, and TCP waits for its own timers most of the time. */
const BUFFER_BYTES = 16_384
const MTU = 1500
const setUpNetwork = `
ip link set lo up
ip link set lo mtu ${MTU}
echo 4096 ${BUFFER_BYTES} ${BUFFER_BYTES} > /proc/sys/net/ipv4/tcp_wmem
echo 4096 ${BUFFER_BYTES} ${BUFFER_BYTES} > /proc/sys/net/ipv4/tcp_rmem
exec "$@"
`

/** What a profile needs, what the runner is started by, and a command that shows whether the kernel allows it. */
const conditions: Record<
  HarshProfile,
  { programs: readonly string[]; prefix: readonly string[]; probe: readonly string[] }
> = {
  slow: tracer(),
  eagain: tracer(),
  eintr: tracer(),
  short: {
    programs: ['unshare', 'ip'],
    prefix: ['unshare', '--map-root-user', '--net', 'sh', '-ec', setUpNetwork, 'sh'],
    probe: ['unshare', '--map-root-user', '--net', 'sh', '-ec', setUpNetwork, 'sh', 'true'],
  },
}

for (const profile of harshProfiles) {
  test(`The data path behaves the same under the profile ${profile}`, optionsFor(profile), async (t) => {
    const output = await runUnder(t, profile)
    assert.match(output, /^# pass [1-9]/m, output)
  })
}

/** Runs the tests in a process of their own and returns what they printed, if they passed. */
async function runUnder(t: TestContext, profile: HarshProfile): Promise<string> {
  const [command, ...args] = [
    ...conditions[profile].prefix,
    process.execPath,
    '--test',
    '--test-concurrency=2',
    '--test-reporter=tap',
    ...files,
  ]
  // With this variable Node would take the runner for one of its own test files.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env
  const child = spawnChild(command!, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...env, MCS_LB_TEST_HARSH: profile },
  })
  atEnd(t, () => child.kill('SIGTERM'))
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const [code] = (await once(child, 'close')) as [number | null]
  assert.equal(code, 0, `under ${profile}:\n${output}`)
  return output
}

/** Skips where the programs are missing, or the kernel does not let them do it. */
function optionsFor(profile: HarshProfile): { readonly skip?: string | boolean } {
  if (isHarsh) return { skip: true }
  const { programs, probe } = conditions[profile]
  const options = needs(...programs)
  if (options.skip !== undefined) return options
  const [command, ...args] = probe
  const { status, stderr } = spawnSync(command!, args, { encoding: 'utf8' })
  return status === 0 ? {} : without(`${probe.slice(0, 3).join(' ')} is not allowed here: ${stderr.trim()}`)
}

function tracer() {
  return { programs: ['strace'], prefix: [], probe: ['strace', '-D', '-f', '--seccomp-bpf', '-o', '/dev/null', 'true'] }
}
