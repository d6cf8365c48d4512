// When to try again and how long to wait first: exponential backoff with full jitter, Retry-After, a bound.

/** How often in a row to try, and the delays in milliseconds. A server asking for more than `patience` is not waited for. */
export const DEFAULT_RETRIES = Object.freeze({
  attempts: 10,
  firstDelay: 500,
  longestDelay: 30_000,
  patience: 600_000,
});

/** Milliseconds to wait after that many failures in a row: anything up to a limit that doubles each time. */
export function backoff(policy, failures, random = Math.random) {
  return random() * Math.min(policy.longestDelay, policy.firstDelay * 2 ** (failures - 1));
}

/** What a Retry-After field asks for (RFC 9110, section 10.2.3), in milliseconds; 0 if it says nothing. */
export function retryAfterMilliseconds(value, now = Date.now()) {
  if (!value) return 0;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  const moment = Date.parse(value);
  return Number.isNaN(moment) ? 0 : Math.max(0, moment - now);
}

/**
 * The result of `operation`, repeated while its errors have `passing` set and the policy allows.
 * `onWait(error, delay)` is told before each pause. Rejects with the signal's reason when aborted.
 */
export async function retrying(operation, { policy, signal, onWait }) {
  for (let failures = 1; ; failures += 1) {
    try {
      return await operation();
    } catch (error) {
      signal.throwIfAborted();
      const asked = error.retryAfter ?? 0;
      if (!error.passing || failures >= policy.attempts || asked > policy.patience) throw error;
      const delay = Math.max(backoff(policy, failures), asked);
      onWait(error, delay);
      await pause(delay, signal, { wakeWhenOnline: asked === 0 });
    }
  }
}

/** Wait; shorter when the network comes back, if asked for. */
function pause(delay, signal, { wakeWhenOnline }) {
  return new Promise((resolve, reject) => {
    const settle = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", settle);
      globalThis.removeEventListener("online", settle);
      if (signal.aborted) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(settle, delay);
    signal.addEventListener("abort", settle);
    if (wakeWhenOnline) globalThis.addEventListener("online", settle);
  });
}
