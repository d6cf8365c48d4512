// What this browser has to upload and has not finished: one record per file, in IndexedDB.
// Of a begun one it is {id, filename, path, size, lastModified, fingerprint, handle?}; `id` is the server's upload.
// Of one whose turn has not come it is {key, filename, path}; `key` is that of the queue.

const DATABASE = "partway";
const VERSION = 2;
const BEGUN = "uploads";
const WAITING = "waiting";

export class UploadRecords {
  #opening = null;

  /** Of all begun ones, the newest first; none where the browser keeps none. */
  async all() {
    const records = (await this.#run(BEGUN, "readonly", (store) => store.getAll())) ?? [];
    return records.sort((a, b) => b.begun - a.begun);
  }

  remember(record) {
    return this.#put({ begun: Date.now(), ...record });
  }

  forget(id) {
    return this.#run(BEGUN, "readwrite", (store) => store.delete(id));
  }

  /** Of those whose turn has not come, in the order they were chosen. */
  async waiting() {
    const records = (await this.#run(WAITING, "readonly", (store) => store.getAll())) ?? [];
    return records.sort((a, b) => a.chosen - b.chosen);
  }

  rememberWaiting(records) {
    const chosen = Date.now();
    return this.#run(WAITING, "readwrite", (store) => each(records, (record) => store.put({ chosen, ...record })));
  }

  forgetWaiting(keys) {
    return this.#run(WAITING, "readwrite", (store) => each(keys, (key) => store.delete(key)));
  }

  async #put(record) {
    const kept = await this.#run(BEGUN, "readwrite", (store) => store.put(record));
    // Some browsers have file handles and cannot keep them.
    if (kept === undefined && record.handle) {
      await this.#run(BEGUN, "readwrite", (store) => store.put({ ...record, handle: undefined }));
    }
  }

  /** The result of the last request; undefined where storage is full, broken or forbidden: uploads work without. */
  async #run(store, mode, request) {
    try {
      const database = await (this.#opening ??= opened());
      return await result(request(database.transaction(store, mode).objectStore(store)));
    } catch {
      return undefined;
    }
  }
}

function opened() {
  const request = indexedDB.open(DATABASE, VERSION);
  request.addEventListener("upgradeneeded", ({ oldVersion }) => {
    if (oldVersion < 1) request.result.createObjectStore(BEGUN, { keyPath: "id" });
    if (oldVersion < 2) request.result.createObjectStore(WAITING, { keyPath: "key" });
  });
  return result(request);
}

/** Make a request for each, in one transaction; returns the last, after which all are done. */
function each(items, request) {
  return items.map(request).at(-1);
}

function result(request) {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });
}
