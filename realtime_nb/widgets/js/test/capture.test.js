import assert from "node:assert/strict";
import test from "node:test";
import { Capture, createCutter } from "../capture.js";
import { peaksOf, Recording } from "../recording.js";

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

test("no more than the most is taken, and its last level says so", () => {
  /** @type {any[]} */
  const told = [];
  const it = createCutter(8, 4, { chunk: (at, pcm) => told.push([at, pcm.length]), level: (at, peak, rms) => told.push([at, peak, rms]) }, 10);
  for (let i = 0; i < 3; i++) it.take(new Float32Array(6).fill(0.5)); // the page hears of the tenth only now
  it.rest();
  assert.deepEqual(told, [[4, 0.5, 0.5], [0, 8], [8, 0.5, 0.5], [10, 0.5, 0.5], [8, 2]]);
});

test("a file's peaks are those the microphone would have had", () => {
  const pcm = new Int16Array(2000);
  pcm[10] = -16384;
  pcm[1900] = 8192;
  assert.deepEqual(peaksOf(pcm), [0.5, 0.25, 0]);
});

test("a microphone that comes when nobody wants it any more is given back, and the next one stays plugged in", async () => {
  /** @type {((stream: any) => void)[]} */
  const give = [];
  const mediaDevices = { getUserMedia: () => new Promise((resolve) => give.push(resolve)) };
  Object.defineProperty(globalThis, "navigator", { value: { mediaDevices }, configurable: true });
  /** @type {any[]} */
  const plugged = [];
  const track = { live: true, stop: () => (track.live = false) };
  const media = /** @type {any} */ ({ attach: (/** @type {string} */ _, /** @type {any} */ port) => plugged.push(port) });
  const capture = new Capture({ media });
  const started = capture.start();
  capture.release(); // stopped while the browser asks
  give[0]({ getTracks: () => [track], getAudioTracks: () => [track] });
  await started;
  assert.deepEqual([track.live, plugged], [false, []]);
});

/** A recording on a page that nobody sees, what it told the kernel, and how the kernel answers that. */
function recording() {
  /** @type {any[]} */
  const told = [];
  const media = { owner: true, link: { page: "here" }, state: /** @type {any} */ ({}), send: (/** @type {any} */ header) => told.push(header) };
  const it = new Recording("r");
  it.views.push(/** @type {any} */ ({ media, model: { get() {} }, draw() {}, level() {}, whole() {} }));
  const echo = (/** @type {any} */ { phase, samples, turn }) => it.hear({ t: "recorder", phase, samples, by: "here", turn }, new Uint8Array());
  return { it, told, echo, media };
}

test("the kernel's word of a phase that this page has left since changes nothing", () => {
  const { it, told, echo } = recording();
  it.turn("recording");
  it.turn("done");
  echo(told[0]); // stopped sooner than the kernel answered
  assert.equal(it.phase, "done");
  echo({ ...told[1], samples: 480 });
  assert.equal(it.samples, 480);
  it.hear({ t: "recorder", phase: "recording", samples: 0, by: "there", turn: 1 }, new Uint8Array());
  assert.deepEqual([it.phase, it.look.elsewhere], ["recording", true]);
});

test("of two files the one that was dropped last is kept, however long each takes to read", async () => {
  const { it, told, media } = recording();
  media.state = { status: "open", owner: true };
  it.views[0].model.get = () => 600;
  /** @type {((sound: any) => void)[]} */
  const read = [];
  /** @type {any} */ (globalThis).OfflineAudioContext = class {
    decodeAudioData() {
      return new Promise((resolve) => read.push(resolve));
    }
  };
  const sound = (/** @type {number} */ length) => ({ length, numberOfChannels: 1, getChannelData: () => new Float32Array(length) });
  const loaded = [it.load(new File([], "long.wav")), it.load(new File([], "short.wav"))];
  while (read.length < 2) await new Promise(setImmediate);
  read[1](sound(100));
  await loaded[1];
  read[0](sound(200));
  await loaded[0];
  assert.deepEqual([it.phase, it.samples, it.note], ["done", 100, "short.wav"]);
  assert.equal(told.filter(({ t }) => t === "audio").length, 1);
});

