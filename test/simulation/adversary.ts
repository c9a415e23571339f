import type { Random } from './random.ts'

/** How hostile a schedule's kernel and network are. Chances are out of 1,024 for each opportunity. */
export interface Hostility {
  shortRead: number
  shortWrite: number
  interrupt: number
  /** EAGAIN though there is something; no further edge comes until EPOLL_CTL_MOD. */
  falseAgain: number
  /** A wakeup without a change. */
  spuriousEvent: number
  /** A ready descriptor is left for a later epoll_wait. */
  delayEvent: number
  shuffleEvents: boolean
  /** Other things happen before a batch is taken, so that edges merge and batches grow. */
  mergeEvents: number
  /** The network goes on while the reactor is between two system calls. */
  concurrency: number
  acceptError: number
  /** connect(2) succeeds or fails at once. */
  connectAtOnce: number
  connectError: number
  /** A dial is never answered. */
  blackHole: number
  /** A call on an established socket fails for a reason of the kernel's own. */
  callError: number
  /** An established connection is lost (ETIMEDOUT, EHOSTUNREACH, …). */
  networkLoss: number
  optionError: number
  closeError: number
  epollError: number
  /** socket(2) fails. */
  socketError: number
  /** Descriptors that may be open at once; Infinity for no limit. */
  descriptorLimit: number
}

/** A kernel that does what it is asked, at once and in full. */
export function noHostility(): Hostility {
  return {
    shortRead: 0,
    shortWrite: 0,
    interrupt: 0,
    falseAgain: 0,
    spuriousEvent: 0,
    delayEvent: 0,
    shuffleEvents: false,
    mergeEvents: 0,
    concurrency: 0,
    acceptError: 0,
    connectAtOnce: 0,
    connectError: 0,
    blackHole: 0,
    callError: 0,
    networkLoss: 0,
    optionError: 0,
    closeError: 0,
    epollError: 0,
    socketError: 0,
    descriptorLimit: Number.POSITIVE_INFINITY,
  }
}

/**
 * Draws a schedule's hostility. Each kind is left out of most schedules: what goes wrong alone is seen where it is not
 * drowned by the rest, and clean schedules are held to the strictest oracle.
 */
export function drawHostility(random: Random): Hostility {
  const drawn = noHostility()
  if (random.chance(128)) return drawn
  drawn.shortRead = sometimes(random, 400, [64, 256, 700])
  drawn.shortWrite = sometimes(random, 400, [64, 256, 700])
  drawn.interrupt = sometimes(random, 300, [16, 100, 300])
  drawn.falseAgain = sometimes(random, 300, [16, 100, 300])
  drawn.spuriousEvent = sometimes(random, 300, [32, 256])
  drawn.delayEvent = sometimes(random, 400, [64, 300, 600])
  drawn.shuffleEvents = random.chance(700)
  drawn.mergeEvents = sometimes(random, 500, [128, 512, 900])
  drawn.concurrency = sometimes(random, 500, [32, 128, 400])
  drawn.connectAtOnce = sometimes(random, 300, [128, 512, 1024])
  if (random.chance(512)) return drawn
  drawn.acceptError = sometimes(random, 300, [32, 128, 400])
  drawn.connectError = sometimes(random, 300, [100, 300, 700])
  drawn.blackHole = sometimes(random, 150, [100, 500])
  drawn.callError = sometimes(random, 150, [4, 30])
  drawn.networkLoss = sometimes(random, 150, [16, 64])
  drawn.optionError = sometimes(random, 100, [64, 300])
  drawn.closeError = sometimes(random, 150, [128, 512])
  drawn.epollError = sometimes(random, 100, [16, 64])
  drawn.socketError = sometimes(random, 150, [64, 300])
  if (random.chance(150)) drawn.descriptorLimit = random.between(9, 16)
  return drawn
}

function sometimes(random: Random, per1024: number, choices: readonly number[]): number {
  return random.chance(per1024) ? random.pick(choices) : 0
}
