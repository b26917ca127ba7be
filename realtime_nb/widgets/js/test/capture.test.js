import assert from "node:assert/strict";
import test from "node:test";
import { createCutter } from "../capture.js";
import { peaksOf } from "../recording.js";

/** @param {number} size @param {number} stride */
function cutter(size, stride) {
  /** @type {[number, number[]][]} */
  const chunks = [];
  /** @type {number[][]} */
  const levels = [];
  const it = createCutter(size, stride, {
    chunk: (at, pcm) => chunks.push([at, [...pcm]]),
    level: (at, peak, rms) => levels.push([at, peak, rms]),
  });
  return { it, chunks, levels };
}

test("chunks have one size and follow each other without a gap; the rest comes at the end", () => {
  const { it, chunks } = cutter(480, 960);
  for (let i = 0; i < 10; i++) it.take(new Float32Array(128).fill(0.5));
  it.rest();
  assert.deepEqual(chunks.map(([at, pcm]) => [at, pcm.length]), [[0, 480], [480, 480], [960, 320]]);
  assert.equal(it.at, 1280);
  it.restart();
  it.take(new Float32Array(480));
  assert.equal(chunks.at(-1)?.[0], 0);
});

test("samples are full scale at 32768, and clip instead of wrapping", () => {
  const { it, chunks } = cutter(6, 6);
  it.take(Float32Array.of(0, 0.5, -0.5, -1, 1, 3));
  assert.deepEqual(chunks[0][1], [0, 16384, -16384, -32768, 32767, 32767]);
});

test("levels tell the highest sample and the mean power of each stride", () => {
  const { it, levels } = cutter(8, 4);
  it.take(Float32Array.of(0.5, -0.5, 0.5, -0.5, 0, 0, 0, 1));
  assert.deepEqual(levels, [[4, 0.5, 0.5], [8, 1, 0.5]]);
});

test("a file's peaks are those the microphone would have had", () => {
  const pcm = new Int16Array(2000);
  pcm[10] = -16384;
  pcm[1900] = 8192;
  assert.deepEqual(peaksOf(pcm), [0.5, 0.25, 0]);
});
