// Waiting by the clock on the wall: a timer stands still while a machine sleeps, so time is looked at often. No DOM.

const TICK = 1_000;

/** Calls `action` once, `delay` ms from now or at once after a sleep that was longer. Returns what stops it. */
export function after(delay, action) {
  const due = Date.now() + delay;
  let timer = 0;
  const look = () => {
    const left = due - Date.now();
    if (left <= 0) action();
    else timer = setTimeout(look, Math.min(left, TICK));
  };
  timer = setTimeout(look, Math.min(delay, TICK));
  return () => clearTimeout(timer);
}

/** Calls `bark` when it was not fed for `timeout` milliseconds. */
export class Watchdog {
  #timeout;
  #bark;
  #stop = () => {};

  constructor(timeout, bark) {
    this.#timeout = timeout;
    this.#bark = bark;
    this.feed();
  }

  feed() {
    this.#stop();
    this.#stop = after(this.#timeout, this.#bark);
  }

  stop() {
    this.#stop();
  }
}
