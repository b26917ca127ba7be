import assert from "node:assert/strict";
import test from "node:test";
import { CameraView } from "../camera.js";

/** A camera's view without a page; the browser asks for each camera until `give` allows it. */
function camera() {
  /** @type {((stream: any) => void)[]} */
  const asked = [];
  const mediaDevices = { getUserMedia: () => new Promise((resolve) => asked.push(resolve)), enumerateDevices: async () => [] };
  Object.defineProperty(globalThis, "navigator", { value: { mediaDevices }, configurable: true });
  /** @type {any} */ (globalThis).isSecureContext = true;
  /** @type {string[]} */
  const sent = [];
  /** @type {() => void} */
  let played = () => {};
  const video = { srcObject: null, videoWidth: 0, videoHeight: 0, play: () => new Promise((resolve) => (played = () => resolve(undefined))) };
  const canvas = { getContext() {}, toBlob: (/** @type {any} */ done) => done(new Blob(["picture"])) };
  const view = Object.assign(Object.create(CameraView.prototype), {
    turn: 0,
    opening: null,
    snapping: null,
    stream: null,
    model: { get: () => 640 },
    media: { send: (/** @type {any} */ header) => sent.push(header.t) },
    ui: { video, canvas, device: { replaceChildren() {} } },
    dress() {},
    say() {},
  });
  const give = (/** @type {number} */ number) => {
    const track = Object.assign(new EventTarget(), { live: true, stop: () => (track.live = false), getSettings: () => ({}) });
    asked[number]({ getTracks: () => [track], getVideoTracks: () => [track] });
    return track;
  };
  const play = () => ((video.videoWidth = 640), played());
  return { view, asked, sent, give, play };
}

const soon = () => new Promise((resolve) => setImmediate(resolve));

test("a camera that is allowed after it was stopped, or closed, is let go at once", async () => {
  const { view, give } = camera();
  const started = view.start();
  view.stop();
  const track = give(0);
  await started;
  assert.deepEqual([track.live, view.stream], [false, null]);
});

test("of a camera that is started twice, one runs", async () => {
  const { view, give, play } = camera();
  const both = [view.start(), view.start()];
  const tracks = [give(0), give(1)];
  await soon();
  play();
  await Promise.all(both);
  assert.deepEqual(tracks.map((track) => track.live), [false, true]);
  view.stop();
  assert.equal(tracks[1].live, false);
});

test("a picture that is asked for while the camera is being started comes when it runs", async () => {
  const { view, asked, sent, give, play } = camera();
  view.start(); // by a person
  const snapped = [view.snap(), view.snap()]; // by the kernel, that asks each page that comes, and may just have asked
  give(0);
  await soon();
  assert.deepEqual(sent, []); // there is a stream, and nothing of it is seen yet
  play();
  await Promise.all(snapped);
  assert.deepEqual([sent, asked.length], [["frame"], 1]);
  await view.snap();
  assert.equal(sent.length, 2);
});

test("what is said of the way to the kernel goes when there is one again; a camera's own trouble stays", () => {
  const { view } = camera();
  const note = { textContent: "", hidden: true };
  Object.assign(view.ui, { note });
  delete view.say;
  view.state({ status: "lost", trouble: "The connection to the kernel was lost; trying again." });
  assert.deepEqual([note.textContent.slice(0, 14), note.hidden], ["The connection", false]);
  view.state({ status: "open", trouble: null });
  assert.equal(note.hidden, true);
  view.say("The camera was unplugged.", "");
  view.state({ status: "open", trouble: null });
  assert.equal(note.hidden, false);
});
