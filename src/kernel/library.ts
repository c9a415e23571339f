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

/** A result of zero or more as it is, a failed call as its negated errno. */
export function checked(result: number): number {
  return result < 0 ? -koffi.errno() : result
}
