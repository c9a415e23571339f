/** Where a socket is bound or connected to. IPv6 hosts are without brackets. */
export type SocketAddress =
  | { readonly family: 'ipv4'; readonly host: string; readonly port: number }
  | { readonly family: 'ipv6'; readonly host: string; readonly port: number }
  | { readonly family: 'unix'; readonly path: string }

/** A host that is no IPv6 address, or one without brackets, and its port, as URLs have them: `[::1]:9100`. */
export function formatHostPort(host: string, port: number | string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

/** The address as the file writes it: `10.0.0.1:9100`, `[::1]:9100`, `unix:/run/chat.sock`. Also its identity. */
export function formatAddress(address: SocketAddress): string {
  switch (address.family) {
    case 'ipv4':
    case 'ipv6':
      return formatHostPort(address.host, address.port)
    case 'unix':
      return `unix:${address.path}`
  }
}
