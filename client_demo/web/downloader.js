// One file on its way from the server into a writer. No DOM. Events: "state", "progress", "waiting" as of Uploader,
// "restarted" (the file on the server is another one now).

import { ConnectionLost } from "./api.js";
import { Watchdog } from "./clock.js";
import { DetailEvent } from "./events.js";
import { DEFAULT_RETRIES, retrying } from "./retry.js";
import { anySignal } from "./signals.js";

export const DownloadState = Object.freeze({
  READY: "ready",
  RECEIVING: "receiving",
  PAUSED: "paused",
  FAILED: "failed",
  DONE: "done",
  CANCELLED: "cancelled",
});

const STALL_TIMEOUT = 60_000;

export class Downloader extends EventTarget {
  error = null;
  receivedBytes = 0;

  #api;
  #url;
  #writer;
  #etag;
  #retries;
  #state = DownloadState.READY;
  #control = new AbortController();
  #run = Promise.resolve();

  /** `writer` is a FileSystemWritableFileStream, or has the same `write`, `truncate`, `close` and `abort`. */
  constructor(url, { api, size, etag, writer, retries = DEFAULT_RETRIES }) {
    super();
    this.size = size;
    this.#url = url;
    this.#api = api;
    this.#etag = etag;
    this.#writer = writer;
    this.#retries = retries;
  }

  get state() {
    return this.#state;
  }

  get running() {
    return this.#state === DownloadState.RECEIVING;
  }

  /** Start, or go on after a pause or a failure. */
  start() {
    if (this.running || this.#state === DownloadState.DONE || this.#state === DownloadState.CANCELLED) return;
    this.#control = new AbortController();
    const { signal } = this.#control;
    this.error = null;
    this.#enter(DownloadState.RECEIVING);
    this.#run = this.#run.then(() => this.#transfer(signal));
  }

  pause() {
    if (!this.running) return;
    this.#enter(DownloadState.PAUSED);
    this.#control.abort();
  }

  /** Stop, and throw away what was written. */
  async cancel() {
    if (this.#state === DownloadState.DONE || this.#state === DownloadState.CANCELLED) return;
    this.#enter(DownloadState.CANCELLED);
    this.#control.abort();
    await this.#run;
    await this.#writer.abort();
  }

  async #transfer(signal) {
    const onWait = (error, delay) => this.#announce("waiting", { error, delay });
    try {
      await retrying(() => this.#receive(signal), { policy: this.#retries, signal, onWait });
      await this.#writer.close();
      this.#enter(DownloadState.DONE);
    } catch (error) {
      if (signal.aborted) return;
      this.error = error;
      this.#enter(DownloadState.FAILED);
    }
  }

  async #receive(signal) {
    if (this.receivedBytes === this.size && this.size > 0) return;
    const stall = new AbortController();
    const watchdog = new Watchdog(STALL_TIMEOUT, () => stall.abort());
    const either = anySignal(signal, stall.signal);
    try {
      const response = await this.#api.content(this.#url, { start: this.receivedBytes, etag: this.#etag, signal: either });
      await this.#adopt(response);
      await this.#pour(response, watchdog);
    } catch (error) {
      if (signal.aborted || error.status || error.connectionLost) throw error;
      // The body broke off, or nothing came for too long; what the writer says is final.
      throw stall.signal.aborted || error instanceof TypeError ? new ConnectionLost() : error;
    } finally {
      watchdog.stop();
    }
  }

  /** 206 goes on; 200 is the whole file, perhaps another one than before. */
  async #adopt(response) {
    if (response.status === 206) return;
    if (this.receivedBytes > 0) {
      this.receivedBytes = 0;
      await this.#writer.truncate(0);
      this.#announce("restarted");
    }
    this.#etag = response.headers.get("ETag") ?? this.#etag;
    const length = response.headers.get("Content-Length");
    if (length !== null) this.size = Number(length);
  }

  async #pour(response, watchdog) {
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      watchdog.feed();
      await this.#writer.write({ type: "write", position: this.receivedBytes, data: value });
      this.receivedBytes += value.length;
      this.#announce("progress");
    }
    if (this.receivedBytes < this.size) throw new ConnectionLost();
  }

  #enter(state) {
    this.#state = state;
    this.#announce("state");
  }

  #announce(type, detail) {
    this.dispatchEvent(new DetailEvent(type, detail));
  }
}
