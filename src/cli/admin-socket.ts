import { dirname, resolve } from 'node:path'
import { parseDocument } from 'yaml'
import { type AdminAnswer, adminRequest } from '../admin/client.ts'
import { loadConfig } from '../config/load.ts'
import { readConfigText } from '../config/read-text.ts'
import { McsError } from '../model/errors.ts'

const defaultSocket = '/run/mcs-lb/admin.sock'

/** Where the running process is asked. */
interface AdminSocket {
  readonly path: string
  /** Why the file does not tell, so that this is the default; a sentence without its full stop. */
  readonly doubt?: string
}

/**
 * Asks the running process on its admin socket: `--socket`, else `admin.socket` of the configuration file, else
 * /run/mcs-lb/admin.sock. Returns the answer, and the socket that it came from.
 *
 * @throws {McsError} MCS_ADMIN_UNREACHABLE where nobody answers, or where the file says `none`.
 */
export async function askProcess(
  options: { readonly socket?: string; readonly config: string },
  method: 'GET' | 'POST',
  path: string,
): Promise<{ readonly socket: string; readonly answer: AdminAnswer }> {
  const socket = options.socket === undefined ? await findSocket(options.config) : { path: options.socket }
  try {
    return { socket: socket.path, answer: await adminRequest(socket.path, method, path) }
  } catch (error) {
    throw socket.doubt === undefined || !(error instanceof McsError) ? error : withDoubt(error, socket.doubt)
  }
}

/** What is wrong with the file comes first: it is why the socket is probably another. */
function withDoubt(error: McsError, doubt: string): McsError {
  const message = `${doubt}. Give --config with the file of the running process, or --socket. The default was tried: ${error.message}`
  return new McsError(error.code, message, { source: error.source, retryable: error.retryable, cause: error.cause })
}

async function findSocket(file: string): Promise<AdminSocket> {
  // A broken file is what `reload` is there to report, and variables may be set for the service alone. The running
  // process knows better, so it has to be found with what can be read.
  const loaded = await loadConfig(file).catch(() => undefined)
  const socket: AdminSocket = loaded === undefined ? await scanSocket(file) : { path: loaded.config.admin.socket }
  if (socket.path !== 'none') return socket
  const message = `Cannot ask mcs-lb: "${file}" says admin.socket: none; set a path there, or send SIGHUP to reload`
  throw new McsError('MCS_ADMIN_UNREACHABLE', message, { source: 'system' })
}

async function scanSocket(file: string): Promise<AdminSocket> {
  let text: string
  try {
    text = await readConfigText(file)
  } catch (error) {
    // Its message goes on with a remedy, which is said here for the socket too.
    const reason = error instanceof Error ? error.message.replace(/;[^;]*$/, '') : String(error)
    return { path: defaultSocket, doubt: reason }
  }
  const document = parse(text)
  const socket = document?.socket
  if (typeof socket === 'string' && !socket.includes('$')) {
    return { path: socket === 'none' ? socket : resolve(dirname(file), socket) }
  }
  if (typeof socket === 'string') return { path: defaultSocket, doubt: `admin.socket in "${file}" has a variable` }
  if (document?.isYaml) return { path: defaultSocket }
  return { path: defaultSocket, doubt: `Cannot read admin.socket in "${file}": it is not YAML` }
}

function parse(text: string): { readonly isYaml: boolean; readonly socket: unknown } | undefined {
  try {
    const document = parseDocument(text, { logLevel: 'silent' })
    return { isYaml: document.errors.length === 0, socket: document.getIn(['admin', 'socket']) }
  } catch {
    return undefined
  }
}
