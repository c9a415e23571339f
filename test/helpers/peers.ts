import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { TestContext } from 'node:test'

/**
 * The path of a program that a test needs beside it (haproxy, nginx, redis-server, …). Where it is not installed, the
 * test is skipped with the reason and undefined comes back; with MCS_LB_REQUIRE_PEERS=1 it fails instead.
 */
export function requirePeer(t: TestContext, program: string): string | undefined {
  const path = findProgram(program)
  if (path !== undefined) return path
  const reason = `${program} is not installed`
  if (process.env.MCS_LB_REQUIRE_PEERS === '1') throw new Error(`${reason}, and MCS_LB_REQUIRE_PEERS is set`)
  t.skip(reason)
  return undefined
}

function findProgram(program: string): string | undefined {
  // Debian puts servers in sbin, which is not in the PATH of every user.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin']
  return folders.map((folder) => join(folder, program)).find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
