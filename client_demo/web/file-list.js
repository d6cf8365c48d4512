// The list of files on the server: newest first, a page at a time, with search, download, links and delete.

import { announce, confirmed, fromTemplate, notify } from "./dialogs.js";
import { canSave } from "./downloads.js";
import { formatBytes, formatDate, formatError } from "./format.js";
import { label, languageChanges, t } from "./language.js";

const PAGE_SIZE = 25;
// What a browser may show; the server has the last word and gives anything else as a download.
const SHOWN = /^(image|audio|video)\/|^text\/plain/;

export class FileList {
  #api;
  #list;
  #note;
  #more;
  #search;
  #downloads;
  #cursor = null;
  /** Aborts the loading that a newer one replaces. */
  #loading = new AbortController();

  constructor({ api, list, note, more, search, downloads }) {
    this.#api = api;
    this.#list = list;
    this.#note = note;
    this.#more = more;
    this.#search = search;
    this.#downloads = downloads;
    more.addEventListener("click", () => this.#load());
    search.addEventListener("input", debounced(() => this.refresh(), 250));
    languageChanges.addEventListener("change", () => this.refresh());
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
      if (!signal.aborted) this.#say(t("notListed", { message: formatError(error) }));
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
    const empty = t(this.#search.value.trim() ? "noMatch" : "noFiles");
    this.#say(this.#list.childElementCount ? "" : empty);
  }

  #say(text) {
    this.#note.textContent = text;
    this.#note.hidden = !text;
  }

  #row(file) {
    const row = fromTemplate("file-template");
    const name = row.querySelector(".name");
    name.textContent = file.filename;
    name.title = file.metadata?.path ?? file.filename;
    row.querySelector(".size").textContent = formatBytes(file.size);
    const time = row.querySelector("time");
    time.dateTime = file.created_at;
    time.textContent = formatDate(file.created_at);
    this.#addActions(row, file);
    return row;
  }

  #addActions(row, file) {
    const action = (selector, key, does) => {
      const element = row.querySelector(selector);
      label(element, t(key), file.filename);
      if (does) element.addEventListener("click", does);
      return element;
    };
    const open = action(".open", "open");
    open.href = this.#api.contentUrl(file, { inline: true });
    open.hidden = !SHOWN.test(file.content_type);
    const save = action(".save", "download");
    save.href = this.#api.contentUrl(file);
    if (canSave()) save.addEventListener("click", (event) => this.#save(event, file));
    action(".copy", "copyLink", ({ target }) => this.#copy(file, target));
    action(".delete", "delete", () => this.#delete(file, row));
  }

  /** Written by the page; with a key held down the link is the browser's. */
  #save(event, file) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    this.#downloads.start(file);
  }

  async #copy(file, button) {
    const url = this.#api.contentUrl(file);
    try {
      await navigator.clipboard.writeText(url);
    } catch {
      // Not a secure page, or not allowed: the person can still copy the text.
      notify(t("notCopied", { url }));
      return;
    }
    announce(t("copied"));
    button.textContent = t("copied");
    setTimeout(() => (button.textContent = t("copyLink")), 2000);
  }

  async #delete(file, row) {
    const { filename: name } = file;
    const texts = { title: t("deleteTitle"), text: t("deleteText", { name }), yes: t("delete"), no: t("keep") };
    if (!(await confirmed(texts))) return;
    try {
      await this.#api.deleteFile(file.id);
    } catch (error) {
      if (error.status !== 404) {
        notify(t("notDeleted", { name, message: formatError(error) }));
        return;
      }
    }
    announce(t("deleted", { name }));
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
