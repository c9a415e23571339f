#!/usr/bin/env node
// Before any import takes effect: Node opens its inspector to the network on SIGUSR1.
process.on('SIGUSR1', () => {})

const { main } = await import('./cli/program.ts')
await main(process.argv)
