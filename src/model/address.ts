/** Where a socket is bound or connected to. IPv6 hosts are without brackets. */
export type SocketAddress =
  | { readonly family: 'ipv4'; readonly host: string; readonly port: number }
  | { readonly family: 'ipv6'; readonly host: string; readonly port: number }
  | { readonly family: 'unix'; readonly path: string }

/** The address as the file writes it: `10.0.0.1:9100`, `[::1]:9100`, `unix:/run/chat.sock`. Also its identity. */
export function formatAddress(address: SocketAddress): string {
  switch (address.family) {
    case 'ipv4':
      return `${address.host}:${address.port}`
    case 'ipv6':
      return `[${address.host}]:${address.port}`
    case 'unix':
      return `unix:${address.path}`
  }
}
