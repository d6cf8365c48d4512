// The list of files on the server: newest first, a page at a time, with search, download and delete.

import { announce, confirmed, fromTemplate, notify } from "./dialogs.js";
import { formatBytes, formatDate } from "./format.js";

const PAGE_SIZE = 25;

export class FileList {
  #api;
  #list;
  #note;
  #more;
  #search;
  #cursor = null;
  /** Aborts the loading that a newer one replaces. */
  #loading = new AbortController();

  constructor({ api, list, note, more, search }) {
    this.#api = api;
    this.#list = list;
    this.#note = note;
    this.#more = more;
    this.#search = search;
    more.addEventListener("click", () => this.#load());
    search.addEventListener("input", debounced(() => this.refresh(), 250));
  }

  /** Load the first page anew. */
  refresh() {
    this.#cursor = null;
    return this.#load();
  }

  async #load() {
    this.#loading.abort();
    this.#loading = new AbortController();
    const { signal } = this.#loading;
    const first = this.#cursor === null;
    try {
      const query = { q: this.#search.value.trim(), cursor: this.#cursor, limit: PAGE_SIZE };
      const page = await this.#api.files(query, signal);
      this.#show(page, first);
    } catch (error) {
      if (!signal.aborted) this.#say(`The files could not be listed: ${error.message}.`);
    }
  }

  #show({ items, next_cursor: next }, first) {
    const rows = items.map((file) => this.#row(file));
    if (first) this.#list.replaceChildren(...rows);
    else this.#list.append(...rows);
    this.#cursor = next;
    this.#more.hidden = !next;
    this.#sayIfEmpty();
  }

  #sayIfEmpty() {
    const empty = this.#search.value.trim() ? "No file has that in its name." : "No files yet. What you upload appears here.";
    this.#say(this.#list.childElementCount ? "" : empty);
  }

  #say(text) {
    this.#note.textContent = text;
    this.#note.hidden = !text;
  }

  #row(file) {
    const row = fromTemplate("file-template");
    const link = row.querySelector(".name");
    link.textContent = file.filename;
    link.title = file.filename;
    link.href = this.#api.contentUrl(file);
    row.querySelector(".size").textContent = formatBytes(file.size);
    const time = row.querySelector("time");
    time.dateTime = file.created_at;
    time.textContent = formatDate(file.created_at);
    const button = row.querySelector(".delete");
    button.setAttribute("aria-label", `Delete ${file.filename}`);
    button.addEventListener("click", () => this.#delete(file, row));
    return row;
  }

  async #delete(file, row) {
    const sure = await confirmed({
      title: "Delete this file?",
      text: `“${file.filename}” will be gone for everyone who has its link.`,
      yes: "Delete",
      no: "Keep it",
    });
    if (!sure) return;
    try {
      await this.#api.deleteFile(file.id);
    } catch (error) {
      if (error.status !== 404) {
        notify(`“${file.filename}” could not be deleted: ${error.message}.`);
        return;
      }
    }
    announce(`${file.filename} is deleted`);
    row.remove();
    this.#sayIfEmpty();
  }
}

function debounced(action, delay) {
  let timer = 0;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(action, delay);
  };
}
