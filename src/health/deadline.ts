/** A timer that fires later than this was held up by our own thread. */
const LATE_MS = 20

/**
 * Calls `onExpired` after `timeoutMs`, but only once I/O that is pending has been read: a thread that was busy meets its
 * timers before the answers that came meanwhile. A timer that fires late gives back, once, the time that was lost, because
 * the next steps could not be taken in it. Returns what calls it off.
 */
export function startDeadline(timeoutMs: number, onExpired: () => void): () => void {
  let dueMs = performance.now() + timeoutMs
  let isExtended = false
  let immediate: NodeJS.Immediate | undefined
  let timer = setTimeout(onTimer, timeoutMs)

  function onTimer(): void {
    const lateMs = performance.now() - dueMs
    immediate = setImmediate(() => {
      if (isExtended || lateMs < LATE_MS) return onExpired()
      isExtended = true
      const givenBackMs = Math.min(lateMs, timeoutMs)
      dueMs = performance.now() + givenBackMs
      timer = setTimeout(onTimer, givenBackMs)
    })
  }

  return () => {
    clearTimeout(timer)
    clearImmediate(immediate)
  }
}
