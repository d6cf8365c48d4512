// Many files on their way: some at once, the others in turn; and what one may want to know of them all. No DOM.
//
// Events: "added" and "removed" (detail: the uploaders), "change" (detail: {uploader}, its state changed), "progress"
// (of any), "upload" (the server's upload is known), "waiting" (detail: {uploader, error, delay}).

import { ChunkLimit } from "./chunk-limit.js";
import { DetailEvent } from "./events.js";
import { State, Uploader } from "./uploader.js";

const AT_ONCE = 3;

export class UploadQueue extends EventTarget {
  #api;
  #atOnce;
  #limit = new ChunkLimit();
  #stop = new AbortController();
  /** Key → uploader; the order is that in which they were added. */
  #uploaders = new Map();
  /** Uploader → its state as counted. */
  #states = new Map();
  #counts = new Map();
  #running = new Set();
  /** Those with bytes on the server that are not done. */
  #begun = new Set();
  #ready = new Set();
  #starting = false;
  #doneBytes = 0;
  #totalBytes = 0;

  constructor({ api, atOnce = AT_ONCE }) {
    super();
    this.#api = api;
    this.#atOnce = atOnce;
  }

  get uploaders() {
    return Array.from(this.#uploaders.values());
  }

  get totalBytes() {
    return this.#totalBytes;
  }

  /** Bytes sent, of all. */
  get sentBytes() {
    let sent = this.#doneBytes;
    for (const uploader of this.#begun) sent += uploader.sentBytes;
    return sent;
  }

  /** How many are in one of these states. */
  count(...states) {
    return states.reduce((sum, state) => sum + (this.#counts.get(state) ?? 0), 0);
  }

  get runningCount() {
    return this.#running.size;
  }

  /** Add `{file, path}` items and start what may start. One that is there already goes on. */
  add(items) {
    const added = [];
    for (const { file, path = "" } of items) {
      const key = keyOf(file, path);
      const known = this.#uploaders.get(key);
      if (known && known.state !== State.DONE) {
        known.start();
        continue;
      }
      if (known) this.remove([known]);
      added.push(this.#insert(key, file, path));
    }
    if (added.length) this.#announce("added", added);
    this.#startNext();
    return added;
  }

  has(file, path = "") {
    return this.#uploaders.has(keyOf(file, path));
  }

  /** Stop everything at once; `resumeAll` goes on. */
  pauseAll() {
    this.#ready.clear();
    this.#stop.abort();
    this.#stop = new AbortController();
    for (const uploader of this.#uploaders.values()) this.#obey(uploader);
  }

  /** Those that are paused or have failed take their turn again. */
  resumeAll() {
    for (const uploader of this.#uploaders.values()) {
      if (uploader.state === State.PAUSED || uploader.state === State.FAILED) this.#ready.add(uploader);
    }
    this.#startNext();
  }

  retryFailed() {
    for (const uploader of this.#uploaders.values()) if (uploader.state === State.FAILED) this.#ready.add(uploader);
    this.#startNext();
  }

  /** Cancel all that is not done. Resolves to how many the server could not be told about. */
  async cancelAll() {
    const open = this.uploaders.filter((uploader) => uploader.state !== State.DONE);
    this.#ready.clear();
    const results = await Promise.allSettled(open.map((uploader) => uploader.cancel()));
    return results.filter(({ status }) => status === "rejected").length;
  }

  /** Forget those that are done. */
  clearDone() {
    this.remove(this.uploaders.filter((uploader) => uploader.state === State.DONE));
  }

  remove(uploaders) {
    for (const uploader of uploaders) {
      if (!this.#uploaders.delete(keyOf(uploader.file, uploader.path))) continue;
      this.#count(this.#states.get(uploader), -1);
      this.#totalBytes -= uploader.file.size;
      if (this.#states.get(uploader) === State.DONE) this.#doneBytes -= uploader.file.size;
      this.#states.delete(uploader);
      this.#running.delete(uploader);
      this.#begun.delete(uploader);
      this.#ready.delete(uploader);
    }
    this.#announce("removed", uploaders);
  }

  #insert(key, file, path) {
    const uploader = new Uploader(file, { api: this.#api, path, limit: this.#limit });
    this.#uploaders.set(key, uploader);
    this.#ready.add(uploader);
    this.#totalBytes += file.size;
    this.#states.set(uploader, uploader.state);
    this.#count(uploader.state, 1);
    this.#obey(uploader);
    uploader.addEventListener("state", () => this.#followed(uploader));
    uploader.addEventListener("upload", () => this.#announce("upload", { uploader }));
    uploader.addEventListener("progress", () => this.#announce("progress", { uploader }));
    uploader.addEventListener("waiting", ({ detail }) => this.#announce("waiting", { uploader, ...detail }));
    return uploader;
  }

  /** One AbortController stops them all. */
  #obey(uploader) {
    const { signal } = this.#stop;
    signal.addEventListener("abort", () => uploader.pause(), { once: true });
  }

  #followed(uploader) {
    const { state } = uploader;
    if (!this.#states.has(uploader)) return;
    this.#count(this.#states.get(uploader), -1);
    this.#count(state, 1);
    this.#states.set(uploader, state);
    if (state !== State.READY) this.#ready.delete(uploader);
    if (uploader.running) {
      this.#begun.add(uploader);
      this.#running.add(uploader);
    } else {
      this.#running.delete(uploader);
    }
    if (state === State.DONE) {
      this.#begun.delete(uploader);
      this.#doneBytes += uploader.file.size;
    }
    this.#announce("change", { uploader });
    if (state === State.CANCELLED) this.remove([uploader]);
    if (!uploader.running && !this.#starting) this.#startNext();
  }

  /** Start those that wait, oldest first, as long as there is room. */
  #startNext() {
    this.#starting = true;
    for (const uploader of this.#ready) {
      if (this.#running.size >= this.#atOnce) break;
      this.#ready.delete(uploader);
      uploader.start();
    }
    this.#starting = false;
  }

  #count(state, change) {
    this.#counts.set(state, (this.#counts.get(state) ?? 0) + change);
  }

  #announce(type, detail) {
    this.dispatchEvent(new DetailEvent(type, detail));
  }
}

/** What tells one file of a queue from another. */
export function keyOf(file, path) {
  return JSON.stringify([path || file.name, file.size, file.lastModified]);
}

/** The keys of uploaders, or of `{file, path}` items. */
export function keysOf(items) {
  return items.map(({ file, path }) => keyOf(file, path));
}
