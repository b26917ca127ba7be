import assert from "node:assert/strict";
import test from "node:test";
import { Booth } from "../talk_booth.js";

/** A booth in a tab that does not own the microphone, and has just asked for it. */
function claimed() {
  const released = { count: 0 };
  /** @type {any[]} */
  const told = [];
  const booth = Object.assign(Object.create(Booth.prototype), {
    online: true,
    owner: false,
    deaf: false,
    mic: "opening",
    capture: { release: () => released.count++ },
    media: { send: (/** @type {any} */ header) => told.push(header) },
    playback: { flush() {}, resume() {} },
    views: new Set(),
  });
  const note = (/** @type {boolean} */ owner) => booth.linked({ status: "open", owner });
  return { booth, note, released, told };
}

test("a microphone that is being opened is not shut by news that came before the kernel's leave", () => {
  const { booth, note, released } = claimed();
  note(false); // a round trip was measured meanwhile
  assert.deepEqual([booth.mic, released.count], ["opening", 0]);
});

test("a tab from which another one takes the microphone lets it go", () => {
  const { booth, note, released } = claimed();
  note(true);
  note(false);
  assert.deepEqual([booth.mic, released.count], ["off", 1]);
});

test("a tab that cannot play says so whenever the sound comes to it, so that nobody waits for its end", () => {
  const { booth, note, told } = claimed();
  booth.mic = "off";
  booth.deaf = true;
  note(false); // it comes as the second
  assert.deepEqual(told, []);
  note(true); // and takes the sound over
  note(true);
  assert.deepEqual(told, [{ t: "deaf" }]);
  booth.linked({ status: "lost", owner: false });
  note(true);
  assert.equal(told.length, 2);
});

test("a key to talk that is pressed while the browser asks for the microphone is held once it is open, if it is held still", async () => {
  for (const held of [true, false]) {
    const { booth, told } = claimed();
    /** @type {() => void} */
    let allow = () => {};
    const ear = { start: () => new Promise((resolve) => (allow = () => resolve(undefined))), release() {} };
    Object.assign(booth, { mic: "off", ear: () => ear, tick() {} });
    const opened = booth.openMic();
    const pressed = booth.hold(true);
    if (!held) await booth.hold(false);
    allow();
    await Promise.all([opened, pressed]);
    assert.deepEqual(told.filter(({ t, on }) => t === "hold" && on).length, held ? 1 : 0);
  }
});
