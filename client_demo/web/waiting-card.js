// Files that were chosen, and whose turn had not come when the page was left: one card for all of them. The person
// chooses the same files or the same folder again, and only what was left goes on.

import { fromInput } from "./choosing.js";
import { confirmed, fromTemplate, notify } from "./dialogs.js";
import { t } from "./language.js";
import { keyOf } from "./queue.js";

const NAMES_SHOWN = 3;

export class WaitingCard {
  #records;
  #onResume;
  #onChange;
  #picker = pickerOf({ multiple: true });
  #folderPicker = pickerOf({ multiple: true, webkitdirectory: true });
  /** Key → record. */
  #left = new Map();

  /** `begunAmong(items)` tells which of them have begun, `onResume(items)` sends files on; `onChange` hears when they are forgotten. */
  constructor({ records, begunAmong, onResume, onChange }) {
    this.#records = records;
    this.#onResume = onResume;
    this.#onChange = onChange;
    for (const picker of [this.#picker, this.#folderPicker]) {
      picker.addEventListener("change", () => this.#chosen(fromInput(picker), begunAmong));
    }
  }

  /** What an earlier visit has left. */
  async load() {
    const left = await this.#records.waiting();
    this.#left = new Map(left.map((record) => [record.key, record]));
  }

  /** These are in the queue now. */
  taken(keys) {
    for (const key of keys) this.#left.delete(key);
  }

  /** The card; null when nothing was left. */
  draw() {
    const n = this.#left.size;
    if (!n) return null;
    const card = fromTemplate("unfinished-template");
    const find = (selector) => card.querySelector(selector);
    find(".name").textContent = t("waitingTitle", { n });
    find("progress").remove();
    find(".status").textContent = t("waitingHint", { names: this.#names() });
    find(".again").textContent = t("waitingChoose");
    find(".again").addEventListener("click", () => this.#choose());
    find(".discard").textContent = t("waitingForget");
    find(".discard").addEventListener("click", () => this.#forget());
    return card;
  }

  #names() {
    const names = Array.from(this.#left.values(), ({ filename, path }) => path || filename);
    const shown = names.slice(0, NAMES_SHOWN).join(", ");
    return names.length > NAMES_SHOWN ? t("andMore", { names: shown, n: names.length - NAMES_SHOWN }) : shown;
  }

  #choose() {
    const inFolder = Array.from(this.#left.values()).some(({ path }) => path);
    const picker = inFolder ? this.#folderPicker : this.#picker;
    picker.value = "";
    picker.click();
  }

  async #chosen(items, begunAmong) {
    const begun = new Set(await begunAmong(items));
    const wanted = items.filter((item) => begun.has(item) || this.#left.has(keyOf(item.file, item.path)));
    if (!wanted.length) {
      notify(t("noneWaited"));
      return;
    }
    notify("");
    this.#onResume(wanted);
  }

  async #forget() {
    const sure = await confirmed({
      title: t("waitingForgetTitle"),
      text: t("waitingForgetText", { n: this.#left.size }),
      yes: t("waitingForget"),
      no: t("keepAll"),
    });
    if (!sure) return;
    await this.#records.forgetWaiting(Array.from(this.#left.keys()));
    this.#left.clear();
    await this.#onChange();
  }
}

function pickerOf(properties) {
  const picker = document.createElement("input");
  return Object.assign(picker, { type: "file", ...properties });
}
