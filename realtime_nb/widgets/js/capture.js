// The microphone: 24 kHz mono 16-bit chunks from an AudioWorklet, straight to the link's Worker.
import { Trouble } from "./trouble.js";
import { loadWorklet } from "./worklet.js";

export const RATE = 24_000;
const GESTURE_MS = 4000; // a context that does not run by then waits for a click of the person

/**
 * Cut a stream of float samples into 16-bit chunks of one size, and measure it. Runs in the worklet as text.
 * @param {number} size samples in a chunk
 * @param {number} stride samples between two levels
 * @param {{chunk(at: number, pcm: Int16Array<ArrayBuffer>): void, level(at: number, peak: number, rms: number): void}} on
 * @param {number} [most] samples that are taken in all; what comes then is not, however late the page is with its stop
 */
export function createCutter(size, stride, on, most = Infinity) {
  let at = 0; // samples given out
  let chunk = new Int16Array(size);
  let filled = 0;
  let peak = 0;
  let energy = 0;
  let measured = 0;

  function give() {
    const full = filled === size ? chunk : chunk.slice(0, filled);
    at += filled;
    on.chunk(at - filled, full);
    chunk = new Int16Array(size);
    filled = 0;
  }

  return {
    /** @param {Float32Array} samples */
    take(samples) {
      for (const x of samples) {
        if (at + filled >= most) return;
        chunk[filled++] = Math.max(-32768, Math.min(32767, Math.round(x * 32768)));
        if (filled === size) give();
        const height = Math.abs(x);
        if (height > peak) peak = height;
        energy += x * x;
        if (++measured === stride || at + filled === most) {
          on.level(at + filled, peak, Math.sqrt(energy / measured));
          peak = energy = measured = 0;
        }
      }
    },
    /** Give out what is left, however little. */
    rest() {
      if (filled) give();
    },
    /** Count from 0 again. */
    restart() {
      at = filled = measured = peak = energy = 0;
    },
    get at() {
      return at;
    },
  };
}

/** The capture worklet: runs in the AudioWorkletGlobalScope as text, beside `createCutter`. */
export function captureWorklet() {
  registerProcessor(
    "rtnb-capture",
    class extends AudioWorkletProcessor {
      /** @param {{processorOptions: {chunk: number, stride: number, most: number}}} options */
      constructor({ processorOptions: { chunk, stride, most } }) {
        super();
        /** @type {MessagePort | null} */
        this.sink = null;
        this.flows = false;
        this.ended = false;
        /** @type {Parameters<typeof createCutter>[2]} */
        const on = {
          chunk: (at, pcm) => (this.sink ?? this.port).postMessage({ t: "chunk", at, ms: Date.now(), pcm: pcm.buffer }, [pcm.buffer]),
          level: (at, peak, rms) => this.port.postMessage({ t: "level", at, peak, rms }),
        };
        this.cutter = createCutter(chunk, stride, on, most);
        /** @type {Record<string, (message: any) => void>} */
        const orders = {
          sink: ({ port }) => (this.sink = port),
          flow: ({ flows, restart }) => {
            if (restart) this.cutter.restart();
            if (this.flows && !flows) this.cutter.rest();
            this.flows = flows;
            this.port.postMessage({ t: "flow", at: this.cutter.at });
          },
          end: () => (this.ended = true),
        };
        this.port.onmessage = (event) => orders[event.data.t](event.data);
      }

      /** @param {Float32Array[][]} inputs */
      process(inputs) {
        const channel = inputs[0]?.[0];
        if (this.flows && channel) this.cutter.take(channel);
        return !this.ended;
      }
    },
  );
}

const source = `${createCutter}\n(${captureWorklet})();`;

/**
 * @typedef {{deviceId?: string, echoCancellation?: boolean, chunk?: number, most?: number, media?: import("./media.js").Media | null,
 *   onChunk?: (pcm: Int16Array, at: number) => void, onLevel?: (level: {peak: number, rms: number, at: number}) => void,
 *   onEnded?: (trouble: Trouble) => void}} CaptureOptions
 */

