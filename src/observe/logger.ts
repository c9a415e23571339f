import { fstatSync } from 'node:fs'
import { Writable } from 'node:stream'
import { isatty } from 'node:tty'
import winston from 'winston'
import type { LogConfig, LogLevel } from '../model/config.ts'
import { formatJsonLine, formatTextLine, type LogFields, type TextStyle } from './log-format.ts'
import { Sink, type SinkOptions } from './sink.ts'

/** What the rest of the program knows of the log. A field named `error` is best an Error: its code and cause are shown. */
export interface Logger {
  debug(message: string, fields?: LogFields): void
  info(message: string, fields?: LogFields): void
  warn(message: string, fields?: LogFields): void
  error(message: string, fields?: LogFields): void
}

/** The log as its owner holds it. */
export interface ProgramLogger extends Logger {
  /** Takes another level and format from the next line on. */
  configure(config: LogConfig): void
  /** Resolves when what was logged is written or lost: true, or false when `timeoutMs` passed before. */
  flush(timeoutMs?: number): Promise<boolean>
  /** Lines that were lost because the descriptor took none. */
  readonly dropped: number
}

const STDERR = 2
const levels: Record<LogLevel, number> = { error: 0, warn: 1, info: 2, debug: 3 }
const noFields: LogFields = {}

/** The program's log on descriptor `fd`, stderr by default. A descriptor that is stuck loses lines, and blocks nothing. */
export function createLogger(config: LogConfig, fd: number = STDERR, sinkOptions: SinkOptions = {}): ProgramLogger {
  const sink = Sink.over(fd, {
    onDrop: ({ lines, error }) => log('warn', 'Lost lines of this log', { lines, error }),
    ...sinkOptions,
  })
  const style = chooseStyle(fd)
  const logger = winston.createLogger({ levels, transports: [sinkTransport(sink)] })
  const log = (level: LogLevel, message: string, fields: LogFields = noFields): void => {
    // In one property, because winston appends a field named `message` to the message.
    logger.log({ level, message, fields })
  }
  const configure = ({ level, format }: LogConfig): void => {
    logger.level = level
    logger.format = lineFormat(format, style)
  }
  configure(config)
  return {
    debug: (message, fields) => log('debug', message, fields),
    info: (message, fields) => log('info', message, fields),
    warn: (message, fields) => log('warn', message, fields),
    error: (message, fields) => log('error', message, fields),
    configure,
    flush: (timeoutMs) => sink.flush(timeoutMs),
    get dropped() {
      return sink.dropped
    },
  }
}

/** Where winston leaves the finished line (its `triple-beam` package names the symbol). */
const LINE = Symbol.for('message')

function sinkTransport(sink: Sink): winston.transport {
  const write = (line: string, _encoding: BufferEncoding, done: () => void): void => {
    sink.write(line)
    done()
  }
  return new winston.transports.Stream({ stream: new Writable({ decodeStrings: false, write }), eol: '\n' })
}

function lineFormat(format: LogConfig['format'], style: TextStyle): winston.Logform.Format {
  return winston.format((info) => {
    const level = info.level as LogLevel
    const message = String(info.message)
    const fields = info.fields as LogFields
    const now = new Date()
    const json = format === 'json'
    info[LINE] = json ? formatJsonLine(now, level, message, fields) : formatTextLine(now, level, message, fields, style)
    return info
  })()
}

function chooseStyle(fd: number): TextStyle {
  if (isatty(fd)) return process.env.NO_COLOR === undefined ? 'terminal' : 'plain'
  const { dev, ino } = fstatSync(fd)
  // systemd.exec(5): the variable is inherited, and means the journal only where it names this very socket.
  return process.env.JOURNAL_STREAM === `${dev}:${ino}` ? 'journal' : 'plain'
}
