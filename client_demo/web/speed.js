// How fast a transfer is, over the last seconds. Pure but for the clock.

const WINDOW = 8_000;
const SHORTEST = 800;

export class SpeedMeter {
  /** Pairs of time (ms) and bytes moved until then, the oldest first. */
  #samples = [];

  /** Forget: the transfer stood still on purpose. */
  reset() {
    this.#samples = [];
  }

  record(bytes, now = performance.now()) {
    this.#samples.push([now, bytes]);
    while (this.#samples.length > 2 && this.#samples[1][0] < now - WINDOW) this.#samples.shift();
  }

  /** Bytes per second; null while it is too early to tell. */
  get bytesPerSecond() {
    if (this.#samples.length < 2) return null;
    const [startTime, startBytes] = this.#samples[0];
    const [endTime, endBytes] = this.#samples.at(-1);
    if (endTime - startTime < SHORTEST) return null;
    return Math.max(0, ((endBytes - startBytes) / (endTime - startTime)) * 1000);
  }
}
