// The Uploader under Node's own test runner: no browser, a server of a few lines that keeps chunks in memory.

import assert from "node:assert/strict";
import { createHash, webcrypto } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { afterEach, beforeEach, test } from "node:test";

globalThis.crypto ??= webcrypto;

const { Api, State, Uploader } = await import("../../client_demo/web/uploader.js");

const RETRIES = { attempts: 5, lostConnections: 5, firstDelay: 1, longestDelay: 5, patience: 5_000 };
const ID = "0123456789abcdef0123456789abcdef";
const CHUNK = 65_536;
const MEBIBYTE = 1 << 20;

let server;
let stored;
let requests;
/** (request, number of such requests so far) → [status, problem, headers] or nothing. */
let interfere;
let candidates;

beforeEach(async () => {
  [stored, requests, candidates, interfere] = [new Map(), [], [], () => null];
  server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

async function answer(request, response) {
  const parts = [];
  for await (const part of request) parts.push(part);
  const body = Buffer.concat(parts);
  const line = `${request.method} ${request.url}`;
  const before = requests.filter((other) => other.line === line).length;
  requests.push({ line, body, headers: request.headers });
  const [status, content, headers] = interfere({ line, body }, before) ?? regular(request, body);
  response.writeHead(status, { "Content-Type": "application/json", ...headers });
  response.end(content ? JSON.stringify(content) : "");
}

function regular({ method, url }, body) {
  if (url.startsWith("/files?")) return [200, { items: candidates, next_cursor: null }];
  if (method === "POST" && url === "/uploads") return [201, uploadOf(JSON.parse(body))];
  if (method === "PUT") return stored.set(Number(url.split("/").pop()), body) && [204];
  if (url.endsWith("/chunks")) return [200, { uploaded: Array.from(stored.keys()) }];
  if (url.endsWith("/merge")) return [201, { id: ID }];
  return [204];
}

function uploadOf({ size, chunk_size: chunkSize, tree_digest: treeDigest }) {
  const known = treeDigest && candidates.find((file) => file.tree_digest === treeDigest);
  const shape = { id: ID, chunk_size: chunkSize, chunk_count: Math.ceil(size / chunkSize), uploaded_bytes: 0 };
  return { ...shape, status: known ? "merged" : "open", file: known ?? null };
}

function fileOf(size, byte = 1) {
  const blob = new Blob([new Uint8Array(size).fill(byte)]);
  return Object.assign(blob, { name: "a.bin", lastModified: 1 });
}

function uploaderOf(file, options = {}) {
  const api = new Api(`http://127.0.0.1:${server.address().port}/`);
  return new Uploader(file, { api, chunkSize: CHUNK, retries: RETRIES, ...options });
}

/** Start, and resolve with the state in which it comes to rest. */
function settled(uploader) {
  return new Promise((resolve) => {
    uploader.addEventListener("state", () => !uploader.running && resolve(uploader.state));
    uploader.start();
  });
}

function assembled() {
  return Buffer.concat(Array.from(stored.keys()).sort((a, b) => a - b).map((number) => stored.get(number)));
}

test("every byte arrives, with a digest for each chunk", async () => {
  const uploader = uploaderOf(fileOf(3 * CHUNK + 5));
  assert.equal(await settled(uploader), State.DONE);
  assert.equal(assembled().length, 3 * CHUNK + 5);
  for (const { body, headers } of requests.filter(({ line }) => line.startsWith("PUT"))) {
    const digest = createHash("sha256").update(body).digest("base64");
    assert.equal(headers["content-digest"], `sha-256=:${digest}:`);
  }
});

test("an empty file has no chunks", async () => {
  assert.equal(await settled(uploaderOf(fileOf(0))), State.DONE);
  assert.equal(requests.some(({ line }) => line.startsWith("PUT")), false);
});

test("only what the server lacks is sent", async () => {
  stored.set(0, Buffer.alloc(CHUNK, 1));
  assert.equal(await settled(uploaderOf(fileOf(2 * CHUNK))), State.DONE);
  assert.deepEqual(requests.filter(({ line }) => line.startsWith("PUT")).length, 1);
});

test("what passes is tried again, as late as the server asks", async () => {
  interfere = ({ line }, before) => (line.startsWith("PUT") && before === 0 ? [503, {}, { "Retry-After": "1" }] : null);
  const uploader = uploaderOf(fileOf(CHUNK));
  const delays = [];
  uploader.addEventListener("waiting", ({ detail }) => delays.push(detail.delay));
  assert.equal(await settled(uploader), State.DONE);
  assert.deepEqual(delays, [1000]);
});

test("what does not pass is told with the server's words, and can be tried again", async () => {
  const problem = { type: "urn:partway:insufficient-storage", detail: "The disk is full." };
  interfere = ({ line }) => (line === "POST /uploads" ? [507, problem] : null);
  const uploader = uploaderOf(fileOf(CHUNK));
  assert.equal(await settled(uploader), State.FAILED);
  assert.equal(uploader.error.message, "The disk is full.");
  assert.equal(uploader.error.code, "insufficient-storage");
  interfere = () => null;
  assert.equal(await settled(uploader), State.DONE);
});

test("a server that stays away ends in a failure when retries are bounded", async () => {
  const uploader = uploaderOf(fileOf(CHUNK));
  server.closeAllConnections();
  server.close();
  assert.equal(await settled(uploader), State.FAILED);
  assert.equal(uploader.error.connectionLost, true);
});

test("it pauses and goes on", async () => {
  const uploader = uploaderOf(fileOf(8 * CHUNK));
  const paused = new Promise((resolve) => {
    uploader.addEventListener("progress", () => {
      if (uploader.sentBytes >= CHUNK && uploader.state === State.SENDING) resolve(uploader.pause());
    });
  });
  uploader.start();
  await paused;
  assert.equal(uploader.state, State.PAUSED);
  const progress = new Promise((resolve) => {
    uploader.addEventListener("state", () => uploader.state === State.DONE && resolve());
  });
  uploader.pause = () => {};
  uploader.start();
  await progress;
  assert.equal(assembled().length, 8 * CHUNK);
});

test("one AbortController stops many", () => {
  const all = new AbortController();
  const uploaders = [1, 2, 3].map(() => uploaderOf(fileOf(CHUNK), { signal: all.signal }));
  for (const uploader of uploaders) uploader.start();
  all.abort();
  assert.deepEqual(uploaders.map(({ state }) => state), [State.PAUSED, State.PAUSED, State.PAUSED]);
});

test("cancelling tells the server", async () => {
  const uploader = uploaderOf(fileOf(4 * CHUNK));
  await new Promise((resolve) => {
    uploader.addEventListener("upload", resolve);
    uploader.start();
  });
  await uploader.cancel();
  assert.equal(requests.at(-1).line, `DELETE /uploads/${ID}`);
});

test("what turns out to be missing at the merge is sent again", async () => {
  const lacking = { type: "urn:partway:missing-chunks", missing_count: 1, missing: [0] };
  interfere = ({ line }, before) => {
    if (!line.endsWith("/merge") || before > 0) return null;
    stored.delete(0);
    return [409, lacking];
  };
  assert.equal(await settled(uploaderOf(fileOf(2 * CHUNK))), State.DONE);
  assert.equal(assembled().length, 2 * CHUNK);
});

test("a server that takes smaller chunks only gets smaller chunks", async () => {
  interfere = ({ line, body }) =>
    line === "POST /uploads" && JSON.parse(body).chunk_size > CHUNK
      ? [413, { type: "urn:partway:too-large", limit: CHUNK }]
      : null;
  const uploader = uploaderOf(fileOf(3 * CHUNK), { chunkSize: MEBIBYTE });
  assert.equal(await settled(uploader), State.DONE);
  assert.equal(stored.size, 3);
});

test("a file the server has is not sent", async () => {
  const chunk = createHash("sha256").update(Buffer.alloc(CHUNK, 1)).digest();
  const sizes = Buffer.alloc(16);
  sizes.writeBigUInt64BE(BigInt(2 * CHUNK), 0);
  sizes.writeBigUInt64BE(BigInt(CHUNK), 8);
  const tree = createHash("sha256").update("partway-tree-1\n").update(sizes).update(chunk).update(chunk).digest("hex");
  candidates = [{ id: ID, size: 2 * CHUNK, tree_digest: tree }];
  const uploader = uploaderOf(fileOf(2 * CHUNK));
  assert.equal(await settled(uploader), State.DONE);
  assert.equal(uploader.instant, true);
  assert.equal(stored.size, 0);
});

test("an unreadable file is told", async () => {
  const file = fileOf(CHUNK);
  const broken = { size: CHUNK, arrayBuffer: () => Promise.reject(new Error("gone")) };
  file.slice = () => ({ ...broken, slice: () => broken });
  const uploader = uploaderOf(file);
  assert.equal(await settled(uploader), State.FAILED);
  assert.equal(uploader.error.code, "source-unreadable");
});