/** A microphone that is open from `start()` to `release()`. Chunks go to `media`, or, with none, to `onChunk`. */
export class Capture {
  /** @param {CaptureOptions} [options] */
  constructor(options = {}) {
    this.options = { echoCancellation: true, chunk: 480, ...options };
    /** Samples captured since the start, pauses not counted. */
    this.at = 0;
    /** @type {MediaStream | null} */
    this.stream = null;
    /** @type {AudioContext | null} */
    this.context = null;
    /** @type {AudioWorkletNode | null} */
    this.node = null;
    this.released = false;
    /** @type {(() => void) | null} */
    this.settled = null;
  }

  /** The microphones there are; their labels are empty until one was allowed. */
  static async devices() {
    if (!navigator.mediaDevices) return [];
    return (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "audioinput");
  }

  /** The open device's name. */
  get label() {
    return this.stream?.getAudioTracks()[0]?.label ?? "";
  }

  /** Ask for the microphone and let it flow; throws a Trouble. */
  async start() {
    if (!navigator.mediaDevices?.getUserMedia) throw new Trouble(globalThis.isSecureContext ? "unsupported" : "insecure");
    try {
      await this.#open();
    } catch (fault) {
      const unwanted = this.released;
      this.release();
      if (!unwanted) throw Trouble.from(fault);
    }
    if (this.released) this.release(); // asked to end while the browser asked the person
  }

  async #open() {
    const { deviceId, echoCancellation, chunk, most = Infinity } = this.options;
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: {
        ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
        channelCount: 1,
        echoCancellation,
        noiseSuppression: echoCancellation,
        autoGainControl: echoCancellation,
      },
    });
    this.stream = stream;
    if (this.released) return; // nobody wants it any more: start() gives it back
    stream.getAudioTracks()[0].onended = () => this.#ended();
    this.context = new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
    await loadWorklet(this.context, source);
    if (!this.context) return; // released meanwhile: it plugs nothing in, where the next one may be plugged by now
    this.node = new AudioWorkletNode(this.context, "rtnb-capture", {
      numberOfOutputs: 0,
      channelCount: 1,
      channelCountMode: "explicit",
      processorOptions: { chunk, stride: 960, most },
    });
    this.node.port.onmessage = (event) => this.#note(event.data);
    this.context.createMediaStreamSource(stream).connect(this.node);
    this.#sink();
    const flowing = this.context.resume().then(() => this.#flow(true, true));
    const late = new Promise((_, refuse) => setTimeout(() => refuse(new Trouble("gesture")), GESTURE_MS));
    await Promise.race([flowing, late]);
  }

  #sink() {
    if (!this.options.media || !this.node) return;
    const { port1, port2 } = new MessageChannel();
    this.node.port.postMessage({ t: "sink", port: port1 }, [port1]);
    this.options.media.attach("capture", port2);
  }

  /** @param {any} note */
  #note(note) {
    if (note.t === "chunk") return this.options.onChunk?.(new Int16Array(note.pcm), note.at);
    this.at = note.at;
    if (note.t === "flow") this.settled?.();
    else this.options.onLevel?.(note);
  }

  #ended() {
    if (this.released) return;
    this.release();
    this.options.onEnded?.(new Trouble("gone"));
  }

  /**
   * Let sound flow or not; resolves once the worklet has given out all that was before.
   * @param {boolean} flows
   * @param {boolean} [restart]
   * @returns {Promise<void>}
   */
  #flow(flows, restart = false) {
    return new Promise((resolve) => {
      if (!this.node) return resolve();
      this.settled = resolve;
      this.node.port.postMessage({ t: "flow", flows, restart });
    });
  }

  /** Let nothing out of the worklet, the microphone staying open. */
  async pause() {
    await this.#flow(false);
  }

  /** Let sound flow again. */
  async resume() {
    await this.#flow(true);
  }

  /** Give the microphone and the AudioContext back; idempotent. */
  release() {
    this.released = true;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.node?.port.postMessage({ t: "end" });
    this.node?.disconnect();
    if (this.context && this.context.state !== "closed") this.context.close();
    if (this.node) this.options.media?.attach("capture", null); // else what is plugged in there is another's
    this.settled?.();
    this.stream = this.node = this.context = null;
  }
}
