/** Waiting that can be given up. */

/**
 * Settles as `work` does, or rejects with the signal's reason as soon as it is aborted; then `work` goes on unheard. A wait
 * that is over takes itself off the signal, so a long-lived signal keeps no result.
 */
export function untilAborted<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) {
      work.catch(() => {});
      abort();
      return;
    }
    signal.addEventListener("abort", abort, { once: true });
    const off = () => signal.removeEventListener("abort", abort);
    work.then(
      (value) => {
        off();
        resolve(value);
      },
      (error) => {
        off();
        reject(error);
      },
    );
  });
}
