// Uploads begun earlier and not finished: a page cannot open a file by itself, so it asks to choose it again.

import { confirmed, fromTemplate, notify } from "./dialogs.js";
import { fingerprintOf } from "./fingerprint.js";
import { formatBytes, formatPercent } from "./format.js";

export class UnfinishedList {
  #section;
  #list;
  #picker;
  #api;
  #unfinished;
  #transfers;
  /** The entry a file is being chosen for. */
  #wanted = null;

  constructor(section, { api, unfinished, transfers }) {
    this.#section = section;
    this.#list = section.querySelector("ul");
    this.#picker = section.querySelector("input[type=file]");
    this.#api = api;
    this.#unfinished = unfinished;
    this.#transfers = transfers;
    this.#picker.addEventListener("change", () => this.#chosen());
  }

  /** Show what is unfinished and not being uploaded here; drop what the server no longer has. */
  async refresh() {
    const waiting = this.#unfinished.all().filter(({ fingerprint }) => !this.#transfers.has(fingerprint));
    const known = await Promise.all(waiting.map((entry) => this.#look(entry)));
    const open = known.filter((pair) => pair && !this.#transfers.has(pair.entry.fingerprint));
    this.#list.replaceChildren(...open.map((pair) => this.#card(pair)));
    this.#section.hidden = open.length === 0;
  }

  async #look(entry) {
    try {
      const upload = await this.#api.upload(entry.id);
      if (upload.status === "open") return { entry, uploadedBytes: upload.uploaded_bytes };
      this.#unfinished.forget(entry.id);
    } catch (error) {
      // The server cannot be asked now: it may well be there.
      if (error.status !== 404 && error.status !== 410) return { entry, uploadedBytes: null };
      this.#unfinished.forget(entry.id);
    }
    return null;
  }

  #card({ entry, uploadedBytes }) {
    const card = fromTemplate("unfinished-template");
    const share = entry.size ? (uploadedBytes ?? 0) / entry.size : 0;
    card.querySelector(".name").textContent = entry.filename;
    card.querySelector(".name").title = entry.filename;
    card.querySelector("progress").value = share;
    card.querySelector("progress").setAttribute("aria-label", `Uploaded of ${entry.filename}`);
    card.querySelector(".percent").textContent = uploadedBytes === null ? "" : formatPercent(share);
    card.querySelector(".status").textContent = this.#hint(entry, uploadedBytes);
    const again = card.querySelector(".again");
    again.setAttribute("aria-label", `Choose ${entry.filename} again to go on`);
    again.addEventListener("click", () => this.#choose(entry));
    const discard = card.querySelector(".discard");
    discard.setAttribute("aria-label", `Discard the upload of ${entry.filename}`);
    discard.addEventListener("click", () => this.#discard(entry));
    return card;
  }

  #hint(entry, uploadedBytes) {
    const action = `Choose “${entry.filename}” again to go on`;
    if (uploadedBytes === null) return `${action}.`;
    return `${formatBytes(uploadedBytes)} of ${formatBytes(entry.size)} are on the server. ${action}.`;
  }

  #choose(entry) {
    this.#wanted = entry;
    this.#picker.value = "";
    this.#picker.click();
  }

  async #chosen() {
    const [file] = this.#picker.files;
    if (!file) return;
    if ((await fingerprintOf(file)) !== this.#wanted.fingerprint) {
      notify(`That is not the same file as “${this.#wanted.filename}”, or it was changed since.`);
      return;
    }
    notify("");
    await this.#transfers.add(file);
    await this.refresh();
  }

  async #discard(entry) {
    const sure = await confirmed({
      title: "Discard this upload?",
      text: `What was sent of “${entry.filename}” is thrown away.`,
      yes: "Discard",
      no: "Keep it",
    });
    if (!sure) return;
    try {
      await this.#api.abort(entry.id);
    } catch (error) {
      if (error.status !== 404 && error.status !== 410) {
        notify(`The upload could not be discarded: ${error.message}.`);
        return;
      }
    }
    this.#unfinished.forget(entry.id);
    await this.refresh();
  }
}