test("a playing that was stopped before it had begun asks for no sound", async () => {
  const { it, told, media } = recording();
  media.state = { status: "open", owner: true };
  Object.assign(media, { onArriving: () => () => {}, attach() {} });
  /** @type {() => void} */
  let load = () => {};
  /** @type {any} */ (globalThis).AudioContext = class {
    state = "running";
    audioWorklet = { addModule: () => new Promise((resolve) => (load = () => resolve(undefined))) };
    close() {}
  };
  const playing = it.play();
  it.play(); // stop
  load();
  await playing;
  assert.deepEqual([told.filter(({ t }) => t === "play"), it.look.playing], [[], false]);
});

test("a pause that the worklet grants after the recording was stopped is none", async () => {
  const { it } = recording();
  /** @type {() => void} */
  let grant = () => {};
  it.capture = /** @type {any} */ ({ at: 7, pause: () => new Promise((resolve) => (grant = () => resolve(undefined))) });
  it.phase = "recording";
  const pausing = it.pause();
  it.capture = null;
  it.turn("done");
  grant();
  await pausing;
  assert.equal(it.phase, "done");
});

test("a microphone that is plugged in shows, and one that is unplugged is chosen no more", async () => {
  const { it } = recording();
  const plugged = [{ kind: "audioinput", deviceId: "built-in" }, { kind: "audioinput", deviceId: "headset" }];
  const mediaDevices = Object.assign(new EventTarget(), { enumerateDevices: async () => [...plugged] });
  Object.defineProperty(globalThis, "navigator", { value: { mediaDevices }, configurable: true });
  const change = async () => (mediaDevices.dispatchEvent(new Event("devicechange")), await new Promise(setImmediate));
  it.listen();
  await change();
  it.choose("headset");
  assert.equal(it.look.devices.length, 2);
  plugged.pop();
  await change();
  assert.deepEqual([it.look.devices.length, it.look.deviceId], [1, ""]);
  it.views[0].media.close = () => {};
  it.leave(it.views[0]);
  plugged.pop();
  await change();
  assert.equal(it.devices.length, 1);
});

test("what still comes of a recording whose last view is gone concerns nobody", async () => {
  const { it, told } = recording();
  const [view] = it.views;
  view.media.close = () => {};
  it.capture = /** @type {any} */ ({ at: 480, pause: async () => {}, release() {} });
  it.phase = "recording";
  const stopped = it.stop();
  it.leave(view); // the widget is closed in the kernel
  it.heard({ peak: 0.5, rms: 0.1, at: 480 }); // was on its way
  await stopped;
  assert.deepEqual(told, []);
});

test("a file that is still being read when the last view goes is nobody's, whether it can be read or not", async () => {
  for (const outcome of ["resolve", "reject"]) {
    const { it, told, media } = recording();
    media.state = { status: "open", owner: true };
    it.views[0].model.get = () => 600;
    it.views[0].media.close = () => {};
    /** @type {(() => void) | null} */
    let read = null;
    /** @type {any} */ (globalThis).OfflineAudioContext = class {
      decodeAudioData() {
        const sound = { length: 100, numberOfChannels: 1, getChannelData: () => new Float32Array(100) };
        return new Promise((resolve, reject) => (read = () => (outcome === "resolve" ? resolve(sound) : reject(new Error("no sound")))));
      }
    };
    const loaded = it.load(new File([], "sound.wav"));
    while (!read) await new Promise(setImmediate);
    it.leave(it.views[0]);
    told.length = 0;
    /** @type {any} */ (read)();
    await loaded;
    assert.deepEqual(told, []);
  }
});
