// The uploads of this window: the whole with its progress and buttons, and the list of them.

import { announce, confirmed, notify } from "./dialogs.js";
import { formatAmount, formatError, formatPace, formatPercent } from "./format.js";
import { languageChanges, t } from "./language.js";
import { SpeedMeter } from "./speed.js";
import { TransferRow } from "./transfer-row.js";
import { State } from "./uploader.js";
import { WindowedList } from "./windowed-list.js";

const DRAW_EVERY = 200;

export class TransfersView {
  #section;
  #queue;
  #list;
  #parts;
  #speed = new SpeedMeter();
  /** Uploader → {meter, trouble, sentBefore}. */
  #live = new WeakMap();
  #drawing = 0;

  constructor(section, { queue, url }) {
    this.#section = section;
    this.#queue = queue;
    this.#parts = partsOf(section);
    const actions = { toggle: (uploader) => toggle(uploader), cancel: (uploader) => this.#cancel(uploader) };
    const live = (uploader) => ({ speed: this.#liveOf(uploader).meter.bytesPerSecond, ...this.#liveOf(uploader) });
    const makeRow = (uploader) => new TransferRow(uploader, { live, actions, url });
    this.#list = new WindowedList(this.#parts.viewport, this.#parts.list, makeRow);
    this.#listen();
  }

  #listen() {
    const { pause, resume, retry, cancel, clear } = this.#parts;
    for (const type of ["added", "removed"]) this.#queue.addEventListener(type, () => this.#changed());
    this.#queue.addEventListener("change", ({ detail }) => this.#followed(detail.uploader));
    this.#queue.addEventListener("progress", ({ detail }) => this.#progressed(detail.uploader));
    this.#queue.addEventListener("waiting", ({ detail }) => this.#waiting(detail));
    languageChanges.addEventListener("change", () => this.#changed());
    pause.addEventListener("click", () => this.#queue.pauseAll());
    resume.addEventListener("click", () => this.#queue.resumeAll());
    retry.addEventListener("click", () => this.#queue.retryFailed());
    cancel.addEventListener("click", () => this.#cancelAll());
    clear.addEventListener("click", () => this.#queue.clearDone());
  }

  #followed(uploader) {
    const live = this.#liveOf(uploader);
    live.meter.reset();
    live.trouble = null;
    if (!this.#queue.runningCount) this.#speed.reset();
    const { state, file } = uploader;
    if (state === State.DONE) announce(t("uploaded", { name: file.name }));
    if (state === State.FAILED) {
      announce(t("notUploaded", { name: file.name, message: formatError(uploader.error) }));
    }
    this.#drawSoon();
  }

  #progressed(uploader) {
    if (uploader.state === State.SENDING) {
      const live = this.#liveOf(uploader);
      // A chunk that failed takes its bytes back: only more than before means that the trouble is over.
      if (uploader.sentBytes > live.sentBefore) live.trouble = null;
      live.sentBefore = uploader.sentBytes;
      live.meter.record(uploader.sentBytes);
    }
    this.#drawSoon();
  }

  #waiting({ uploader, error, delay }) {
    const live = this.#liveOf(uploader);
    live.trouble = { error, delay };
    live.meter.reset();
    this.#drawSoon();
  }

  #liveOf(uploader) {
    let live = this.#live.get(uploader);
    if (!live) {
      live = { meter: new SpeedMeter(), trouble: null, sentBefore: 0 };
      this.#live.set(uploader, live);
    }
    return live;
  }

  async #cancel(uploader) {
    if (uploader.state === State.DONE) return this.#queue.remove([uploader]);
    const sure = await confirmed({
      title: t("cancelTitle"),
      text: t("cancelText", { name: uploader.file.name }),
      yes: t("cancelYes"),
      no: t("keep"),
    });
    if (sure) await uploader.cancel().catch(() => notify(t("notTold")));
    return undefined;
  }

  async #cancelAll() {
    const n = this.#queue.uploaders.length - this.#queue.count(State.DONE);
    const sure = await confirmed({
      title: t("cancelAllTitle"),
      text: t("cancelAllText", { n }),
      yes: t("cancelAll"),
      no: t("keepAll"),
    });
    if (sure && (await this.#queue.cancelAll()) > 0) notify(t("notTold"));
  }

  #changed() {
    this.#list.show(this.#queue.uploaders);
    this.#drawSoon();
  }

  /** Progress comes in faster than a screen can show it. */
  #drawSoon() {
    this.#drawing ||= setTimeout(() => {
      this.#drawing = 0;
      this.#draw();
    }, DRAW_EVERY);
  }

  #draw() {
    const all = this.#queue.uploaders.length;
    this.#section.hidden = all === 0;
    this.#list.drawSoon();
    if (all === 0) return;
    this.#drawWhole(all);
    this.#drawButtons(all);
  }

  #drawWhole(all) {
    const { sentBytes, totalBytes, runningCount } = this.#queue;
    const done = this.#queue.count(State.DONE);
    const share = done === all ? 1 : Math.min(totalBytes ? sentBytes / totalBytes : 0, 0.999);
    if (runningCount) this.#speed.record(sentBytes);
    const pace = runningCount ? formatPace(this.#speed.bytesPerSecond, totalBytes - sentBytes) : [];
    const failed = this.#queue.count(State.FAILED);
    const words = [t("overallCount", { done, all }), formatAmount(sentBytes, totalBytes), ...pace];
    if (failed) words.push(t("overallFailed", { n: failed }));
    this.#parts.progress.value = share;
    this.#parts.percent.textContent = formatPercent(share);
    this.#parts.status.textContent = words.join(" · ");
  }

  #drawButtons(all) {
    const { pause, resume, retry, cancel, clear } = this.#parts;
    const count = (...states) => this.#queue.count(...states);
    const done = count(State.DONE);
    pause.hidden = count(State.STARTING, State.CHECKING, State.SENDING, State.READY) === 0;
    resume.hidden = count(State.PAUSED) === 0;
    retry.hidden = count(State.FAILED) === 0;
    cancel.hidden = done === all;
    clear.hidden = done === 0;
  }
}

function toggle(uploader) {
  if (uploader.running) uploader.pause();
  else uploader.start();
}

function partsOf(section) {
  const find = (selector) => section.querySelector(selector);
  return {
    progress: find(".whole progress"),
    percent: find(".whole .percent"),
    status: find(".whole .status"),
    viewport: find(".viewport"),
    list: find("ul"),
    pause: find(".pause-all"),
    resume: find(".resume-all"),
    retry: find(".retry-failed"),
    cancel: find(".cancel-all"),
    clear: find(".clear-done"),
  };
}
