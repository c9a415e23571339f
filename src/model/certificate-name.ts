/** What node:tls says of a certificate that is good, and of another host (ERR_TLS_CERT_ALTNAME_INVALID). */
export interface NameMismatch {
  readonly host?: string
  readonly cert?: { readonly subjectaltname?: string }
}

/**
 * The mismatch, and what would do. The names come last, as they may be more than a reason holds.
 *
 * @param option That which names the server: `tls.serverName`.
 * @param show Makes harmless what others have said; nothing unless given.
 */
export function describeNameMismatch(
  { host = '', cert }: NameMismatch,
  option: string,
  show: (text: string) => string = (text) => text,
): string {
  const names = cert?.subjectaltname ?? ''
  const which = names === '' ? '' : ` to one of its names: ${show(names)}`
  return `the certificate is not for ${show(host)}; set ${option}${which}`
}
