// The pure parts of the page: when to try again, how many at once, what is remembered of a signal.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ChunkLimit } from "../../client_demo/web/chunk-limit.js";
import { after } from "../../client_demo/web/clock.js";
import { backoff, retryAfterMilliseconds } from "../../client_demo/web/retry.js";
import { anySignal } from "../../client_demo/web/signals.js";
import { SpeedMeter } from "../../client_demo/web/speed.js";

const POLICY = { firstDelay: 500, longestDelay: 30_000 };

test("the backoff doubles, has jitter, and is bounded", () => {
  const most = [1, 2, 3, 10].map((failures) => backoff(POLICY, failures, () => 1));
  assert.deepEqual(most, [500, 1000, 2000, 30_000]);
  assert.equal(backoff(POLICY, 3, () => 0.5), 1000);
});

test("Retry-After is read in both its forms", () => {
  const now = Date.parse("Sun, 06 Nov 1994 08:49:37 GMT");
  assert.equal(retryAfterMilliseconds("120"), 120_000);
  assert.equal(retryAfterMilliseconds("Sun, 06 Nov 1994 08:50:37 GMT", now), 60_000);
  assert.equal(retryAfterMilliseconds("Sun, 06 Nov 1994 08:48:37 GMT", now), 0);
  assert.equal(retryAfterMilliseconds("soon"), 0);
  assert.equal(retryAfterMilliseconds(null), 0);
});

/** Send `count` chunks of a byte per turn, each turn taking `millisecondsOf(current)`. */
async function run(limit, clock, count, millisecondsOf) {
  for (let sent = 0; sent < count; ) {
    const turn = limit.current;
    for (let n = 0; n < turn; n += 1) await limit.acquire();
    clock.now += millisecondsOf(turn);
    for (let n = 0; n < turn; n += 1) limit.release(1000);
    sent += turn;
  }
}

test("more are sent at once while that is faster, up to the bound", async () => {
  const clock = { now: 0 };
  const limit = new ChunkLimit({ max: 5, now: () => clock.now });
  await run(limit, clock, 60, () => 100);
  assert.equal(limit.current, 5);
});

test("no more are sent at once when that gains nothing", async () => {
  const clock = { now: 0 };
  const limit = new ChunkLimit({ max: 5, now: () => clock.now });
  await run(limit, clock, 60, (turn) => 100 * turn);
  assert.ok(limit.current <= 3);
});

test("failures halve how many are sent at once, and one is always left", async () => {
  const limit = new ChunkLimit({ max: 5, start: 5 });
  const seen = [];
  for (let n = 0; n < 4; n += 1) {
    await limit.acquire();
    limit.releaseFailed();
    seen.push(limit.current);
  }
  assert.deepEqual(seen, [2, 1, 1, 1]);
});

test("who waits for a turn can leave, and the others get theirs in order", async () => {
  const limit = new ChunkLimit({ max: 1, start: 1 });
  const leave = new AbortController();
  const order = [];
  await limit.acquire();
  const left = limit.acquire(leave.signal).catch(() => order.push("left"));
  const next = limit.acquire().then(() => order.push("next"));
  leave.abort();
  await left;
  limit.release(1);
  await next;
  assert.deepEqual(order, ["left", "next"]);
});

test("a signal of several aborts with the first, and its reason", () => {
  const [one, two] = [new AbortController(), new AbortController()];
  const either = anySignal(one.signal, undefined, two.signal);
  assert.equal(either.aborted, false);
  two.abort("second");
  assert.equal(either.reason, "second");
  assert.equal(anySignal(one.signal, two.signal).aborted, true);
});

test("the speed is that of the last seconds", () => {
  const meter = new SpeedMeter();
  assert.equal(meter.bytesPerSecond, null);
  for (let second = 0; second <= 20; second += 1) meter.record(second < 10 ? 0 : (second - 10) * 500, second * 1000);
  assert.equal(meter.bytesPerSecond, 500);
});

test("after a sleep what was due is done at once", async (context) => {
  const fellAsleep = Date.now();
  const woken = new Promise((resolve) => after(3_600_000, resolve));
  context.mock.method(Date, "now", () => fellAsleep + 3_600_000);
  await woken;
});
