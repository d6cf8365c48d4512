// One file on its way to the server. No DOM: for any page, for a worker, for Node. docs/page.md describes it.
//
//   const uploader = new Uploader(file, { api: new Api("https://files.example/") });
//   uploader.addEventListener("progress", () => console.log(uploader.sentBytes / file.size));
//   uploader.start();
//
// Events: "state" (see State), "progress" (`sentBytes` or `checkedBytes` changed), "waiting" (detail: {error, delay},
// a request failed and is tried again after `delay` ms), "upload" (the server's upload is known).

import { Api } from "./api.js";
import { ChunkHashes, LARGEST_HASHED_CHUNK } from "./chunk-hashes.js";
import { ChunkLimit } from "./chunk-limit.js";
import { canDigest, contentDigest, fingerprintOf, Unreadable } from "./digests.js";
import { DetailEvent } from "./events.js";
import { DEFAULT_RETRIES, retrying } from "./retry.js";
import { anySignal } from "./signals.js";

export { Api, ChunkLimit };

/** Where an uploader is. Paused and failed ones can be resumed; done and cancelled are final. */
export const State = Object.freeze({
  READY: "ready",
  STARTING: "starting",
  CHECKING: "checking",
  SENDING: "sending",
  MERGING: "merging",
  PAUSED: "paused",
  FAILED: "failed",
  DONE: "done",
  CANCELLED: "cancelled",
});

const RUNNING = new Set([State.STARTING, State.CHECKING, State.SENDING, State.MERGING]);
const FINAL = new Set([State.DONE, State.CANCELLED]);
const DEFAULT_CHUNK_SIZE = 8 << 20;
const MOST_CHUNKS = 10_000;

/** The file cannot be read any more: changed, moved or deleted since it was chosen. */
export class SourceUnreadable extends Error {
  name = "SourceUnreadable";
  code = "source-unreadable";
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
  /** Whether the server had the bytes already, so that none were sent. */
  instant = false;
  /** Bytes hashed so far, in state "checking". */
  checkedBytes = 0;

  #api;
  #limit;
  #chunkSize;
  #retries;
  #hashes = null;
  #state = State.READY;
  #control = new AbortController();
  #run = Promise.resolve();
  /** Bytes in chunks the server has. */
  #storedBytes = 0;
  /** Chunk number → bytes of it sent so far. */
  #inFlight = new Map();

  /**
   * `path` is kept as metadata. `limit` bounds how many chunks are sent at once, and can be shared. `chunkSize` is in
   * bytes. When `signal` aborts, the upload pauses.
   */
  constructor(file, { api, path = "", limit = new ChunkLimit(), chunkSize = 0, retries = DEFAULT_RETRIES, signal }) {
    super();
    this.file = file;
    this.path = path;
    this.#api = api;
    this.#limit = limit;
    this.#chunkSize = chunkSize || defaultChunkSize(file.size);
    this.#retries = retries;
    signal?.addEventListener("abort", () => this.pause());
  }

  get state() {
    return this.#state;
  }

