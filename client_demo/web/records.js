// What this browser has begun to upload and not finished: one record per file, in IndexedDB.
// A record is {id, filename, path, size, lastModified, fingerprint, handle?}; `id` is the server's upload.

const DATABASE = "partway";
const STORE = "uploads";

export class UploadRecords {
  #opening = null;

  /** All records, the newest first; none where the browser keeps none. */
  async all() {
    const records = (await this.#run("readonly", (store) => store.getAll())) ?? [];
    return records.sort((a, b) => b.begun - a.begun);
  }

  remember(record) {
    return this.#put({ begun: Date.now(), ...record });
  }

  forget(id) {
    return this.#run("readwrite", (store) => store.delete(id));
  }

  async #put(record) {
    const kept = await this.#run("readwrite", (store) => store.put(record));
    // Some browsers have file handles and cannot keep them.
    if (kept === undefined && record.handle) {
      await this.#run("readwrite", (store) => store.put({ ...record, handle: undefined }));
    }
  }

  /** The result of one request; undefined where storage is full, broken or forbidden: uploads work without. */
  async #run(mode, request) {
    try {
      const database = await (this.#opening ??= opened());
      return await result(request(database.transaction(STORE, mode).objectStore(STORE)));
    } catch {
      return undefined;
    }
  }
}

function opened() {
  const request = indexedDB.open(DATABASE, 1);
  request.addEventListener("upgradeneeded", () => request.result.createObjectStore(STORE, { keyPath: "id" }));
  return result(request);
}

function result(request) {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });
}
