#!/usr/bin/env node
// Before any import takes effect: Node opens its inspector to the network on SIGUSR1.
process.on('SIGUSR1', () => {})

// A reload or a log rotation that is asked for while the program still loads must not end it. There is nothing more to
// do for it: the file is read, and the log opened, after that.
if (process.argv[2] === 'run') for (const signal of ['SIGHUP', 'SIGUSR2']) process.on(signal, () => {})

const { main } = await import('./cli/program.ts')
await main(process.argv)
