// A file's chunks and their SHA-256, each computed once. No DOM.

import { canDigest, sha256Of, treeDigest, Unreadable } from "./digests.js";

/** A chunk is hashed in memory; larger ones are sent without a digest. */
export const LARGEST_HASHED_CHUNK = 64 << 20;

export class ChunkHashes {
  #file;
  #known = new Map();

  constructor(file, chunkSize) {
    this.#file = file;
    this.chunkSize = chunkSize;
  }

  chunk(number) {
    const start = number * this.chunkSize;
    return this.#file.slice(start, start + this.chunkSize);
  }

  /** The SHA-256 of a chunk, or null where there can be none. Rejects with `Unreadable` if the file is, either way. */
  async of(number) {
    const known = this.#known.get(number);
    // Read a byte nevertheless: the file may have been changed since it was hashed.
    if (known || !canDigest() || this.chunkSize > LARGEST_HASHED_CHUNK) {
      await readable(this.chunk(number));
      return known ?? null;
    }
    const digest = await sha256Of(this.chunk(number));
    this.#known.set(number, digest);
    return digest;
  }

  /** The tree digest; `onProgress(bytes)` is told how far it is. Only where all chunks can be hashed. */
  async tree(signal, onProgress) {
    const digests = [];
    const { size } = this.#file;
    for (let start = 0; start < size; start += this.chunkSize) {
      if (signal.aborted) throw signal.reason;
      digests.push(await this.of(digests.length));
      onProgress(Math.min(size, start + this.chunkSize));
    }
    return treeDigest(size, this.chunkSize, digests);
  }
}

async function readable(blob) {
  try {
    await blob.slice(0, 1).arrayBuffer();
  } catch {
    throw new Unreadable();
  }
}
