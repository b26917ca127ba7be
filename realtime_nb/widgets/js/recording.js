// What the recorder does on this page: one recording for a widget, however many views show it.
// The kernel has the sound and tells every page how things stand (`recorder`); this page acts on its own microphone at once.
import { Capture, RATE } from "./capture.js";
import { openMedia } from "./media.js";
import { Playback } from "./playback.js";
import { Trouble } from "./trouble.js";

/**
 * @typedef {'idle' | 'asking' | 'recording' | 'paused' | 'loading' | 'done'} Phase
 * @typedef {{phase: Phase, samples: number, elsewhere: boolean, trouble: {code: string, message: string, todo: string} | null,
 *   devices: MediaDeviceInfo[], deviceId: string, label: string, echo: boolean, playing: boolean,
 *   note: string,
 *   media: import("./media.js").MediaState}} Look
 * @typedef {{media: import("./media.js").Media, model: import("./media.js").Model, draw(look: Look): void,
 *   level(peak: number, rms: number): void, whole(peaks: Float32Array): void}} View
 */

/** @type {Map<string, Recording>} */
const recordings = new Map();

/**
 * Join the recording of a widget.
 * @param {import("./media.js").Model} model
 * @param {Omit<View, "media" | "model">} show
 */
export function joinRecording(model, show) {
  const sid = model.get("sid");
  let recording = /** @type {Recording} */ (recordings.get(sid));
  if (!recording) {
    recordings.set(sid, (recording = new Recording(sid)));
    recording.listen();
  }
  const media = openMedia(model, {
    onEvent: (header, payload) => recording.first?.media === media && recording.hear(header, payload),
    onState: () => recording.first?.media === media && recording.reached(),
  });
  const view = { media, model, ...show };
  recording.views.push(view);
  recording.draw();
  return { recording, leave: () => recording.leave(view) };
}

export class Recording {
  /** @param {string} sid */
  constructor(sid) {
    this.sid = sid;
    /** @type {View[]} */
    this.views = [];
    /** @type {Capture | null} */
    this.capture = null;
    /** @type {Playback | null} */
    this.playback = null;
    /** @type {Phase} */
    this.phase = "idle";
    this.samples = 0;
    /** @type {Look["trouble"]} */
    this.trouble = null;
    /** @type {MediaDeviceInfo[]} */
    this.devices = [];
    this.deviceId = "";
    this.holder = true; // the phase is this page's doing, not another tab's
    this.turns = 0; // how often this page told the kernel a phase
    this.note = "";
    this.gone = false;
    this.lost = false;
    /** @type {number[]} */
    this.peaks = [];
    this.plugged = () => void this.findDevices();
  }

  /** Follow what is plugged in and out. */
  listen() {
    navigator.mediaDevices?.addEventListener("devicechange", this.plugged);
  }

  get first() {
    return this.views[0];
  }

  get media() {
    return this.first.media;
  }

  /** How many samples are kept. */
  get most() {
    return Math.round(this.first.model.get("max_s") * RATE);
  }

  /** @returns {Look} */
  get look() {
    const live = this.phase === "recording" || this.phase === "paused" || this.phase === "asking";
    return {
      phase: this.phase,
      samples: this.samples,
      elsewhere: live && !this.holder,
      trouble: this.trouble,
      devices: this.devices,
      deviceId: this.deviceId,
      label: this.capture?.label ?? "",
      echo: this.first.model.get("echo_cancellation"),
      playing: !!this.playback,
      note: this.note,
      media: this.media.state,
    };
  }

  draw() {
    if (!this.first) return; // the last view is gone
    const look = this.look;
    this.views.forEach((view) => view.draw(look));
  }

  /** @param {Phase} phase @param {object} [more] */
  turn(phase, more = {}) {
    if (!this.first) return;
    this.phase = phase;
    this.holder = true;
    this.media.send({ t: "recorder", phase, samples: this.samples, turn: ++this.turns, ...more });
    this.draw();
  }

