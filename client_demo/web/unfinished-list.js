// What was chosen earlier and is not finished. Where the browser kept a handle one click goes on; elsewhere the page asks
// for the same file and makes sure that it is the same.

import { confirmed, fromTemplate, notify } from "./dialogs.js";
import { fingerprintOf } from "./digests.js";
import { formatAmount, formatError, formatPercent } from "./format.js";
import { label, languageChanges, t } from "./language.js";
import { keyOf, keysOf } from "./queue.js";
import { WaitingCard } from "./waiting-card.js";

export class UnfinishedList {
  #section;
  #list;
  #picker;
  #api;
  #records;
  #queue;
  #onResume;
  #waiting;
  /** The record a file is being chosen for. */
  #wanted = null;
  /** Refreshes that have begun. */
  #turn = 0;

  /** `onResume([{file, path, handle}])` sends files on. */
  constructor(section, { api, records, queue, onResume }) {
    this.#section = section;
    this.#list = section.querySelector("ul");
    this.#picker = section.querySelector("input[type=file]");
    this.#api = api;
    this.#records = records;
    this.#queue = queue;
    this.#onResume = onResume;
    const begunAmong = (items) => this.#begunAmong(items);
    this.#waiting = new WaitingCard({ records, begunAmong, onResume, onChange: () => this.refresh() });
    queue.addEventListener("added", ({ detail }) => {
      this.#waiting.taken(keysOf(detail));
      this.refresh();
    });
    this.#picker.addEventListener("change", () => this.#chosen());
    languageChanges.addEventListener("change", () => this.refresh());
  }

  /** Show what an earlier visit has left. */
  async load() {
    await this.#waiting.load();
    await this.refresh();
  }

  /** Show what is unfinished and not being uploaded here; drop what the server no longer has. */
  async refresh() {
    const turn = ++this.#turn;
    const waiting = (await this.#records.all()).filter((record) => !this.#isHere(record));
    const known = await Promise.all(waiting.slice(0, 100).map((record) => this.#look(record)));
    // Who asked later knows more, even if its answers came sooner.
    if (turn !== this.#turn) return;
    const begun = known.filter(Boolean).map((pair) => this.#card(pair));
    const cards = [...begun, this.#waiting.draw()].filter(Boolean);
    this.#list.replaceChildren(...cards);
    this.#section.hidden = cards.length === 0;
  }

  #isHere(record) {
    return this.#queue.has(fileOf(record), record.path);
  }

  async #begunAmong(items) {
    const begun = new Set((await this.#records.all()).map((record) => keyOf(fileOf(record), record.path)));
    return items.filter(({ file, path }) => begun.has(keyOf(file, path)));
  }

  async #look(record) {
    try {
      const upload = await this.#api.upload(record.id);
      if (upload.status === "open") return { record, uploadedBytes: upload.uploaded_bytes };
    } catch (error) {
      // The server cannot be asked now: it may well be there.
      if (error.status !== 404 && error.status !== 410) return { record, uploadedBytes: null };
    }
    await this.#records.forget(record.id);
    return null;
  }

  #card({ record, uploadedBytes }) {
    const card = fromTemplate("unfinished-template");
    const { filename: name, path, size, handle } = record;
    const share = size ? (uploadedBytes ?? 0) / size : 0;
    const find = (selector) => card.querySelector(selector);
    find(".name").textContent = path || name;
    find(".name").title = path || name;
    find("progress").value = share;
    find("progress").setAttribute("aria-label", t("progressOf", { name }));
    find(".percent").textContent = uploadedBytes === null ? "" : formatPercent(share);
    find(".status").textContent = hint(record, uploadedBytes);
    label(find(".again"), t(handle ? "goOn" : "chooseAgain"), name);
    find(".again").addEventListener("click", () => (handle ? this.#goOn(record) : this.#choose(record)));
    label(find(".discard"), t("discard"), name);
    find(".discard").addEventListener("click", () => this.#discard(record));
    return card;
  }

  /** By the handle: the browser may ask the person for leave. */
  async #goOn(record) {
    const { handle, filename: name } = record;
    let problem = "goneFile";
    try {
      if ((await handle.requestPermission({ mode: "read" })) === "granted") {
        await this.#resume(record, await handle.getFile(), "changedFile");
        return;
      }
      problem = "notAllowed";
    } catch {
      // Moved or deleted: a handle is no more than a name.
    }
    notify(t(problem, { name }));
    await this.#records.remember({ ...record, handle: undefined });
    await this.refresh();
  }

  #choose(record) {
    this.#wanted = record;
    this.#picker.value = "";
    this.#picker.click();
  }

  async #chosen() {
    const [file] = this.#picker.files;
    const record = this.#wanted;
    if (!file) return;
    await this.#resume(record, file, file.name === record.filename ? "changedFile" : "otherFile");
  }

  async #resume(record, file, problem) {
    const { filename: name, path, fingerprint, handle } = record;
    if ((await fingerprintOf(file, path)) !== fingerprint) {
      notify(t(problem, { name }));
      return;
    }
    notify("");
    this.#onResume([{ file, path, handle }]);
  }

  async #discard(record) {
    const sure = await confirmed({
      title: t("discardTitle"),
      text: t("discardText", { name: record.filename }),
      yes: t("discard"),
      no: t("keep"),
    });
    if (!sure) return;
    try {
      await this.#api.abort(record.id);
    } catch (error) {
      if (error.status !== 404 && error.status !== 410) {
        notify(t("notDiscarded", { message: formatError(error) }));
        return;
      }
    }
    await this.#records.forget(record.id);
    await this.refresh();
  }
}

/** What a record says of its file, as the file itself would. */
function fileOf({ filename: name, size, lastModified }) {
  return { name, size, lastModified };
}

function hint({ size, handle }, uploadedBytes) {
  if (uploadedBytes === null) return t("unfinishedUnknown");
  return t(handle ? "unfinishedHintHandle" : "unfinishedHint", { amount: formatAmount(uploadedBytes, size) });
}
