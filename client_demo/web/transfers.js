// The list of uploads in progress: one card each, two running at once, the others waiting their turn.

import { announce, confirmed, fromTemplate, notify } from "./dialogs.js";
import { fingerprintOf } from "./fingerprint.js";
import { formatBytes, formatDuration, formatPercent, formatSpeed } from "./format.js";
import { SpeedMeter } from "./speed.js";
import { SourceUnreadable, State, Uploader } from "./uploader.js";

const AT_ONCE = 2;

export class Transfers extends EventTarget {
  #list;
  #api;
  #unfinished;
  /** Fingerprint → card, for uploads that are not over. */
  #cards = new Map();

  /** Dispatches "published" when a file is there, "settled" when an upload is over in any way. */
  constructor(list, { api, unfinished }) {
    super();
    this.#list = list;
    this.#api = api;
    this.#unfinished = unfinished;
  }

  /** Whether this fingerprint is being uploaded here. */
  has(fingerprint) {
    return this.#cards.has(fingerprint);
  }

  async add(file) {
    const fingerprint = await fingerprintOf(file);
    if (this.has(fingerprint)) {
      // Chosen again: goes on if it was paused or had failed.
      this.#cards.get(fingerprint).uploader.start();
      return;
    }
    const uploader = new Uploader(file, { api: this.#api });
    const card = new TransferCard(uploader, this.#api);
    this.#cards.set(fingerprint, card);
    this.#list.append(card.element);
    uploader.addEventListener("upload", () => this.#remember(uploader, fingerprint));
    uploader.addEventListener("state", () => this.#followed(uploader, fingerprint));
    this.#startNext();
  }

  #remember({ file, upload }, fingerprint) {
    this.#unfinished.remember({ id: upload.id, filename: file.name, size: file.size, fingerprint });
  }

  #followed(uploader, fingerprint) {
    const { state, file, upload } = uploader;
    if (state === State.DONE || state === State.CANCELLED) {
      if (upload) this.#unfinished.forget(upload.id);
      this.#cards.delete(fingerprint);
      this.dispatchEvent(new Event("settled"));
    }
    if (state === State.DONE) {
      announce(`${file.name} is uploaded`);
      this.dispatchEvent(new Event("published"));
    }
    if (state === State.FAILED) announce(`${file.name} could not be uploaded: ${uploader.error.message}`);
    if (!uploader.running) this.#startNext();
  }

  /** Start those that wait, oldest first, as long as there is room. */
  #startNext() {
    const uploaders = Array.from(this.#cards.values(), (card) => card.uploader);
    let room = AT_ONCE - uploaders.filter((uploader) => uploader.running).length;
    for (const uploader of uploaders) {
      if (room > 0 && uploader.state === State.READY) {
        room -= 1;
        uploader.start();
      }
    }
  }
}

class TransferCard {
  #api;
  #parts;
  #speed = new SpeedMeter();
  /** What is being waited for after an error; empty when things go well. */
  #trouble = "";
  #sentBefore = 0;
  #drawing = 0;

  constructor(uploader, api) {
    this.uploader = uploader;
    this.#api = api;
    this.element = fromTemplate("transfer-template");
    this.#parts = partsOf(this.element);
    this.#label(uploader.file.name);
    this.#parts.toggle.addEventListener("click", () => this.#toggle());
    this.#parts.cancel.addEventListener("click", () => this.#cancel());
    uploader.addEventListener("progress", () => this.#progressed());
    uploader.addEventListener("state", () => this.#changed());
    uploader.addEventListener("waiting", ({ detail }) => this.#waiting(detail));
    this.#draw();
  }

  #label(filename) {
    this.#parts.name.textContent = filename;
    this.#parts.name.title = filename;
    this.#parts.progress.setAttribute("aria-label", `Upload of ${filename}`);
    this.#parts.cancel.setAttribute("aria-label", `Cancel upload of ${filename}`);
  }

  #toggle() {
    if (this.uploader.running) this.uploader.pause();
    else this.uploader.start();
  }

  async #cancel() {
    if (this.uploader.state === State.DONE) return this.element.remove();
    const sure = await confirmed({
      title: "Cancel this upload?",
      text: `What was sent of “${this.uploader.file.name}” is thrown away.`,
      yes: "Cancel upload",
      no: "Keep it",
    });
    if (!sure || this.uploader.state === State.DONE) return undefined;
    this.element.remove();
    try {
      await this.uploader.cancel();
    } catch {
      notify("The upload was cancelled here, but the server could not be told. It will expire there by itself.");
    }
    return undefined;
  }

  #progressed() {
    const { state, sentBytes } = this.uploader;
    if (state !== State.SENDING) return;
    // A chunk that failed takes its bytes back: only more than before means that the trouble is over.
    if (sentBytes > this.#sentBefore) this.#trouble = "";
    this.#sentBefore = sentBytes;
    this.#speed.record(sentBytes);
    this.#drawSoon();
  }

  #changed() {
    this.#trouble = "";
    this.#speed.reset();
    this.#draw();
  }

  #waiting({ error, delay }) {
    this.#trouble = `${error.message}. Trying again in ${formatDuration(delay / 1000)}.`;
    this.#speed.reset();
    this.#draw();
  }

  /** Progress comes in faster than a screen can show it. */
  #drawSoon() {
    this.#drawing ||= setTimeout(() => {
      this.#drawing = 0;
      this.#draw();
    }, 200);
  }

  #draw() {
    const { uploader } = this;
    const share = uploader.file.size ? uploader.sentBytes / uploader.file.size : 0;
    const shown = uploader.state === State.DONE ? 1 : Math.min(share, 0.999);
    this.element.dataset.state = uploader.state;
    this.#parts.progress.value = shown;
    this.#parts.percent.textContent = formatPercent(shown);
    this.#parts.status.textContent = this.#status();
    this.#drawActions();
  }

  #drawActions() {
    const { state, file, published, running, error } = this.uploader;
    const { toggle, cancel, download } = this.#parts;
    const verb = running ? "Pause" : state === State.FAILED ? "Try again" : state === State.READY ? "Start now" : "Resume";
    toggle.textContent = verb;
    toggle.setAttribute("aria-label", `${verb}: upload of ${file.name}`);
    toggle.hidden = state === State.DONE || state === State.MERGING || error instanceof SourceUnreadable;
    cancel.hidden = state === State.MERGING;
    if (state !== State.DONE) return;
    cancel.textContent = "Close";
    cancel.setAttribute("aria-label", `Close: ${file.name}`);
    download.href = this.#api.contentUrl(published);
    download.hidden = false;
  }

  #status() {
    const { state, file, sentBytes, error } = this.uploader;
    const amount = `${formatBytes(sentBytes)} of ${formatBytes(file.size)}`;
    switch (state) {
      case State.READY:
        return `Waiting its turn · ${formatBytes(file.size)}`;
      case State.STARTING:
        return this.#trouble || "Starting…";
      case State.SENDING:
        return this.#trouble || [amount, ...this.#pace()].join(" · ");
      case State.MERGING:
        return this.#trouble || "Finishing…";
      case State.PAUSED:
        return `Paused · ${amount}`;
      case State.FAILED:
        return `Stopped: ${error.message}`;
      default:
        return `Uploaded · ${formatBytes(file.size)}`;
    }
  }

  #pace() {
    const speed = this.#speed.bytesPerSecond;
    if (!speed) return [];
    const left = (this.uploader.file.size - this.uploader.sentBytes) / speed;
    return [formatSpeed(speed), `${formatDuration(left)}\u00a0left`];
  }
}

/** A card's elements by their class. */
function partsOf(card) {
  const find = (selector) => card.querySelector(selector);
  return {
    name: find(".name"),
    percent: find(".percent"),
    progress: find("progress"),
    status: find(".status"),
    toggle: find(".toggle"),
    cancel: find(".cancel"),
    download: find(".download"),
  };
}
