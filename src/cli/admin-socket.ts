import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parseDocument } from 'yaml'
import { loadConfig } from '../config/load.ts'
import { McsError } from '../model/errors.ts'

const defaultSocket = '/run/mcs-lb/admin.sock'

/**
 * The admin socket of the running process: `--socket`, else `admin.socket` of the configuration file, else
 * /run/mcs-lb/admin.sock.
 *
 * @throws {McsError} MCS_ADMIN_UNREACHABLE where the file says `none`.
 */
export async function findAdminSocket(options: { readonly socket?: string; readonly config: string }): Promise<string> {
  const socket = options.socket ?? (await readSocket(options.config)) ?? defaultSocket
  if (socket !== 'none') return socket
  const message = `Cannot ask mcs-lb: "${options.config}" says admin.socket: none; set a path there, or send SIGHUP to reload`
  throw new McsError('MCS_ADMIN_UNREACHABLE', message, { source: 'system' })
}

async function readSocket(file: string): Promise<string | undefined> {
  try {
    return (await loadConfig(file)).admin.socket
  } catch {
    // A broken file is what `reload` is there to report, and variables may be set for the service alone. The running
    // process knows better, so it has to be found with what can be read.
    return await scanSocket(file)
  }
}

async function scanSocket(file: string): Promise<string | undefined> {
  try {
    const socket = parseDocument(await readFile(file, 'utf8'), { logLevel: 'silent' }).getIn(['admin', 'socket'])
    if (typeof socket !== 'string' || socket.includes('$')) return undefined
    return socket === 'none' ? socket : resolve(dirname(file), socket)
  } catch {
    return undefined
  }
}
