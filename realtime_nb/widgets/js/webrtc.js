// A call: the page talks to the server itself, by WebRTC. The kernel says where and with what secret, and follows.
import { Capture } from "./capture.js";
import { Trouble } from "./trouble.js";

const OPEN_MS = 10_000;

/**
 * @typedef {{url?: string, secret?: string, text?: string, todo?: string}} Ticket
 * @typedef {{ask: (origin: string) => void, tell: (callId: string) => void, echoCancellation: boolean,
 *   onLevel: (level: {peak: number}) => void, onEnded: (trouble: Trouble) => void}} CallOptions
 */

/** Microphone and loudspeaker of one call, from `start()` to `release()`; in the place of a Capture. */
export class Call {
  /** @param {CallOptions} options */
  constructor(options) {
    this.options = options;
    const { echoCancellation, onLevel, onEnded } = options;
    this.capture = new Capture({ echoCancellation, onLevel, onEnded });
    /** @type {RTCPeerConnection | null} */
    this.peer = null;
    this.speaker = new Audio();
    this.released = false;
    /** @type {AnalyserNode | null} */
    this.analyser = null;
    /** @type {(ticket: Ticket) => void} */
    this.ticket = () => {};
  }

  /** Open the microphone and call; throws a Trouble. */
  async start() {
    await this.capture.start();
    if (this.released || !this.capture.stream) return this.release();
    try {
      await this.#call(this.capture.stream);
    } catch (fault) {
      this.release();
      throw fault instanceof Trouble ? fault : new Trouble("call", fault);
    }
  }

  /** @param {MediaStream} stream */
  async #call(stream) {
    const peer = (this.peer = new RTCPeerConnection());
    const channel = peer.createDataChannel("oai-events"); // the events come to the kernel, by a line of its own
    const opened = new Promise((resolve) => (channel.onopen = resolve));
    peer.addTrack(stream.getAudioTracks()[0], stream);
    peer.ontrack = ({ track }) => this.#play(new MediaStream([track]));
    await peer.setLocalDescription(await peer.createOffer());
    const answer = await this.#post(await this.#ask(), peer.localDescription?.sdp ?? "");
    await peer.setRemoteDescription({ type: "answer", sdp: await answer.text() });
    await within(OPEN_MS, opened);
    peer.onconnectionstatechange = () => ["failed", "closed"].includes(peer.connectionState) && this.#end();
    channel.onclose = () => this.#end();
    this.options.tell(answer.headers.get("Location")?.split("/").at(-1) ?? "");
  }

  /** @returns {Promise<Ticket>} */
  async #ask() {
    const given = new Promise((/** @type {(ticket: Ticket) => void} */ resolve) => (this.ticket = resolve));
    this.options.ask(location.origin);
    return await within(OPEN_MS, given);
  }

  /** @param {Ticket} ticket @param {string} sdp */
  async #post({ url, secret, text, todo }, sdp) {
    if (!url) throw Object.assign(new Trouble("call"), { message: text, todo });
    const headers = { Authorization: `Bearer ${secret}`, "Content-Type": "application/sdp" };
    const answer = await fetch(url, { method: "POST", headers, body: sdp });
    if (answer.status !== 201) {
      const said = (await answer.json().catch(() => null))?.error?.message ?? `HTTP ${answer.status}`;
      throw Object.assign(new Trouble("call"), { message: `The server refused the call: ${said}` });
    }
    return answer;
  }

  /** @param {MediaStream} stream */
  #play(stream) {
    this.speaker.srcObject = stream;
    this.speaker.play().catch(() => {}); // before a click the browser may hold it back; the next click plays it
    const context = this.capture.context;
    if (!context) return;
    this.analyser = new AnalyserNode(context, { fftSize: 1024 });
    new MediaStreamAudioSourceNode(context, { mediaStream: stream }).connect(this.analyser);
  }

  /** Let the server hear, or silence. @param {boolean} on */
  open(on) {
    for (const track of this.capture.stream?.getAudioTracks() ?? []) track.enabled = on;
  }

  #end() {
    if (this.released) return;
    this.release();
    this.options.onEnded(new Trouble("ended"));
  }

  /** Hang up; idempotent. */
  release() {
    this.released = true;
    this.capture.release();
    this.peer?.close();
    this.speaker.srcObject = this.analyser = null;
  }
}

/**
 * @template T
 * @param {number} ms
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
function within(ms, promise) {
  const late = new Promise((_, refuse) => setTimeout(() => refuse(new Trouble("call", "nothing came")), ms));
  return /** @type {Promise<T>} */ (Promise.race([promise, late]));
}
