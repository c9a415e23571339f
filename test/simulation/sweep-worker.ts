import { parentPort, workerData } from 'node:worker_threads'
import { sweep } from './sweep.ts'

const { first, count } = workerData as { first: number; count: number }
parentPort?.postMessage(sweep(first, count))
