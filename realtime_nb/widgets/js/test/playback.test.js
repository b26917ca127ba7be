import assert from "node:assert/strict";
import test from "node:test";
import { createQueue } from "../playback.js";

const SIZE = { prebuffer: 2400, patience: 6000, every: 12_000, most: 1_000_000 };

/** A queue, what it told, and a puller of one block of 128. */
function queue(size = SIZE) {
  /** @type {any[]} */
  const told = [];
  const it = createQueue(size, (event) => told.push(event));
  const pull = (blocks = 1) => {
    const out = new Float32Array(128 * blocks);
    for (let i = 0; i < blocks; i++) it.pull(out.subarray(128 * i, 128 * (i + 1)));
    return out;
  };
  return { it, told, pull };
}

/** @param {number} from @param {number} count */
const ramp = (from, count) => Int16Array.from({ length: count }, (_, i) => (from + i) % 30_000);

test("what goes in comes out, bit-exact and gapless, for chunks of any size", () => {
  const { it, told, pull } = queue();
  const sizes = [2400, 1, 127, 128, 129, 999, 4801, 7];
  let at = 0;
  for (const size of sizes) {
    it.push("a", ramp(at, size), size === 7);
    at += size;
  }
  const out = pull(Math.ceil(at / 128));
  const heard = [...out.subarray(0, at)].map((x) => Math.round(x * 32768));
  assert.deepEqual(heard, [...ramp(0, at)]);
  assert.ok(out.subarray(at).every((x) => x === 0));
  assert.deepEqual(told.map((event) => event.t), ["started", "done"]);
  assert.deepEqual([told[1].played, told[1].underruns], [at, 0]);
});

test("it waits for its prebuffer, but not for ever, and not when all is there", () => {
  const { it, pull, told } = queue();
  it.push("a", ramp(1, 1000), false);
  assert.ok(pull(10).every((x) => x === 0));
  assert.ok(pull(50).some((x) => x !== 0), "after 250 ms it plays what there is");
  const short = queue();
  short.it.push("b", ramp(1, 1000), true);
  assert.ok(short.pull(1).every((x) => x !== 0), "an item that is whole plays at once");
  assert.equal(told[0].t, "started");
});

test("a gap inside an item is an underrun, a gap between items is none", () => {
  const { it, pull, told } = queue();
  it.push("a", ramp(0, 2400), false);
  pull(30);
  it.push("a", ramp(2400, 2400), true);
  pull(30);
  assert.equal(it.state.underruns, 1);
  it.push("b", ramp(0, 2400), true);
  pull(30);
  assert.equal(it.state.underruns, 1);
  assert.deepEqual(told.filter((event) => event.t === "done").map((event) => event.item), ["a", "b"]);
});

test("an end that is told after the last sample ends the item, without an underrun", () => {
  const { it, pull, told } = queue();
  it.push("a", ramp(0, 2400), false);
  pull(40);
  it.push("a", new Int16Array(0), true);
  assert.deepEqual([told.at(-1).t, told.at(-1).played, told.at(-1).underruns], ["done", 2400, 0]);
});

test("a flush silences at once and says what was heard, dropped and never begun", () => {
  const { it, pull, told } = queue();
  it.late(480);
  it.push("a", ramp(1, 4800), true);
  it.push("b", ramp(1, 100), true);
  pull(10);
  it.flush();
  assert.deepEqual(told.at(-1), { t: "flushed", item: "a", played: 1280, heard: 800, dropped: 3620, queued_items: ["b"] });
  assert.ok(pull(50).every((x) => x === 0));
  it.flush();
  assert.deepEqual(told.at(-1), { t: "flushed", item: null, played: 0, heard: 0, dropped: 0, queued_items: [] });
});

test("positions come twice a second at most", () => {
  const { it, pull, told } = queue();
  it.push("a", ramp(0, 48_000), true);
  pull(375);
  assert.equal(told.filter((event) => event.t === "position").length, 3);
});

test("what waits is bounded, and what is refused is told", () => {
  const { it, told } = queue({ ...SIZE, most: 1000 });
  it.push("a", ramp(0, 900), false);
  it.push("a", ramp(900, 900), false);
  assert.deepEqual(told.at(-1), { t: "overflow", item: "a", samples: 900 });
  assert.equal(it.state.queued, 900);
});
