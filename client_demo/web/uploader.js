// One file on its way to the server. No DOM: usable from any page, or from a worker.
//
//   const uploader = new Uploader(file, { api: new Api("https://files.example/") });
//   uploader.addEventListener("state", () => console.log(uploader.state));
//   uploader.addEventListener("progress", () => console.log(uploader.sentBytes / file.size));
//   uploader.start();
//
// Events: "state" (see State), "progress" (`sentBytes` changed), "waiting" (detail: {error, delay}, a request failed
// and is tried again after `delay` ms), "upload" (the server's upload is known).

import { canDigest, contentDigest, fingerprintOf } from "./fingerprint.js";
import { DEFAULT_RETRIES, retrying } from "./retry.js";

/** Where an uploader is. Paused and failed ones can be resumed; done and cancelled are final. */
export const State = Object.freeze({
  READY: "ready",
  STARTING: "starting",
  SENDING: "sending",
  MERGING: "merging",
  PAUSED: "paused",
  FAILED: "failed",
  DONE: "done",
  CANCELLED: "cancelled",
});

const RUNNING = new Set([State.STARTING, State.SENDING, State.MERGING]);
const FINAL = new Set([State.DONE, State.CANCELLED]);
// A chunk is hashed in memory; larger ones are sent without a digest.
const LARGEST_HASHED_CHUNK = 64 << 20;

/** The file cannot be read any more: changed, moved or deleted since it was chosen. */
export class SourceUnreadable extends Error {
  name = "SourceUnreadable";
  passing = false;

  constructor(filename) {
    super(`${filename} cannot be read any more. It was changed, moved or deleted; choose it again.`);
  }
}

export class Uploader extends EventTarget {
  /** What went wrong, in state "failed". */
  error = null;
  /** The server's upload resource, once known. */
  upload = null;
  /** The published file, in state "done". */
  published = null;

  #api;
  #parallel;
  #chunkSize;
  #retries;
  #state = State.READY;
  #control = new AbortController();
  #run = Promise.resolve();
  /** Bytes in chunks the server has. */
  #storedBytes = 0;
  /** Chunk number → bytes of it sent so far. */
  #inFlight = new Map();

  /** `parallel` chunks are sent at once. `chunkSize`, in bytes, is the server's choice unless given. */
  constructor(file, { api, parallel = 3, chunkSize = null, retries = DEFAULT_RETRIES }) {
    super();
    this.file = file;
    this.#api = api;
    this.#parallel = parallel;
    this.#chunkSize = chunkSize;
    this.#retries = retries;
  }

  get state() {
    return this.#state;
  }

  get running() {
    return RUNNING.has(this.#state);
  }

  /** Bytes that arrived or are on their way. */
  get sentBytes() {
    let sent = this.#storedBytes;
    for (const bytes of this.#inFlight.values()) sent += bytes;
    return sent;
  }

  /** Start, or go on after a pause or a failure. Always asks the server what it lacks. */
  start() {
    if (this.running || FINAL.has(this.#state)) return;
    this.#control = new AbortController();
    this.error = null;
    this.#enter(State.STARTING);
    // A run that was just paused ends first.
    this.#run = this.#run.then(() => this.#transfer(this.#control.signal));
  }

  /** Stop sending; chunks that arrived stay on the server. */
  pause() {
    if (!this.running) return;
    this.#enter(State.PAUSED);
    this.#control.abort();
  }

  /** Stop, and throw away what the server has. Resolves when it is gone, rejects if the server could not be told. */
  async cancel() {
    if (FINAL.has(this.#state)) return;
    this.#enter(State.CANCELLED);
    this.#control.abort();
    await this.#run;
    if (this.upload) await this.#api.abort(this.upload.id);
  }

  async #transfer(signal) {
    if (signal.aborted) return;
    try {
      this.upload = await this.#create(signal);
      this.#storedBytes = this.upload.uploaded_bytes;
      this.#announce("upload");
      await this.#send(await this.#missing(signal), signal);
      this.published = await this.#merge(signal);
      this.#enter(State.DONE);
    } catch (error) {
      // Aborted by pause() or cancel(), which have said so already.
      if (signal.aborted) return;
      this.error = error;
      this.#enter(State.FAILED);
    } finally {
      this.#inFlight.clear();
    }
  }

  async #create(signal) {
    const wanted = {
      filename: this.file.name,
      size: this.file.size,
      contentType: this.file.type,
      fingerprint: await fingerprintOf(this.file),
      chunkSize: this.#chunkSize,
    };
    return this.#retrying(() => this.#api.createUpload(wanted, signal), signal);
  }

  async #missing(signal) {
    const { uploaded } = await this.#retrying(() => this.#api.chunks(this.upload.id, signal), signal);
    const present = new Set(uploaded);
    this.#storedBytes = uploaded.reduce((sum, number) => sum + this.#chunk(number).size, 0);
    this.#enter(State.SENDING);
    this.#announce("progress");
    return Array.from({ length: this.upload.chunk_count }, (_, number) => number).filter((n) => !present.has(n));
  }

  /** Send these chunks, some at once. The first that fails for good stops the others. */
  async #send(numbers, signal) {
    const queue = numbers.values();
    const failure = new AbortController();
    const either = AbortSignal.any([signal, failure.signal]);
    const lanes = Array.from({ length: this.#parallel }, async () => {
      try {
        for (const number of queue) await this.#retrying(() => this.#sendChunk(number, either), either);
      } catch (error) {
        failure.abort(error);
        throw error;
      }
    });
    await Promise.allSettled(lanes);
    either.throwIfAborted();
  }

  async #sendChunk(number, signal) {
    const { blob, size } = this.#chunk(number);
    try {
      const digest = await this.#digest(blob);
      const onProgress = (sent) => this.#moved(number, Math.min(sent, size));
      await this.#api.putChunk(this.upload.id, number, blob, { digest, signal, onProgress });
      this.#storedBytes += size;
    } finally {
      this.#inFlight.delete(number);
      this.#announce("progress");
    }
  }

  /** Publish; what the server turns out to lack is sent again first. */
  async #merge(signal) {
    for (let lacking = Infinity; ; ) {
      this.#enter(State.MERGING);
      try {
        return await this.#retrying(() => this.#api.merge(this.upload.id, signal), signal);
      } catch (error) {
        // Each round must leave less to send, or the server would keep us here for ever.
        if (error.code !== "missing-chunks" || !(error.problem.missing_count < lacking)) throw error;
        lacking = error.problem.missing_count;
        await this.#send(await this.#missing(signal), signal);
      }
    }
  }

  #chunk(number) {
    const start = number * this.upload.chunk_size;
    const blob = this.file.slice(start, start + this.upload.chunk_size);
    return { blob, size: blob.size };
  }

  /** The chunk's Content-Digest, or null where there can be none; finds out either way if the file is readable. */
  async #digest(blob) {
    const hashed = canDigest && blob.size <= LARGEST_HASHED_CHUNK;
    try {
      const bytes = await (hashed ? blob : blob.slice(0, 1)).arrayBuffer();
      return hashed ? await contentDigest(bytes) : null;
    } catch {
      throw new SourceUnreadable(this.file.name);
    }
  }

  #retrying(operation, signal) {
    const onWait = (error, delay) => this.#announce("waiting", { error, delay });
    return retrying(operation, { policy: this.#retries, signal, onWait });
  }

  #moved(number, bytes) {
    this.#inFlight.set(number, bytes);
    this.#announce("progress");
  }

  #enter(state) {
    if (this.#state === state) return;
    this.#state = state;
    this.#announce("state");
  }

  #announce(type, detail = null) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