  // ------------------------------------------------------------ what a person can do
  /** Ask for the microphone and record, from the beginning. */
  async record() {
    if (this.capture || this.media.state.status !== "open") return;
    this.stopPlaying();
    if (!this.media.owner) this.media.claim();
    [this.trouble, this.note] = [null, ""];
    const before = { phase: this.phase, samples: this.samples };
    this.turn("asking");
    const capture = new Capture({
      deviceId: this.deviceId || undefined,
      echoCancellation: this.first.model.get("echo_cancellation"),
      most: this.most,
      media: this.media,
      onLevel: (level) => this.heard(level),
      onEnded: (trouble) => this.fail(trouble),
    });
    this.capture = capture;
    try {
      this.peaks = [];
      this.views.forEach((view) => view.whole(new Float32Array()));
      await capture.start();
    } catch (fault) {
      if (this.capture !== capture) return;
      this.capture = null;
      this.samples = before.samples;
      this.turn(before.samples ? "done" : "idle");
      return this.fail(Trouble.from(fault));
    }
    if (this.capture !== capture) return;
    this.samples = 0;
    this.turn("recording");
    this.findDevices();
  }

  /** Stop; what is recorded stays. */
  async stop() {
    const capture = this.capture;
    if (!capture) return;
    this.capture = null;
    await capture.pause();
    this.samples = capture.at;
    capture.release();
    this.turn("done", { recorded: this.samples });
    this.showWhole();
  }

  /** Hold the recording, or go on. */
  async pause() {
    const capture = this.capture;
    if (!capture) return;
    const on = this.phase === "paused";
    await (on ? capture.resume() : capture.pause());
    if (this.capture !== capture) return; // stopped meanwhile
    this.samples = capture.at;
    this.turn(on ? "recording" : "paused");
  }

  /** @param {string} deviceId */
  choose(deviceId) {
    this.deviceId = deviceId;
    this.draw();
  }

  /** @param {boolean} on */
  cancelEcho(on) {
    const { model } = this.first;
    model.set("echo_cancellation", on);
    model.save_changes();
  }

  /** Take a sound file instead of the microphone. @param {File} file */
  async load(file) {
    if (this.capture || this.media.state.status !== "open") return;
    this.stopPlaying();
    if (!this.media.owner) this.media.claim();
    this.trouble = null;
    const before = this.samples;
    this.turn("loading");
    const { turns } = this;
    try {
      const pcm = await decode(file);
      if (turns !== this.turns) return; // another file, or the microphone, came meanwhile
      const { most } = this;
      const kept = pcm.subarray(0, most);
      for (let at = 0; at < kept.length; at += RATE) this.media.send({ t: "audio", at }, kept.slice(at, at + RATE));
      this.samples = kept.length;
      this.peaks = peaksOf(kept);
      this.note = pcm.length > most ? `Only the first ${most / RATE} s of ${file.name} are kept.` : file.name;
      this.turn("done", { recorded: this.samples, name: file.name });
      this.showWhole();
    } catch (fault) {
      if (turns !== this.turns) return;
      this.turn(before ? "done" : "idle");
      this.fail(new Trouble("sound", fault));
    }
  }

  /** Hear what is recorded, or stop hearing it. */
  async play() {
    if (this.playback) return this.stopPlaying();
    if (!this.media.owner) this.media.claim();
    const playback = new Playback(this.media, { onEvent: (event) => this.sounded(event) });
    this.playback = playback;
    this.draw();
    try {
      await playback.start();
    } catch (fault) {
      if (this.playback !== playback) return;
      this.stopPlaying();
      return this.fail(Trouble.from(fault));
    }
    if (this.playback === playback) this.media.send({ t: "play" }); // else it was stopped, and may play anew
  }

  stopPlaying() {
    this.playback?.close();
    this.playback = null;
    this.draw();
  }

  // ------------------------------------------------------------ what happens
  /** @param {{peak: number, rms: number, at: number}} level */
  heard({ peak, rms, at }) {
    this.samples = at;
    this.peaks.push(peak);
    this.views.forEach((view) => view.level(peak, rms));
    this.draw();
    if (this.first && at >= this.most) {
      this.note = `Stopped at ${this.first.model.get("max_s")} s, the most this recorder keeps.`;
      this.stop();
    }
  }

