import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { programVersion } from '../control/program-version.ts'
import { parseDuration } from '../model/units.ts'
import type { CheckOptions } from './check.ts'
import { ExitCode } from './exit-code.ts'
import { endureLostOutput, printFailure } from './print.ts'
import type { RegisterCommandOptions } from './register.ts'

const defaultConfigFile = '/etc/mcs-lb/lb.yaml'

const examples = `
Examples:
  $ mcs-lb demo                              see it work: three backends and a load balancer
  $ mcs-lb check --config lb.yaml            list every error of a file
  $ mcs-lb run --config lb.yaml              serve in the foreground
  $ mcs-lb reload                            serve the changed file, or say why not
  $ mcs-lb status --json | jq .connections   ask the running process

Exit codes: 0 good, 1 failure, 2 bad usage, 78 bad configuration.
`

/**
 * Runs the command that `argv` names and sets `process.exitCode`.
 *
 * @param argv As `process.argv`: the runtime and the script come first.
 */
export async function main(argv: readonly string[]): Promise<void> {
  endureLostOutput()
  try {
    const program = createProgram()
    await program.parseAsync(withoutHelpOfNothing(program, argv))
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode === 0 ? ExitCode.good : ExitCode.usage
    else process.exitCode = await printFailure(error)
  }
}

/** `mcs-lb chek --help` asks for help on a command that is none: without the rest, the parser says which is near. */
function withoutHelpOfNothing(program: Command, argv: readonly string[]): readonly string[] {
  const [runtime = '', script = '', ...words] = argv
  const name = words[0] === 'help' ? words[1] : words[0]
  const isKnown = program.commands.some((command) => command.name() === name)
  return name === undefined || name.startsWith('-') || name === 'help' || isKnown ? argv : [runtime, script, name]
}

