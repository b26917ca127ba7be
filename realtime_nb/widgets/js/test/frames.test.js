import assert from "node:assert/strict";
import test from "node:test";
import { packFrame, samplesOf, unpackFrame } from "../frames.js";

test("a frame comes back as it was, its samples aligned", () => {
  for (const text of ["", "a", "ab", "abc", "Ägypten"]) {
    const pcm = Int16Array.of(1, -2, 32767, -32768);
    const { header, payload } = unpackFrame(packFrame({ t: "audio", text }, pcm));
    assert.deepEqual(header, { t: "audio", text });
    assert.equal(payload.byteOffset % 4, 0);
    assert.deepEqual(samplesOf(payload), pcm);
  }
});

test("a frame inside a larger buffer, as the comm gives it, is read where it lies", () => {
  const frame = new Uint8Array(packFrame({ t: "x" }, Uint8Array.of(9, 8)));
  const larger = new Uint8Array(frame.length + 3);
  larger.set(frame, 3);
  const { header, payload } = unpackFrame(new DataView(larger.buffer, 3));
  assert.deepEqual([header, [...payload]], [{ t: "x" }, [9, 8]]);
});
