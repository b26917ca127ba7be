import assert from "node:assert/strict";
import test from "node:test";
import { cameraTrouble } from "../camera.js";
import { shares } from "../meter.js";
import { clock, moved, PlayerView } from "../player.js";
import { CSS } from "../theme.js";
import { Trouble } from "../trouble.js";
import { liftLevel, squeeze, Wave } from "../wave.js";

test("times read as seconds under a minute and as minutes above", () => {
  assert.deepEqual([0, 3.26, 59.94, 59.96, 65.5, 3600].map(clock), ["0.0 s", "3.3 s", "59.9 s", "1:00.0", "1:05.5", "60:00.0"]);
});

test("keys move within the sound, and other keys are none of ours", () => {
  assert.equal(moved("ArrowRight", 1, 2), 1.5);
  assert.equal(moved("ArrowLeft", 0.2, 2), 0);
  assert.equal(moved("PageUp", 1, 2), 2);
  assert.deepEqual([moved("Home", 1, 2), moved("End", 1, 2)], [0, 2]);
  assert.equal(moved("a", 1, 2), null);
});

/** A player of two seconds without a page, and its media element; only what `kept` takes is told. */
function player() {
  const sound = Object.assign(new EventTarget(), { src: "blob:", readyState: 0, currentTime: 0, paused: true, ended: false });
  const kept = /** @type {any[]} */ ([]);
  const quiet = { dress() {}, tell() {}, paint() {}, keep: (/** @type {any} */ traits) => kept.push(traits.selection_s) };
  const nobody = new EventTarget();
  const ui = { box: nobody, speed: nobody, volume: nobody };
  const model = { get: () => 2, on() {} };
  const view = Object.assign(Object.create(PlayerView.prototype), { sound, ui, model, wanted: 0, here: false, anchor: null, finished: false, heard: 0, ...quiet });
  view.wire();
  return { sound, kept, view };
}

test("keys that come while the browser still reads the sound go on from each other", () => {
  const { sound, kept, view } = player();
  const press = (/** @type {string} */ key, shiftKey = false) => view.key({ key, shiftKey, preventDefault() {}, stopPropagation() {} });
  press("ArrowRight");
  press("ArrowRight", true);
  press("ArrowRight", true);
  assert.deepEqual([view.at, kept.at(-1)], [1.5, [0.5, 1.5]]);
  sound.readyState = 1; // it is read; the browser tells of it a task later, and keys go before
  press("ArrowLeft");
  assert.equal(view.at, 1);
  sound.dispatchEvent(new Event("loadedmetadata"));
  assert.deepEqual([view.at, sound.currentTime], [1, 1]);
  press("Home");
  assert.deepEqual([view.at, sound.currentTime], [0, 0]);
});

test("an end that the browser tells after the cursor was moved away is none", () => {
  const { sound, view } = player();
  sound.dispatchEvent(new Event("ended")); // End, then at once Play: it begins anew
  assert.deepEqual([view.finished, view.heard], [false, 0]);
  sound.ended = true;
  sound.dispatchEvent(new Event("ended"));
  assert.deepEqual([view.finished, view.heard], [true, 2]);
});

test("a waveform squeezed into fewer columns keeps its highest peaks", () => {
  assert.deepEqual([...squeeze(Float32Array.of(0, 0.5, 1, 0.25), 2)], [0.5, 1]);
  assert.deepEqual([...squeeze(Float32Array.of(0.5), 100)], [0.5]);
  assert.deepEqual([...squeeze(new Float32Array(0), 10)], [0]);
});

test("levels stay between nothing and all, and quiet speech is lifted", () => {
  assert.deepEqual([liftLevel(-1), liftLevel(0), liftLevel(1), liftLevel(9)], [0, 0, 1, 1]);
  assert.ok(liftLevel(0.1) > 0.2);
});

test("the parts of a bar never add up to more than all of it", () => {
  const percents = (/** @type {[string, number][]} */ parts, /** @type {number} */ most) => shares(parts, most).map(({ percent }) => percent);
  assert.deepEqual(percents([["text", 1], ["audio", 3]], 8), [12.5, 37.5]);
  assert.deepEqual(percents([["used", 12]], 6), [100]);
  assert.deepEqual(percents([["used", 0]], 0), [0]);
});

test("a camera's trouble is told in words about cameras", () => {
  for (const code of ["denied", "none", "busy", "insecure", "unsupported", "gone"]) {
    const { message, todo } = cameraTrouble(new Trouble(code));
    assert.match(message + todo, /camera/i);
    assert.doesNotMatch(message + todo, /microphone/i);
  }
  assert.equal(cameraTrouble(new Error("odd")).message, "The camera could not be opened.");
});

test("the stylesheet minds reduced motion, forced colours and the keyboard's focus", () => {
  for (const word of ["prefers-reduced-motion", "forced-colors", ":focus-visible"]) assert.ok(CSS.includes(word));
});

test("what changes while the tab is hidden is drawn when it is shown again: the browser calls then, and not before", () => {
  const page = /** @type {any} */ (globalThis);
  page.document = { hidden: true };
  const asked = [];
  const wave = Object.assign(Object.create(Wave.prototype), { seen: true, pace: { ask: () => asked.push("frame") } });
  wave.show(Float32Array.of(1));
  delete page.document;
  assert.deepEqual(asked, ["frame"]);
});
