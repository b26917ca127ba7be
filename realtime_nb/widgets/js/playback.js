// The speaker: a queue of 16-bit chunks in an AudioWorklet, bit-exact and gapless, that can be silenced at once and
// then says how much was really heard.
import { RATE } from "./capture.js";
import { loadWorklet } from "./worklet.js";

/**
 * @typedef {{item: string | null, played: number, heard: number, dropped: number, queued_items: string[]}} Flushed
 * @typedef {{t: string, item: string | null, played: number, heard: number, queued?: number, underruns?: number}} Played
 */

/**
 * The queue itself, without any audio API: samples in, blocks out. Runs in the worklet as text.
 *
 * Sound starts once `prebuffer` samples wait, or the item's last chunk is there, or `patience` samples went by.
 * A gap counts as an underrun only when the same item goes on after it.
 * @param {{prebuffer: number, patience: number, every: number, most: number}} size all in samples
 * @param {(event: any) => void} tell
 */
export function createQueue({ prebuffer, patience, every, most }, tell) {
  /** @type {{item: string, pcm: Int16Array, last: boolean}[]} */
  let chunks = [];
  let queued = 0; // samples in chunks not yet played
  let offset = 0; // samples of chunks[0] already played
  /** @type {string | null} */
  let item = null; // what sounds, or sounded last
  let played = 0; // of it
  let ended = true; // it is through
  let flows = false;
  let waited = 0; // samples of silence since something waits, or since the item ran dry
  let told = 0; // samples since the last position
  let underruns = 0;
  let gap = 0;
  let latency = 0;

  const heard = () => Math.max(0, played - latency);
  /** @param {string} t @param {object} [more] */
  const report = (t, more) => tell({ t, item, played, heard: heard(), ...more });

  /** @param {string} next */
  function begin(next) {
    if (!ended) finish();
    [item, played, ended, told] = [next, 0, false, 0];
    report("started");
  }

  function finish() {
    ended = true;
    report("done", { underruns });
  }

  function ready() {
    if (!chunks.length) return false;
    if (flows || queued >= prebuffer || waited >= patience || chunks.some((chunk) => chunk.last)) {
      if (!flows && waited && !ended && chunks[0].item === item && played) [underruns, gap] = [underruns + 1, gap + waited];
      flows = true;
      waited = 0;
      return true;
    }
    return false;
  }

  function shift() {
    const chunk = chunks[0];
    chunks.shift();
    offset = 0;
    if (chunk.last) finish();
  }

  return {
    /** @param {string} of @param {Int16Array} pcm @param {boolean} last */
    push(of, pcm, last) {
      if (queued + pcm.length > most) return tell({ t: "overflow", item: of, samples: pcm.length });
      if (!pcm.length && last && !chunks.length) {
        if (of === item && !ended) finish();
        return;
      }
      chunks.push({ item: of, pcm, last });
      queued += pcm.length;
    },

    /** @param {Float32Array} out */
    pull(out) {
      let at = 0;
      while (at < out.length && ready()) {
        const chunk = chunks[0];
        if (chunk.item !== item || ended) begin(chunk.item);
        const count = Math.min(out.length - at, chunk.pcm.length - offset);
        for (let i = 0; i < count; i++) out[at + i] = chunk.pcm[offset + i] / 32768;
        at += count;
        offset += count;
        queued -= count;
        played += count;
        if (offset === chunk.pcm.length) shift();
        if (!chunks.length) flows = false;
      }
      out.fill(0, at);
      if (chunks.length || !ended) waited += out.length - at;
      told += at;
      if (told >= every) {
        told = 0;
        report("position", { queued, underruns });
      }
    },

    /** Drop all that waits; what was heard is told. */
    flush() {
      const waiting = [...new Set(chunks.map((chunk) => chunk.item))].filter((name) => name !== item || ended);
      const sounding = ended ? null : item;
      const dropped = queued;
      [chunks, queued, offset, flows, waited, ended] = [[], 0, 0, false, 0, true];
      tell({ t: "flushed", item: sounding, played: sounding ? played : 0, heard: sounding ? heard() : 0, dropped, queued_items: waiting });
    },

    /** @param {number} samples between a sample's leaving and its being heard */
    late(samples) {
      latency = samples;
    },

    get state() {
      return { item, played, heard: heard(), queued, underruns, gap, playing: flows };
    },
  };
}

/** The playback worklet: runs in the AudioWorkletGlobalScope as text, beside `createQueue`. */
export function playbackWorklet() {
  registerProcessor(
    "rtnb-playback",
    class extends AudioWorkletProcessor {
      /** @param {{processorOptions: any}} options */
      constructor({ processorOptions }) {
        super();
        /** @type {MessagePort | null} */
        this.source = null;
        this.ended = false;
        this.queue = createQueue(processorOptions, (event) => {
          this.port.postMessage(event);
          this.source?.postMessage(event);
        });
        /** @type {Record<string, (message: any) => void>} */
        const orders = {
          audio: ({ item, pcm, last }) => this.queue.push(item, pcm, last),
          flush: () => this.queue.flush(),
          late: ({ samples }) => this.queue.late(samples),
          source: ({ port }) => {
            this.source = port;
            port.onmessage = obey;
          },
          end: () => (this.ended = true),
        };
        const obey = (/** @type {MessageEvent} */ event) => orders[event.data.t](event.data);
        this.port.onmessage = obey;
      }

      /** @param {Float32Array[][]} _inputs @param {Float32Array[][]} outputs */
      process(_inputs, outputs) {
        this.queue.pull(outputs[0][0]);
        return !this.ended;
      }
    },
  );
}

