/** What the program exits with. 78 is EX_CONFIG of sysexits.h. */
export const ExitCode = { good: 0, failure: 1, usage: 2, badConfig: 78 } as const

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]
