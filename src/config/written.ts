import type { ListenerDocument, UpstreamDocument } from './document.generated.ts'

/** A valid document as the operator wrote it: keys that have a default may be missing. What rules ask for. */
export interface WrittenDocument {
  readonly listeners: Readonly<Record<string, WrittenListener>>
  readonly upstreams: Readonly<Record<string, WrittenUpstream>>
}

export type WrittenListener = Written<ListenerDocument>

export type WrittenUpstream = Written<UpstreamDocument>

type Written<Value> = Value extends readonly (infer Item)[]
  ? readonly Written<Item>[]
  : Value extends object
    ? { readonly [Key in keyof Value]?: Written<Value[Key]> }
    : Value
