import assert from 'node:assert/strict'
import test from 'node:test'
import { median, parseH2loadLog, parseIperf, parseStatTicks, parseWrk, percentile } from '../../../bench/parse.ts'

// Output of wrk 4.1.0, iperf 3.12 and h2load 1.52.0, shortened where nothing is read.
const wrkGood = `Running 1s test @ http://127.0.0.1:18080/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   148.12us  179.73us   3.94ms   98.56%
    Req/Sec   135.28k    13.49k  145.59k    81.82%
  147744 requests in 1.10s, 22.83MB read
Requests/sec: 134149.55
Transfer/sec:     20.73MB
`
const wrkBad = `Running 1s test @ http://127.0.0.1:18085/
  1 threads and 4 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   153.63us  366.40us   5.08ms   95.42%
    Req/Sec    19.30k     3.91k   24.32k    72.73%
  21090 requests in 1.10s, 0.91MB read
  Socket errors: connect 0, read 10545, write 0, timeout 0
  Non-2xx or 3xx responses: 21090
Requests/sec:  19182.30
Transfer/sec:    842.97KB
`
const iperfGood = `{
	"start":	{ "version":	"iperf 3.12" },
	"end":	{
		"sum_sent":	{ "seconds":	1.00005, "bits_per_second":	20298367865.606716 },
		"sum_received":	{ "seconds":	1.000597, "bits_per_second":	20287271283.044025 }
	}
}`
const iperfBad = `{
	"start":	{ "connected":	[] },
	"intervals":	[],
	"end":	{
	},
	"error":	"unable to connect to server: Connection refused"
}`
const h2load = [
  '1795180265025232\t200\t267',
  '1795180265025240\t200\t278',
  '1795180265516180\t200\t175',
  '1795180265525506\t200\t150',
  '1795180265525507\t-1\t159',
  '1795180265526180\t200\t162',
  '',
].join('\n')

test('parseWrk() reads requests, rate and the absence of errors', () => {
  assert.deepEqual(parseWrk(wrkGood), { requests: 147744, perSecond: 134149.55, errors: 0 })
})

test('parseWrk() adds up socket errors and refused requests', () => {
  assert.deepEqual(parseWrk(wrkBad), { requests: 21090, perSecond: 19182.3, errors: 31635 })
})

test('parseWrk() throws where wrk could not connect', () => {
  assert.throws(() => parseWrk('unable to connect to 127.0.0.1:18086 Connection refused\n'), /gave no result: unable/)
})

test('parseIperf() reads what the receiver saw, in Gbit/s', () => {
  assert.equal(parseIperf(iperfGood).toFixed(3), '20.287')
})

test('parseIperf() throws with the reason of iperf3', () => {
  assert.throws(() => parseIperf(iperfBad), /unable to connect to server: Connection refused/)
})

test('parseH2loadLog() leaves out the warm-up and failed requests', () => {
  const result = parseH2loadLog(h2load, 200)
  assert.deepEqual(result, { p50Us: 162, p99Us: 175, perSecond: result.perSecond, errors: 1 })
})

test('parseH2loadLog() counts answers a second between the first and the last start', () => {
  assert.equal(Math.round(parseH2loadLog(h2load, 0).perSecond), Math.round(5 / 0.500948))
})

test('parseH2loadLog() throws when nothing was answered', () => {
  assert.throws(() => parseH2loadLog('1795180265025232\t-1\t267\n', 0), /no answer/)
})

test('parseStatTicks() adds user and system time, whatever the name of the program', () => {
  const rest = 'S 3162 3164 3164 0 -1 4194560 5963 1511724 1 479 21 3 4064 9478 20 0 1 0 110138 5488640 1054'
  assert.equal(parseStatTicks(`3164 (a (b) c) ${rest}`), 24)
})

test('percentile() is the nearest rank', () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i)
  assert.deepEqual(
    [0, 0.5, 0.501, 0.99, 1].map((fraction) => percentile(values, fraction)),
    [1, 50, 51, 99, 100],
  )
  assert.throws(() => percentile([], 0.5), /of nothing/)
})

test('median() is the middle, or the mean of the two in the middle', () => {
  assert.equal(median([9, 1, 5]), 5)
  assert.equal(median([10, 1, 5, 2]), 3.5)
})
