// When to try again and how long to wait first: exponential backoff with full jitter, Retry-After, a bound. No DOM.

import { after } from "./clock.js";

/**
 * How often in a row to try when the server refuses, and the delays in milliseconds. A server asking for more than
 * `patience` is not waited for. A lost connection is waited for however long it takes, unless `lostConnections` says
 * how often.
 */
export const DEFAULT_RETRIES = Object.freeze({
  attempts: 10,
  lostConnections: Infinity,
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

/** Whether the browser knows that there is no network. */
export function isOffline() {
  return globalThis.navigator?.onLine === false;
}

/**
 * The result of `operation`, repeated while its errors have `passing` set and the policy allows.
 * `onWait(error, delay)` is told before each pause; the delay is Infinity while there is no network.
 * Rejects with the signal's reason when aborted.
 */
export async function retrying(operation, { policy, signal, onWait }) {
  for (let failures = 1; ; failures += 1) {
    try {
      return await operation();
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const asked = error.retryAfter ?? 0;
      const most = error.connectionLost ? (policy.lostConnections ?? Infinity) : policy.attempts;
      if (!error.passing || failures >= most || asked > policy.patience) throw error;
      const delay = isOffline() ? Infinity : Math.max(backoff(policy, failures), asked);
      if (delay === Infinity) failures = 0;
      onWait(error, delay);
      await pause(delay, signal, { wakeWhenOnline: asked === 0 || delay === Infinity });
    }
  }
}

/** Wait; shorter when the network comes back, if asked for. */
function pause(delay, signal, { wakeWhenOnline }) {
  return new Promise((resolve, reject) => {
    let stop = () => {};
    const settle = () => {
      stop();
      signal.removeEventListener("abort", settle);
      globalThis.removeEventListener?.("online", settle);
      if (signal.aborted) reject(signal.reason);
      else resolve();
    };
    if (delay !== Infinity) stop = after(delay, settle);
    signal.addEventListener("abort", settle);
    if (wakeWhenOnline) globalThis.addEventListener?.("online", settle);
  });
}
