import { checkBans } from './rule/bans.ts'
import { readSources, report } from './rule/source.ts'

process.exitCode = report('src', checkBans(readSources('src')))
