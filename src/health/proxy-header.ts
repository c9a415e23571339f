import type { HealthConfig } from '../model/config.ts'

const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]
/** Version 2, command LOCAL; no family; no bytes after it. */
const local = [0x20, 0x00, 0x00, 0x00]

/** The header of a connection that no client made (haproxy.org, proxy-protocol.txt, 2.1 and 2.2). */
export const proxyHeaders: Readonly<Record<Exclude<HealthConfig['proxyProtocol'], 'none'>, Uint8Array>> = {
  v1: Buffer.from('PROXY UNKNOWN\r\n'),
  v2: Uint8Array.from([...signature, ...local]),
}
