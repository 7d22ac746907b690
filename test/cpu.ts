/** Processor time, for tests that something is not slow: other programs do not count, and neither does the machine's speed. */

/** Milliseconds of this process on all of its threads. */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Milliseconds that this machine needs for eight million multiplications, each on the result of the last; about 10 today. */
export function machineUnit(): number {
  let least = Number.POSITIVE_INFINITY;
  // The first time it is compiled.
  for (let round = 0; round < 4; round++) {
    const start = cpuTime();
    let hash = round;
    for (let i = 0; i < 2 ** 23; i++) hash = Math.imul(hash ^ i, 0x9e3779b1);
    const took = cpuTime() - start;
    // The result is looked at, so that it is computed.
    if (round > 0) least = Math.min(least, hash === 1 ? took + 1 : took);
  }
  return least;
}
