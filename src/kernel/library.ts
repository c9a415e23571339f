import koffi from 'koffi'

/** The C library that this process is already linked with. */
const library = koffi.load(null)

/** Declares a C function, as `int close(int)`. Arguments and results are numbers; pointers are `uintptr_t`. */
export function declare(signature: string): (...args: number[]) => number {
  return library.func(signature) as (...args: number[]) => number
}

/** The errno of the last call. Must be read before anything else is called. */
export function lastErrno(): number {
  return koffi.errno()
}

/** Address of `memory`, which must be alive as long as the address is used. */
export function addressOf(memory: Uint8Array): number {
  return Number(koffi.address(memory))
}

/** Memory whose address has been handed out as a number: nothing else would keep it from being freed. */
const retained: Uint8Array[] = []

/** Zeroed memory that is never freed, and its address. For arguments that C takes by pointer. */
export function permanent(bytes: number): { readonly memory: Buffer; readonly at: number } {
  const memory = Buffer.allocUnsafeSlow(bytes).fill(0)
  retained.push(memory)
  return { memory, at: addressOf(memory) }
}

/** A result of zero or more as it is, a failed call as its negated errno. */
export function checked(result: number): number {
  return result < 0 ? -koffi.errno() : result
}