const source = `${createQueue}\n(${playbackWorklet})();`;
const IDLE_MS = 3000; // a context that runs costs 5-20 % of a core, a suspended one 0-1 %

/** @typedef {{onEvent?: (event: any) => void, prebuffer_ms?: number}} PlaybackOptions */

/** Sound for one widget: pushed by the page, or by the kernel through `media` without touching the main thread. */
export class Playback {
  /**
   * @param {import("./media.js").Media | null} [media]
   * @param {PlaybackOptions} [options]
   */
  constructor(media = null, { onEvent, prebuffer_ms = 100 } = {}) {
    this.media = media;
    this.onEvent = onEvent;
    this.prebuffer = Math.round((prebuffer_ms * RATE) / 1000);
    /** @type {AudioContext | null} */
    this.context = null;
    /** @type {AudioWorkletNode | null} */
    this.worklet = null;
    /** @type {GainNode | null} */
    this.gain = null;
    /** @type {((flushed: Flushed) => void)[]} */
    this.waiting = [];
    this.last = { item: /** @type {string | null} */ (null), played: 0, heard: 0, queued: 0, underruns: 0, playing: false, at: 0 };
    this.idle = 0;
    this.closed = false;
    /** @type {Promise<void> | null} */
    this.starting = null;
    this.unlisten = media?.onArriving(() => this.resume());
  }

  /** Make the context and load the worklet; call it in a click or a key press where the browser wants one. */
  start() {
    return (this.starting ??= this.#open());
  }

  async #open() {
    const context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    this.context = context;
    await loadWorklet(context, source);
    if (this.closed) return;
    const size = { prebuffer: this.prebuffer, patience: RATE / 4, every: RATE / 2, most: RATE * 600 };
    this.worklet = new AudioWorkletNode(context, "rtnb-playback", {
      numberOfInputs: 0,
      outputChannelCount: [1],
      processorOptions: size,
    });
    this.gain = context.createGain();
    this.worklet.connect(this.gain).connect(context.destination);
    this.worklet.port.onmessage = (event) => this.#note(event.data);
    if (this.media) {
      const { port1, port2 } = new MessageChannel();
      this.worklet.port.postMessage({ t: "source", port: port1 }, [port1]);
      this.media.attach("playback", port2);
    }
    context.resume(); // stays pending where the browser still waits for a gesture
    this.#rest();
  }

  /** Where the sound can be tapped, by an analyser for one. */
  get node() {
    return /** @type {AudioNode} */ (this.gain);
  }

  /** Whether the browser lets sound out; if not, a click or key press must come first. */
  get audible() {
    return this.context?.state === "running";
  }

  get volume() {
    return this.gain?.gain.value ?? 1;
  }

  set volume(value) {
    if (this.gain) this.gain.gain.value = value;
  }

  /** What sounds now; `played` and `heard`, in samples, go on between two reports. */
  get position() {
    const { at, ...last } = this.last;
    const since = last.playing && this.audible ? Math.min(((performance.now() - at) * RATE) / 1000, RATE) : 0;
    const more = Math.round(since);
    return { ...last, played: last.played + more, heard: last.heard + more };
  }

  /**
   * Play on.
   * @param {string} item
   * @param {Int16Array} pcm
   * @param {boolean} [last]
   */
  push(item, pcm, last = false) {
    this.resume();
    this.worklet?.port.postMessage({ t: "audio", item, pcm, last });
  }

  /** Silence at once. @returns {Promise<Flushed>} */
  flush() {
    return new Promise((resolve) => {
      if (!this.worklet) return resolve({ item: null, played: 0, heard: 0, dropped: 0, queued_items: [] });
      this.waiting.push(resolve);
      this.worklet.port.postMessage({ t: "flush" });
    });
  }

  async suspend() {
    clearTimeout(this.idle);
    if (this.context?.state === "running") await this.context.suspend();
  }

  async resume() {
    clearTimeout(this.idle);
    if (this.context?.state === "suspended") await this.context.resume();
  }

  #rest() {
    clearTimeout(this.idle);
    this.idle = setTimeout(() => this.suspend(), IDLE_MS);
  }

  /** @param {any} event */
  #note(event) {
    const { t } = event;
    if (t === "started") this.#hear();
    this.last = { ...this.last, ...event, playing: t === "started" || t === "position", at: performance.now() };
    if (t === "flushed") this.waiting.splice(0).forEach((resolve) => resolve(event));
    if (t === "flushed" || t === "done") this.#rest();
    else clearTimeout(this.idle);
    this.onEvent?.(event);
  }

  #hear() {
    const seconds = this.context?.outputLatency || this.context?.baseLatency || 0;
    this.worklet?.port.postMessage({ t: "late", samples: Math.round(seconds * RATE) });
  }

  /** Give the AudioContext back; idempotent. */
  close() {
    this.closed = true;
    clearTimeout(this.idle);
    this.unlisten?.();
    this.media?.attach("playback", null);
    this.worklet?.port.postMessage({ t: "end" });
    this.worklet?.disconnect();
    if (this.context && this.context.state !== "closed") this.context.close();
    this.context = this.worklet = this.gain = null;
  }
}
