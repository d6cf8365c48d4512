// Downloads that this page writes itself, where the browser lets it (File System Access API): progress, pause, resume.
// Elsewhere a link is a link, and the browser's own download does it.

import { announce, confirmed, fromTemplate, notify } from "./dialogs.js";
import { Downloader, DownloadState } from "./downloader.js";
import { formatAmount, formatBytes, formatError, formatPace, formatPercent } from "./format.js";
import { label, languageChanges, t } from "./language.js";
import { SpeedMeter } from "./speed.js";
import { troubleText } from "./transfer-row.js";

export const canSave = () => typeof globalThis.showSaveFilePicker === "function";

export class Downloads {
  #section;
  #list;
  #api;

  constructor(section, { api }) {
    this.#section = section;
    this.#list = section.querySelector("ul");
    this.#api = api;
  }

  /** Ask where to save the file, and download it there. */
  async start(file) {
    try {
      const handle = await showSaveFilePicker({ suggestedName: file.filename });
      this.#add(file, await handle.createWritable());
    } catch (error) {
      if (error.name !== "AbortError") notify(error.message);
    }
  }

  #add(file, writer) {
    const options = { api: this.#api, size: file.size, etag: file.etag, writer };
    const downloader = new Downloader(this.#api.contentUrl(file), options);
    const card = new DownloadCard(file, downloader, () => this.#removed(card));
    this.#list.append(card.element);
    this.#section.hidden = false;
    downloader.start();
  }

  #removed(card) {
    card.element.remove();
    this.#section.hidden = this.#list.childElementCount === 0;
  }
}

class DownloadCard {
  #file;
  #downloader;
  #onRemove;
  #speed = new SpeedMeter();
  #trouble = null;
  #drawing = 0;

  constructor(file, downloader, onRemove) {
    this.#file = file;
    this.#downloader = downloader;
    this.#onRemove = onRemove;
    this.element = fromTemplate("transfer-template");
    this.#find(".name").textContent = file.filename;
    this.#find(".name").title = file.filename;
    this.#find(".toggle").addEventListener("click", () => this.#toggle());
    this.#find(".cancel").addEventListener("click", () => this.#cancel());
    this.#listen(downloader);
  }

  #listen(downloader) {
    downloader.addEventListener("state", () => this.#changed());
    downloader.addEventListener("progress", () => this.#progressed());
    downloader.addEventListener("restarted", () => notify(t("downloadRestarted")));
    downloader.addEventListener("waiting", ({ detail }) => {
      this.#trouble = detail;
      this.#speed.reset();
      this.#draw();
    });
    languageChanges.addEventListener("change", () => this.#draw());
  }

  #toggle() {
    if (this.#downloader.running) this.#downloader.pause();
    else this.#downloader.start();
  }

  async #cancel() {
    const { state } = this.#downloader;
    if (state !== DownloadState.DONE) {
      const text = t("cancelText", { name: this.#file.filename });
      if (!(await confirmed({ title: t("cancel"), text, yes: t("cancel"), no: t("keep") }))) return;
      await this.#downloader.cancel().catch(() => {});
    }
    this.#onRemove();
  }

  #changed() {
    this.#trouble = null;
    this.#speed.reset();
    if (this.#downloader.state === DownloadState.DONE) announce(`${t("downloaded", { size: "" })} ${this.#file.filename}`);
    this.#draw();
  }

  #progressed() {
    this.#trouble = null;
    this.#speed.record(this.#downloader.receivedBytes);
    this.#drawing ||= setTimeout(() => {
      this.#drawing = 0;
      this.#draw();
    }, 200);
  }

  #draw() {
    const { state, running, receivedBytes, size } = this.#downloader;
    const { filename: name } = this.#file;
    const done = state === DownloadState.DONE;
    const share = done ? 1 : Math.min(size ? receivedBytes / size : 0, 0.999);
    const verb = t(running ? "pause" : state === DownloadState.FAILED ? "retry" : "resume");
    this.element.dataset.state = state;
    this.#find("progress").value = share;
    this.#find("progress").setAttribute("aria-label", t("progressOf", { name }));
    this.#find(".percent").textContent = formatPercent(share);
    this.#find(".status").textContent = this.#status();
    label(this.#find(".toggle"), verb, name);
    this.#find(".toggle").hidden = done;
    label(this.#find(".cancel"), t(done ? "close" : "cancel"), name);
  }

  #status() {
    const { state, receivedBytes, size, error } = this.#downloader;
    const amount = formatAmount(receivedBytes, size);
    if (state === DownloadState.DONE) return t("downloaded", { size: formatBytes(size) });
    if (state === DownloadState.FAILED) return t("failed", { message: formatError(error) });
    if (state === DownloadState.PAUSED) return t("paused", { amount });
    if (this.#trouble) return troubleText(this.#trouble);
    return [amount, ...formatPace(this.#speed.bytesPerSecond, size - receivedBytes)].join(" · ");
  }

  #find(selector) {
    return this.element.querySelector(selector);
  }
}
