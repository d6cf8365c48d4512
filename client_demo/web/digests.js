// SHA-256 of chunks and of whole files, in a Web Worker where there is one; and what a file is known again by. No DOM.

const encoder = new TextEncoder();
const TREE_PREFIX = "partway-tree-1\n";

/** Whether this page may hash: browsers allow it on https addresses and on localhost. */
export function canDigest() {
  return Boolean(globalThis.crypto?.subtle);
}

/** The bytes of a file cannot be read (any more). */
export class Unreadable extends Error {
  name = "Unreadable";
}

let worker = null;
let lastId = 0;
const asked = new Map();

/** The 32 bytes of a blob's SHA-256. Only where `canDigest()`. Rejects with `Unreadable`. */
export function sha256Of(blob) {
  if (typeof Worker === "undefined") return sha256Here(blob);
  worker ??= startWorker();
  return new Promise((resolve, reject) => {
    lastId += 1;
    asked.set(lastId, { resolve, reject });
    worker.postMessage({ id: lastId, blob });
  });
}

/** The value of Content-Digest (RFC 9530) for such bytes. */
export function contentDigest(sha256) {
  return `sha-256=:${btoa(String.fromCharCode(...sha256))}:`;
}

/** The digest of a file by the digests of its chunks, 64 hex digits; docs/api.md has the rule. */
export async function treeDigest(size, chunkSize, chunkDigests) {
  const prefix = encoder.encode(TREE_PREFIX);
  const bytes = new Uint8Array(prefix.length + 16 + 32 * chunkDigests.length);
  bytes.set(prefix);
  const view = new DataView(bytes.buffer, prefix.length);
  view.setBigUint64(0, BigInt(size));
  view.setBigUint64(8, BigInt(chunkSize));
  chunkDigests.forEach((digest, number) => bytes.set(digest, prefix.length + 16 + 32 * number));
  return hex(await digestOf(bytes));
}

/**
 * Of path, name, size and time of last change, which is all a page may know of a file without reading it: the same
 * file, chosen again, gives the same fingerprint.
 */
export async function fingerprintOf(file, path = "") {
  const facts = encoder.encode(JSON.stringify([path, file.name, file.size, file.lastModified]));
  return canDigest() ? hex(await digestOf(facts)) : `${file.size}-${file.lastModified}-${fnv(facts)}`;
}

async function sha256Here(blob) {
  let bytes;
  try {
    bytes = await blob.arrayBuffer();
  } catch {
    throw new Unreadable();
  }
  return digestOf(bytes);
}

async function digestOf(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

function startWorker() {
  const started = new Worker(new URL("digest-worker.js", import.meta.url), { type: "module" });
  started.addEventListener("message", ({ data: { id, digest } }) => {
    const { resolve, reject } = asked.get(id);
    asked.delete(id);
    if (digest) resolve(new Uint8Array(digest));
    else reject(new Unreadable());
  });
  return started;
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** FNV-1a in 64 bits: no proof of anything, but enough to tell one's own files apart where SHA-256 is not allowed. */
function fnv(bytes) {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = ((hash ^ BigInt(byte)) * 0x100000001b3n) & 0xffffffffffffffffn;
  return hash.toString(16);
}
