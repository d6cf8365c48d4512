// The server's native API, one method per request. No DOM, no retries: errors say whether trying again makes sense.

import { Watchdog } from "./clock.js";
import { retryAfterMilliseconds } from "./retry.js";
import { anySignal } from "./signals.js";

const ANSWER_TIMEOUT = 60_000;
// A merge flushes what is not yet on disk, which may be many gigabytes.
const MERGE_TIMEOUT = 900_000;
// A connection over which nothing moved for this long is taken for dead.
const STALL_TIMEOUT = 60_000;
const PROBLEM_NAMESPACE = "urn:partway:";
// 501, 505 and 511 do not pass by waiting; after 507 somebody has to make room first.
const LASTING_SERVER_ERRORS = new Set([501, 505, 507, 511]);
const PASSING_CLIENT_ERRORS = new Set([408, 423, 429]);

/** No answer: the network, or the server, is away. */
export class ConnectionLost extends Error {
  name = "ConnectionLost";
  passing = true;
  connectionLost = true;

  constructor(message = "No connection to the server") {
    super(message);
  }
}

/** The server answered with an error: its `status`, and the `problem` document (RFC 9457) with its `code`. */
export class ServerRefused extends Error {
  name = "ServerRefused";

  constructor(status, problem, retryAfter) {
    super(problem.detail || problem.title || `The server answered ${status}`);
    this.status = status;
    this.problem = problem;
    this.code = String(problem.type ?? "").startsWith(PROBLEM_NAMESPACE)
      ? problem.type.slice(PROBLEM_NAMESPACE.length)
      : "";
    this.retryAfter = retryAfter;
  }

  get passing() {
    // A digest that does not match: the chunk was damaged on the way.
    if (PASSING_CLIENT_ERRORS.has(this.status) || this.code === "digest-mismatch") return true;
    return this.status >= 500 && (!LASTING_SERVER_ERRORS.has(this.status) || this.retryAfter > 0);
  }
}

/** Requests to the server at `base`, a URL that ends in a slash. All methods may be given an AbortSignal. */
export class Api {
  #base;

  constructor(base) {
    this.#base = new URL(base);
  }

  /**
   * Start an upload, or find the open one with this fingerprint, size and chunk size. `treeDigest`, in hex, finds a
   * file with the same bytes: the upload is then "merged" at once.
   */
  createUpload({ filename, size, contentType, fingerprint, chunkSize, metadata, treeDigest }, signal) {
    const optional = { content_type: contentType, chunk_size: chunkSize, metadata, tree_digest: treeDigest };
    const given = Object.entries(optional).filter(([, value]) => value);
    const body = { filename, size, fingerprint, ...Object.fromEntries(given) };
    return this.#json("POST", "uploads", { body, signal });
  }

  upload(id, signal) {
    return this.#json("GET", `uploads/${id}`, { signal });
  }

  /** Which chunks the server has: `{chunk_count, chunk_size, uploaded}`. */
  chunks(id, signal) {
    return this.#json("GET", `uploads/${id}/chunks`, { signal });
  }

  merge(id, signal) {
    return this.#json("POST", `uploads/${id}/merge`, { signal, timeout: MERGE_TIMEOUT });
  }

  abort(id, signal) {
    return this.#json("DELETE", `uploads/${id}`, { signal });
  }

  /** One page of files, newest first: `{items, next_cursor}`. */
  files({ q, cursor, limit, size } = {}, signal) {
    const query = new URLSearchParams(Object.entries({ q, cursor, limit, size }).filter(([, value]) => value));
    return this.#json("GET", `files?${query}`, { signal });
  }

  deleteFile(id, signal) {
    return this.#json("DELETE", `files/${id}`, { signal });
  }

  /** The absolute address of a file's bytes; `inline` asks for them to be shown rather than saved. */
  contentUrl(file, { inline = false } = {}) {
    return new URL(inline ? `${file.url}?inline=1` : file.url, this.#base).href;
  }

  /** The response to a GET of a file's bytes from `start` on; from 0 on unless the file still has this ETag. */
  async content(url, { start, etag, signal }) {
    const headers = start > 0 ? { Range: `bytes=${start}-`, "If-Range": etag } : {};
    try {
      const response = await fetch(url, { headers, signal, cache: "no-store" });
      if (response.ok) return response;
      throw refusal(response.status, await response.text(), response.headers.get("Retry-After"));
    } catch (error) {
      throw asTransferError(error, signal);
    }
  }

  /**
   * Send chunk `number`, a Blob. XMLHttpRequest, because fetch tells nothing about the progress of a body.
   * `digest` is the value of Content-Digest (RFC 9530), or null; `onProgress(bytes)` is told how many were sent.
   */
  putChunk(id, number, chunk, { digest, signal, onProgress }) {
    const headers = { "Content-Type": "application/octet-stream" };
    if (digest) headers["Content-Digest"] = digest;
    const url = new URL(`uploads/${id}/chunks/${number}`, this.#base);
    const put = typeof XMLHttpRequest === "undefined" ? sendByFetch : send;
    return put(url, chunk, { headers, signal, onProgress });
  }

  async #json(method, path, { body, signal, timeout = ANSWER_TIMEOUT } = {}) {
    const init = { method, signal: anySignal(signal, AbortSignal.timeout(timeout)), cache: "no-store" };
    if (body) {
      init.headers = { "Content-Type": "application/json" };
      init.body = JSON.stringify(body);
    }
    try {
      const response = await fetch(new URL(path, this.#base), init);
      const text = await response.text();
      if (!response.ok) throw refusal(response.status, text, response.headers.get("Retry-After"));
      return text ? JSON.parse(text) : null;
    } catch (error) {
      throw asTransferError(error, signal);
    }
  }
}

/** The browser's errors in our words; an abort asked for by the caller stays what it is. */
function asTransferError(error, signal) {
  if (error instanceof ServerRefused || signal?.aborted) return error;
  if (error instanceof SyntaxError) return new ServerRefused(502, { title: "The server's answer makes no sense" }, 0);
  return new ConnectionLost();
}

function refusal(status, text, retryAfter) {
  let problem = {};
  try {
    problem = JSON.parse(text) ?? {};
  } catch {
    // Not a problem document: a proxy's error page. The status says enough.
  }
  return new ServerRefused(status, problem, retryAfterMilliseconds(retryAfter));
}

/** Where there is no XMLHttpRequest, as in Node. */
async function sendByFetch(url, body, { headers, signal, onProgress }) {
  try {
    const response = await fetch(url, { method: "PUT", body, headers, signal });
    if (!response.ok) throw refusal(response.status, await response.text(), response.headers.get("Retry-After"));
    onProgress?.(body.size);
  } catch (error) {
    throw asTransferError(error, signal);
  }
}

function send(url, body, { headers, signal, onProgress }) {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) throw signal.reason;
    const request = new XMLHttpRequest();
    const watchdog = new Watchdog(STALL_TIMEOUT, () => request.abort());
    const onAbort = () => request.abort();
    request.upload.onprogress = (event) => {
      watchdog.feed();
      onProgress?.(event.loaded);
    };
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) resolve();
      else reject(refusal(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    };
    request.onerror = () => reject(new ConnectionLost());
    request.onabort = () => reject(signal?.aborted ? signal.reason : new ConnectionLost("The connection stalled"));
    request.onloadend = () => {
      watchdog.stop();
      signal?.removeEventListener("abort", onAbort);
    };
    signal?.addEventListener("abort", onAbort);
    request.open("PUT", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.send(body);
  });
}
