const nginx =
  /^(?:user|worker_\w+|error_log|pid|load_module|include|events|stream|http|upstream|server|log_format)\b[^:]*[;{}]/
const haproxy = /^(?:global|defaults|frontend|backend|listen|userlist|resolvers)(?:\s[^:]*)?$/

/** Says of a text that is no YAML map that it is a file of another program; undefined where it looks like none. */
export function explainForeignFile(text: string): { readonly message: string; readonly hint: string } | undefined {
  const first = /^[ \t]*(?!#)\S.*$/m.exec(text)?.[0].slice(0, 200).trim() ?? ''
  if (nginx.test(first)) {
    const hint = 'docs/from-nginx.md says which key takes the place of which directive'
    return { message: 'this looks like a configuration of nginx', hint }
  }
  if (!haproxy.test(first)) return undefined
  const hint = 'docs/from-haproxy.md says which key takes the place of which keyword'
  return { message: 'this looks like a configuration of HAProxy', hint }
}
