import { readFileSync } from 'node:fs'
import { type Behaviours, checkBehaviours } from './rule/behaviours.ts'
import { readSources, report } from './rule/source.ts'

const list = JSON.parse(readFileSync('test/behaviours.json', 'utf8')) as Behaviours
process.exitCode = report('test/integration', checkBehaviours(readSources('test/integration'), list))
