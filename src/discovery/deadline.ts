/**
 * What `work` resolves to, or what `late` gives once `timeoutMs` have passed; `late` may throw. Rejects as `work` does.
 * The work is not ended: whoever gives it up ends it.
 */
export async function resolveBy<Result, Late>(
  work: Promise<Result>,
  timeoutMs: number,
  late: () => Late,
): Promise<Result | Late> {
  let timer: NodeJS.Timeout | undefined
  const deadline = new Promise<symbol>((resolve) => {
    timer = setTimeout(resolve, timeoutMs, isLate)
  })
  try {
    const first = await Promise.race([work, deadline])
    return first === isLate ? late() : (first as Result)
  } finally {
    clearTimeout(timer)
  }
}

const isLate = Symbol('late')
