import { checkImports } from './rule/imports.ts'
import { readSources, report } from './rule/source.ts'

process.exitCode = report('src', checkImports(readSources('src')))