  /** @param {any} event of the playback */
  sounded(event) {
    if (event.t === "done" || event.t === "flushed") this.stopPlaying();
  }

  /** How far the recording was heard, 0 to 1; null when it is not played. */
  get cursor() {
    return this.playback && this.samples ? Math.min(1, this.playback.position.heard / this.samples) : null;
  }

  /** @param {any} header @param {Uint8Array} payload */
  hear(header, payload) {
    if (header.t === "do") return this.act(header.act);
    if (header.t !== "recorder" || this.capture) return;
    const mine = header.by === this.media.link.page;
    if (mine && header.turn !== this.turns) return; // an echo of what this page has left behind since
    [this.phase, this.samples, this.holder] = [header.phase, header.samples, mine];
    if (header.peaks) {
      this.peaks = [...new Float32Array(payload.buffer, payload.byteOffset, payload.byteLength >> 2)];
      this.showWhole();
    }
    this.draw();
  }

  /** What the kernel asks for. @param {string} act */
  act(act) {
    if (act === "record") this.record();
    else if (act === "stop") this.stop();
    else if (act === "play" && !this.playback) this.play();
  }

  reached() {
    const { status, owner } = this.media.state;
    if (status === "closed" && !this.gone) {
      this.gone = true;
      this.release();
      this.fail(new Trouble("kernel"));
    }
    if (status === "open" && this.lost && owner && this.capture) this.turn(this.phase); // the kernel took us for gone
    if (status !== "opening") this.lost = status === "lost";
    if (status === "open" && !owner && this.capture && this.phase !== "asking") {
      this.release();
      this.fail(new Trouble("elsewhere"));
    }
    if (status === "open" && !this.devices.length) this.findDevices();
    this.draw();
  }

  /** @param {Trouble} trouble */
  fail(trouble) {
    const { code, message, todo, detail } = trouble;
    if (this.capture) this.stop();
    this.trouble = { code, message, todo };
    this.media.send({ t: "trouble", code, message, todo, detail });
    this.draw();
  }

  async findDevices() {
    this.devices = await Capture.devices().catch(() => []);
    if (!this.devices.some(({ deviceId }) => deviceId === this.deviceId)) this.deviceId = "";
    this.draw();
  }

  showWhole() {
    const peaks = Float32Array.from(this.peaks);
    this.views.forEach((view) => view.whole(peaks));
  }

  // ------------------------------------------------------------ the end
  release() {
    this.capture?.release();
    this.capture = null;
    this.stopPlaying();
  }

  /** @param {View} view */
  leave(view) {
    if (this.views.length === 1) {
      this.release();
      navigator.mediaDevices?.removeEventListener("devicechange", this.plugged);
      recordings.delete(this.sid);
      this.turns++; // a file that is still being read comes too late
    }
    this.views = this.views.filter((other) => other !== view);
    view.media.close();
  }
}

/**
 * Read a sound file as 24 kHz mono samples, by the browser's own decoders.
 * @param {File} file
 */
async function decode(file) {
  const sound = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await file.arrayBuffer());
  const pcm = new Int16Array(sound.length);
  const channels = Array.from({ length: sound.numberOfChannels }, (_, i) => sound.getChannelData(i));
  for (let i = 0; i < pcm.length; i++) {
    let sum = 0;
    for (const channel of channels) sum += channel[i];
    pcm[i] = Math.max(-32768, Math.min(32767, Math.round((sum / channels.length) * 32768)));
  }
  return pcm;
}

/**
 * The highest sample of each 40 ms, 0 to 1.
 * @param {Int16Array} pcm
 */
export function peaksOf(pcm) {
  const peaks = [];
  for (let start = 0; start < pcm.length; start += 960) {
    let peak = 0;
    for (const x of pcm.subarray(start, start + 960)) peak = Math.max(peak, Math.abs(x));
    peaks.push(peak / 32768);
  }
  return peaks;
}
