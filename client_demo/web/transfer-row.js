// One upload in the list: its progress, what it is doing, what can be done about it.

import { fromTemplate } from "./dialogs.js";
import { formatAmount, formatBytes, formatDuration, formatError, formatPace, formatPercent } from "./format.js";
import { label, t } from "./language.js";
import { State } from "./uploader.js";

export class TransferRow {
  #uploader;
  #live;
  #parts;

  /** `live(uploader)` tells {speed, trouble}; `actions` has `toggle`, `cancel`; `url(file)` an address. */
  constructor(uploader, { live, actions, url }) {
    this.#uploader = uploader;
    this.#live = live;
    this.url = url;
    this.element = fromTemplate("transfer-template");
    this.#parts = partsOf(this.element);
    this.#parts.toggle.addEventListener("click", () => actions.toggle(uploader));
    this.#parts.cancel.addEventListener("click", () => actions.cancel(uploader));
    const name = uploader.path || uploader.file.name;
    this.#parts.name.textContent = name;
    this.#parts.name.title = name;
  }

  draw() {
    const { state, file } = this.#uploader;
    const share = shareOf(this.#uploader);
    const status = this.#status();
    this.element.dataset.state = state;
    this.#parts.progress.value = share;
    this.#parts.progress.setAttribute("aria-label", t("progressOf", { name: file.name }));
    set(this.#parts.percent, formatPercent(share));
    set(this.#parts.status, status);
    this.#parts.status.title = state === State.FAILED ? status : "";
    this.#drawActions();
  }

  #drawActions() {
    const { state, file, published, error } = this.#uploader;
    const { toggle, cancel, download } = this.#parts;
    const { DONE, MERGING, FAILED } = State;
    label(toggle, t(verbOf(this.#uploader)), file.name);
    toggle.hidden = state === DONE || state === MERGING || (state === FAILED && error.code === "source-unreadable");
    label(cancel, t(state === DONE ? "close" : "cancel"), file.name);
    cancel.hidden = state === MERGING;
    download.hidden = state !== DONE;
    if (state !== DONE) return;
    label(download, t("download"), file.name);
    download.href = this.url(published);
  }

  #status() {
    const { state, file, sentBytes, checkedBytes, error, instant } = this.#uploader;
    const { speed, trouble } = this.#live(this.#uploader);
    const size = formatBytes(file.size);
    const amount = formatAmount(sentBytes, file.size);
    if (this.#uploader.running && trouble) return troubleText(trouble);
    switch (state) {
      case State.READY:
        return t("ready", { size });
      case State.CHECKING:
        return t("checking", { amount: formatAmount(checkedBytes, file.size) });
      case State.SENDING:
        return [amount, ...formatPace(speed, file.size - sentBytes)].join(" · ");
      case State.PAUSED:
        return t("paused", { amount });
      case State.FAILED:
        return t("failed", { message: formatError(error) });
      case State.DONE:
        return t(instant ? "instant" : "done", { size });
      default:
        return t(state === State.MERGING ? "merging" : "starting");
    }
  }
}

/** What is being waited for, in words. */
export function troubleText({ error, delay }) {
  if (delay === Infinity) return t("offline");
  const message = formatError(error).replace(/\.$/, "");
  return t("waiting", { message, time: formatDuration(delay / 1000) });
}

function shareOf({ state, file, sentBytes, checkedBytes }) {
  if (state === State.DONE) return 1;
  const bytes = state === State.CHECKING ? checkedBytes : sentBytes;
  return file.size ? Math.min(bytes / file.size, 0.999) : 0;
}

function verbOf({ running, state }) {
  if (running) return "pause";
  if (state === State.FAILED) return "retry";
  return state === State.READY ? "startNow" : "resume";
}

/** Change the text only if it is another: selections and screen readers are not disturbed. */
function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function partsOf(element) {
  const find = (selector) => element.querySelector(selector);
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
