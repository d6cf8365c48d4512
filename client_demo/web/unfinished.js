// What this browser has begun to upload and not finished: remembered over reloads, in localStorage.

const KEY = "partway.unfinished";

/** Entries are {id, filename, size, fingerprint}; `id` is the server's upload. */
export class UnfinishedUploads {
  #storage;

  constructor(storage) {
    this.#storage = storage;
  }

  all() {
    try {
      const entries = JSON.parse(this.#storage.getItem(KEY) ?? "[]");
      return Array.isArray(entries) ? entries.filter((entry) => /^[0-9a-f]{32}$/.test(entry?.id)) : [];
    } catch {
      return [];
    }
  }

  remember(entry) {
    this.#save([entry, ...this.all().filter(({ id }) => id !== entry.id)]);
  }

  forget(id) {
    this.#save(this.all().filter((entry) => entry.id !== id));
  }

  #save(entries) {
    try {
      this.#storage.setItem(KEY, JSON.stringify(entries));
    } catch {
      // Storage is full or forbidden: choosing the file again still finds its upload.
    }
  }
}
