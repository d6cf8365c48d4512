// What leads back to an open upload: the same file, chosen again, gives the same fingerprint.

/** Whether this page may hash: browsers allow it on https addresses and on localhost. */
export const canDigest = Boolean(globalThis.crypto?.subtle);

/**
 * Of name, size and time of last change, which is all a page may know of a file without reading it.
 * The facts themselves where the page may not hash.
 */
export async function fingerprintOf(file) {
  const facts = JSON.stringify([file.name, file.size, file.lastModified]);
  return canDigest ? hex(await sha256(new TextEncoder().encode(facts))) : facts;
}

/** The value of Content-Digest (RFC 9530) for these bytes. Only where `canDigest`. */
export async function contentDigest(bytes) {
  return `sha-256=:${btoa(String.fromCharCode(...(await sha256(bytes))))}:`;
}

async function sha256(bytes) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

function hex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