function createProgram(): Command {
  const program = new Command('mcs-lb')
    .description('A Layer-4 (TCP) load balancer driven by one declarative file.')
    .version(programVersion, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help, or that of a command')
    .addHelpText('after', examples)
    .showHelpAfterError('(mcs-lb --help lists the commands and options)')
    // Commands copy this, so it comes before them.
    .exitOverride()
  addFileCommands(program)
  addAdminCommands(program)
  addRegisterCommand(program)
  addLabCommands(program)
  return program
}

function addFileCommands(program: Command): void {
  fileCommand(program, 'run', 'serve the file in the foreground; SIGHUP reloads, SIGTERM drains and ends').action(
    async (options: { config: string }) => {
      const { run } = await import('./run.ts')
      await run(options)
    },
  )
  fileCommand(program, 'check', 'list every error and warning of the file; starts nothing')
    .option('--json', 'print { "valid", "issues", "warnings" }')
    .option('--strict', 'exit 78 for warnings too')
    .action(async (options: CheckOptions) => {
      const { check } = await import('./check.ts')
      process.exitCode = await check(options)
    })
}

function addAdminCommands(program: Command): void {
  adminCommand(program, 'reload', 'have the running process serve the changed file; waits for its answer').action(
    async (options: AdminCommandOptions) => {
      const { reload } = await import('./reload.ts')
      process.exitCode = await reload(options)
    },
  )
  adminCommand(program, 'reopen', 'have the running process open its log files again, after they were moved').action(
    async (options: AdminCommandOptions) => {
      const { reopen } = await import('./reopen.ts')
      process.exitCode = await reopen(options)
    },
  )
  adminCommand(program, 'status', 'print what the running process serves').action(
    async (options: AdminCommandOptions) => {
      const { status } = await import('./status.ts')
      process.exitCode = await status(options)
    },
  )
}

function addRegisterCommand(program: Command): void {
  program
    .command('register')
    .description('keep a backend in a registry that discovery reads; SIGTERM removes it')
    .addOption(
      new Option('--redis <url>', 'redis:// or rediss://; better in the environment where it holds a password')
        .env('REDIS_URL')
        .default('redis://127.0.0.1:6379'),
    )
    .requiredOption('--address <ip:port>', 'the backend; auto:PORT for this machine’s address on the way to Redis')
    .addOption(new Option('--form <form>', 'how it is written').choices(['keys', 'sorted-set']).default('keys'))
    // Without a preset value, as those of the other form are refused where they are given.
    .option('--prefix <text>', 'of keys: what the key begins with (default: "mcs:node:")')
    .option('--key <text>', 'of sorted-set: the set (default: "mcs:node")')
    .option('--ttl <duration>', 'of keys: when the entry ends without a heartbeat (default: 5s)', parseTime)
    .addOption(durationOption('--interval <duration>', 'time between heartbeats', '2s'))
    .option('--check', 'connect to the backend first, and send no heartbeat while that fails')
    .option('--weight <number>', 'its share, 1 to 256', parseCount)
    .option('--priority <number>', '0 to 15, lower first', parseCount)
    .option('--backup', 'use it only when no other can be')
    .addOption(new Option('--state <state>', 'what it takes').choices(['ready', 'drain', 'maintenance']))
    .option('--max-connections <number>', 'open connections above which it is not chosen', parseCount)
    .option('--zone <text>', 'where it stands')
    .option('--ca <file>', 'of rediss: certificates to trust in place of the system’s')
    .option('--server-name <name>', 'of rediss: name that the certificate must have')
    .action(async (options: RegisterCommandOptions) => {
      const { register } = await import('./register.ts')
      process.exitCode = await register(options)
    })
}

function addLabCommands(program: Command): void {
  program
    .command('demo')
    .description('run three small backends and a load balancer in front of them')
    .option('--port <port>', 'where the load balancer listens on 127.0.0.1; 0 for any free port', parsePort, 64400)
    .action(async (options: { port: number }) => {
      const { demo } = await import('./demo.ts')
      process.exitCode = await demo(options)
    })
  program
    .command('client')
    .description('connect, send what is typed, print what arrives; Ctrl-D ends the sending side')
    .argument('<host:port>', 'where to: 127.0.0.1:64400, [::1]:64400 or unix:/path')
    .action(async (target: string) => {
      const { client } = await import('./client.ts')
      process.exitCode = await client(target)
    })
}

/** Options of the commands that ask a running process. */
export interface AdminCommandOptions {
  readonly config: string
  readonly socket?: string
  readonly json?: boolean
}

function adminCommand(program: Command, name: string, description: string): Command {
  return fileCommand(program, name, description)
    .option('-s, --socket <path>', 'the admin socket; without it, admin.socket of the configuration file')
    .option('--json', 'print the answer as JSON')
}

/** A command that takes a file by --config, and says so where one is given as an argument. */
function fileCommand(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .addOption(configOption())
    .allowExcessArguments()
    .hook('preAction', (_, command) => {
      const [file] = command.args
      if (file === undefined) return
      const message = `error: '${name}' takes no argument; did you mean --config ${file}?`
      command.error(message, { code: 'commander.excessArguments' })
    })
}

function configOption(): Option {
  return new Option('-c, --config <file>', 'the configuration file')
    .env('MCS_LB_CONFIG')
    .default(defaultConfigFile)
    .argParser(parseFile)
}

function durationOption(flags: string, description: string, preset: string): Option {
  return new Option(flags, description).argParser(parseTime).default(parseTime(preset), preset)
}

/** As a path, empty text is the current folder, and a message would not show where it comes from. */
function parseFile(text: string): string {
  if (text !== '') return text
  throw new InvalidArgumentError('It is empty; name a file.')
}

function parseTime(text: string): number {
  const milliseconds = parseDuration(text)
  if (milliseconds !== undefined) return milliseconds
  throw new InvalidArgumentError(`"${text}" is not a duration; write 500ms or 2s.`)
}

function parseCount(text: string): number {
  if (/^\d{1,7}$/.test(text)) return Number(text)
  throw new InvalidArgumentError(`"${text}" is not a whole number.`)
}

function parsePort(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port <= 65535) return port
  throw new InvalidArgumentError(`"${text}" is not a port; give a number from 0 to 65535.`)
}
