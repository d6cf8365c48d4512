// How many chunks are sent at once, over all files that share the limit: more while that makes things faster,
// half as many when requests fail. No DOM.

/** A gain under this is no gain: lines are noisy. */
const GAIN = 1.08;
const LOSS = 0.85;

export class ChunkLimit {
  #min;
  #current;
  #now;
  #active = 0;
  #waiting = [];
  #windowStart;
  #idleSince;
  #windowBytes = 0;
  #windowChunks = 0;
  #lastRate = 0;

  /** Browsers open six connections to a server of HTTP/1.1; `max` leaves one for everything else. */
  constructor({ min = 1, max = 5, start = 2, now = () => performance.now() } = {}) {
    this.max = max;
    this.#min = min;
    this.#current = Math.min(start, max);
    this.#now = now;
    this.#windowStart = this.#idleSince = now();
  }

  /** How many may be on their way now. */
  get current() {
    return this.#current;
  }

  /** Wait for a turn; each ends with `release`. Rejects with the signal's reason. */
  acquire(signal) {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#active < this.#current) {
      // Time in which nothing was to be sent says nothing about the line.
      if (this.#active === 0) this.#windowStart += this.#now() - this.#idleSince;
      this.#active += 1;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const turn = { resolve: () => (signal?.removeEventListener("abort", turn.leave), resolve()) };
      turn.leave = () => {
        this.#waiting = this.#waiting.filter((other) => other !== turn);
        reject(signal.reason);
      };
      signal?.addEventListener("abort", turn.leave, { once: true });
      this.#waiting.push(turn);
    });
  }

  /** A turn is over: this many bytes arrived. */
  release(bytes) {
    this.#windowBytes += bytes;
    this.#windowChunks += bytes > 0 ? 1 : 0;
    if (this.#windowChunks >= 2 * this.#current) this.#adapt();
    this.#passOn();
  }

  /** A turn is over, and the connection or the server could not bear it. */
  releaseFailed() {
    this.#current = Math.max(this.#min, Math.floor(this.#current / 2));
    this.#lastRate = 0;
    this.#openWindow();
    this.#passOn();
  }

  #adapt() {
    const rate = this.#windowBytes / Math.max(1, this.#now() - this.#windowStart);
    if (rate > this.#lastRate * GAIN) this.#current = Math.min(this.max, this.#current + 1);
    else if (rate < this.#lastRate * LOSS) this.#current = Math.max(this.#min, this.#current - 1);
    this.#lastRate = rate;
    this.#openWindow();
  }

  #openWindow() {
    this.#windowStart = this.#now();
    this.#windowBytes = 0;
    this.#windowChunks = 0;
  }

  #passOn() {
    this.#active -= 1;
    if (this.#active === 0) this.#idleSince = this.#now();
    while (this.#active < this.#current && this.#waiting.length) {
      this.#active += 1;
      this.#waiting.shift().resolve();
    }
  }
}
