import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { longestSchedule, MAX_SCHEDULE } from '#src/balance/group.js'
import { placeMembers, type Wish } from '#src/control/member-places.js'
import { makeServer } from '../../helpers/config-maker.ts'

const FOR_THE_FILE = 8192

function wish(upstream: string, ports: readonly number[], listed = 0): Wish {
  return { upstream, servers: ports.map((port) => makeServer(port)), listed }
}

function room(free: number, known: readonly string[] = []) {
  return { free: free + FOR_THE_FILE, has: (key: string) => known.includes(key) }
}

function portsOf(servers: Wish['servers']): number[] {
  return servers.map(({ address }) => (address.family === 'unix' ? 0 : address.port))
}

test('placeMembers() passes on the same list where there is room for all', () => {
  const wishes = [wish('a', [1, 2], 1), wish('b', [3])]
  const placements = placeMembers(wishes, room(100))
  assert.deepEqual(
    placements.map(({ servers, leftOut }) => [servers === wishes.shift()!.servers, leftOut]),
    [
      [true, 0],
      [true, 0],
    ],
  )
})

test('placeMembers() keeps those who have a place, and gives the rest in turn, one of each upstream', () => {
  const wishes = [wish('flood', [1, 2, 3, 4, 5, 6]), wish('small', [7, 8]), wish('file', [9, 10], 2)]
  const placements = placeMembers(wishes, room(3, ['flood 127.0.0.1:6']))
  assert.deepEqual(
    placements.map(({ servers }) => portsOf(servers)),
    [[1, 2, 6], [7], [9, 10]],
  )
  assert.deepEqual(
    placements.map(({ leftOut }) => leftOut),
    [3, 1, 0],
  )
})

test('placeMembers() leaves places for the servers of the file', () => {
  const [placement] = placeMembers([wish('a', [1, 2, 3], 1)], { free: FOR_THE_FILE, has: () => false })
  assert.deepEqual(portsOf(placement!.servers), [1])
})

test('placeMembers() scales found weights down where a round would be too long, and leaves nobody out', () => {
  const found = Array.from({ length: 4096 }, (_, n) => makeServer(1000 + n, { weight: n === 0 ? 255 : 256 }))
  const servers = [makeServer(1, { weight: 2 }), ...found]
  const [placement] = placeMembers([{ upstream: 'a', servers, listed: 1 }], room(10_000))
  assert.equal(placement!.leftOut, 0)
  assert.ok(longestSchedule(placement!.servers) <= MAX_SCHEDULE)
  assert.equal(placement!.servers[0], servers[0])
  assert.ok(placement!.servers.every(({ weight }, n) => n === 0 || weight >= 254))
})

test('placeMembers() leaves found ones out where the rounds of the file have no turn for them', () => {
  const file = Array.from({ length: 4097 }, (_, n) => makeServer(1000 + n, { weight: 256 }))
  const servers = [...file, makeServer(1, { weight: 255 })]
  const [placement] = placeMembers([{ upstream: 'a', servers, listed: file.length }], room(10_000))
  assert.deepEqual([placement!.servers.length, placement!.leftOut], [file.length, 1])
})

test('placeMembers() never gives more places than there are, nor takes one from the file or from who has it', () => {
  const upstreams = fc.array(fc.record({ count: fc.nat(20), listed: fc.nat(5), known: fc.nat(5) }), { maxLength: 5 })
  fc.assert(
    fc.property(upstreams, fc.nat(40), (sizes, free) => {
      const known = new Set<string>()
      const wishes = sizes.map(({ count, listed, known: had }, i) => {
        const ports = Array.from({ length: count + listed }, (_, n) => 1 + n)
        for (const port of ports.slice(listed, listed + had)) known.add(`${i} 127.0.0.1:${port}`)
        return wish(`${i}`, ports, listed)
      })
      const placements = placeMembers(wishes, room(free, [...known]))
      let taken = 0
      placements.forEach(({ servers, leftOut }, i) => {
        const { listed, servers: all } = wishes[i]!
        const ports = portsOf(servers)
        assert.equal(servers.length + leftOut, all.length)
        assert.deepEqual(ports.slice(0, listed), portsOf(all).slice(0, listed))
        for (const port of portsOf(all).slice(listed)) {
          if (known.has(`${i} 127.0.0.1:${port}`)) assert.ok(ports.includes(port))
        }
        taken += ports.slice(listed).filter((port) => !known.has(`${i} 127.0.0.1:${port}`)).length
      })
      const newcomers = wishes.reduce((sum, { servers, listed }) => sum + servers.length - listed, 0) - known.size
      assert.equal(taken, Math.min(free, newcomers))
    }),
  )
})