  get running() {
    return RUNNING.has(this.#state);
  }

  /** Bytes that arrived or are on their way. */
  get sentBytes() {
    if (this.#state === State.DONE) return this.file.size;
    let sent = this.#storedBytes;
    for (const bytes of this.#inFlight.values()) sent += bytes;
    return sent;
  }

  /** Start, or go on after a pause or a failure. Always asks the server what it lacks. */
  start() {
    if (this.running || FINAL.has(this.#state)) return;
    this.#control = new AbortController();
    const { signal } = this.#control;
    this.error = null;
    this.#enter(State.STARTING);
    // A run that was just paused ends first.
    this.#run = this.#run.then(() => this.#transfer(signal));
  }

  /** Stop sending; chunks that arrived stay on the server. */
  pause() {
    if (!this.running && this.#state !== State.READY) return;
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
      this.#hashes = this.#hashesFor(this.upload.chunk_size);
      this.#announce("upload");
      if (this.upload.status === "merged") {
        this.instant = true;
        this.published = this.upload.file;
      } else {
        await this.#send(await this.#missing(signal), signal);
        this.published = await this.#merge(signal);
      }
      this.#enter(State.DONE);
    } catch (error) {
      // Aborted by pause() or cancel(), which have said so already.
      if (signal.aborted) return;
      this.error = error instanceof Unreadable ? new SourceUnreadable(this.file.name) : error;
      this.#enter(State.FAILED);
    } finally {
      this.#inFlight.clear();
    }
  }

  /** Of an upload that was begun before, nothing is asked but where it stands. */
  async #create(signal) {
    const wanted = {
      filename: this.file.name,
      size: this.file.size,
      contentType: this.file.type,
      fingerprint: await fingerprintOf(this.file, this.path),
      chunkSize: this.#chunkSize,
      metadata: this.path ? { path: this.path } : undefined,
    };
    try {
      const treeDigest = this.upload ? null : await this.#treeDigest(signal);
      return await this.#retrying(() => this.#createWith(wanted, treeDigest, signal), signal);
    } catch (error) {
      const limit = error.problem?.limit;
      // The server takes smaller chunks only; a limit for whole files is over any that we could choose.
      if (error.code !== "too-large" || !(limit < this.#chunkSize) || this.file.size > limit * MOST_CHUNKS) throw error;
      this.#chunkSize = limit;
      return this.#create(signal);
    }
  }

  async #createWith(wanted, treeDigest, signal) {
    if (treeDigest) {
      try {
        return await this.#api.createUpload({ ...wanted, treeDigest }, signal);
      } catch (error) {
        // A server that knows no tree digests calls the field a fault.
        if (error.status !== 400) throw error;
      }
    }
    return this.#api.createUpload(wanted, signal);
  }

  /** The file's tree digest, if the server may have such a file; reading all of it is worth it only then. */
  async #treeDigest(signal) {
    if (!this.file.size || !canDigest() || this.#chunkSize > LARGEST_HASHED_CHUNK) return null;
    if (!(await this.#hasCandidate(signal))) return null;
    this.#enter(State.CHECKING);
    this.#hashes = this.#hashesFor(this.#chunkSize);
    return this.#hashes.tree(signal, (bytes) => {
      this.checkedBytes = bytes;
      this.#announce("progress");
    });
  }

  async #hasCandidate(signal) {
    const { size } = this.file;
    try {
      const { items } = await this.#retrying(() => this.#api.files({ size, limit: 1 }, signal), signal);
      return items[0]?.size === size;
    } catch (error) {
      if (error.status === 400) return false;
      throw error;
    }
  }

  async #missing(signal) {
    const { uploaded } = await this.#retrying(() => this.#api.chunks(this.upload.id, signal), signal);
    const present = new Set(uploaded);
    this.#storedBytes = uploaded.reduce((sum, number) => sum + this.#hashes.chunk(number).size, 0);
    this.#enter(State.SENDING);
    this.#announce("progress");
    return Array.from({ length: this.upload.chunk_count }, (_, number) => number).filter((n) => !present.has(n));
  }

  /** Send these chunks, some at once. The first that fails for good stops the others. */
  async #send(numbers, signal) {
    const queue = numbers.values();
    const failure = new AbortController();
    const either = anySignal(signal, failure.signal);
    const lanes = Array.from({ length: Math.min(this.#limit.max, numbers.length) }, async () => {
      try {
        for (const number of queue) await this.#retrying(() => this.#sendInTurn(number, either), either);
      } catch (error) {
        failure.abort(error);
      }
    });
    await Promise.all(lanes);
    if (either.aborted) throw either.reason;
  }

  async #sendInTurn(number, signal) {
    await this.#limit.acquire(signal);
    try {
      await this.#sendChunk(number, signal);
      this.#limit.release(this.#hashes.chunk(number).size);
    } catch (error) {
      if (error.passing) this.#limit.releaseFailed();
      else this.#limit.release(0);
      throw error;
    }
  }

  async #sendChunk(number, signal) {
    const blob = this.#hashes.chunk(number);
    try {
      const sha256 = await this.#hashes.of(number);
      const digest = sha256 && contentDigest(sha256);
      const onProgress = (sent) => this.#moved(number, Math.min(sent, blob.size));
      await this.#api.putChunk(this.upload.id, number, blob, { digest, signal, onProgress });
      this.#storedBytes += blob.size;
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

  #hashesFor(chunkSize) {
    return this.#hashes?.chunkSize === chunkSize ? this.#hashes : new ChunkHashes(this.file, chunkSize);
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

  #announce(type, detail) {
    this.dispatchEvent(new DetailEvent(type, detail));
  }
}

/** 8 MiB, doubled until there are no more chunks than the server allows. */
function defaultChunkSize(size) {
  let chunkSize = DEFAULT_CHUNK_SIZE;
  while (chunkSize * MOST_CHUNKS < size) chunkSize *= 2;
  return chunkSize;
}
