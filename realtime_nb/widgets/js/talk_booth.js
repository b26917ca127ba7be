// The sound of a talk on one page: microphone, loudspeaker and the line to the kernel, shared by all views of it there.
import { Capture } from "./capture.js";
import { openMedia } from "./media.js";
import { Playback } from "./playback.js";
import { merge, NOTHING } from "./talk_model.js";
import { Trouble } from "./trouble.js";
import { Call } from "./webrtc.js";

const BEAT_MS = 40;

/** What to do here, where typing helps on; other troubles say it themselves. @type {Record<string, string>} */
const TODO = {
  denied: "Click the lock or microphone sign left of the page's address, allow the microphone, then press Talk. Or type.",
  none: "Plug one in and press Talk. Or type: the answer is spoken all the same.",
  busy: "Close the program that uses it (a call, a recorder), then press Talk. Or type.",
  insecure: "Open the page as https://… or as http://localhost:…. Or type: the answer is written here, not spoken.",
  unsupported: "Use a current Chrome, Edge, Firefox or Safari. Or type.",
  gone: "Plug it in again, then press Talk. Or type.",
  gesture: "Press Talk.",
  worklet: "Ask for blob: or data: in the server's script-src. Or type.",
  failed: "Press Talk again. Or type.",
};

/** @type {Map<string, Booth>} */
const booths = new Map();

export class Booth {
  /** The booth of a widget on this page. @param {import("@anywidget/types").AnyModel} model */
  static of(model) {
    const sid = model.get("sid");
    const booth = booths.get(sid) ?? new Booth(model, sid);
    booths.set(sid, booth);
    return booth;
  }

  /** @param {import("@anywidget/types").AnyModel} model @param {string} sid */
  constructor(model, sid) {
    this.sid = sid;
    this.model = model;
    /** @type {import("./talk_model.js").Talk} */
    this.talk = NOTHING;
    /** @type {import("./talk_model.js").Mic} */
    this.mic = "off";
    /** @type {import("./talk_model.js").Note | null} */
    this.trouble = null;
    this.levels = { user: 0, model: 0 };
    this.asked = false;
    /** @type {Promise<void> | null} */
    this.opening = null; // while the browser asks for the microphone
    /** @type {Set<{show(): void, beat(levels: {user: number, model: number}): void}>} */
    this.views = new Set();
    /** @type {Capture | Call | null} */
    this.capture = null;
    this.timer = 0;
    this.online = false;
    this.owner = false;
    this.media = openMedia(model, { onEvent: (header) => this.hear(header), onState: (state) => this.linked(state) });
    this.playback = new Playback(this.media, { onEvent: (event) => this.played(event) });
    this.deaf = false;
    this.playback.start().then(() => this.tap(), (fault) => this.mourn(fault));
  }

  /** @param {{show(): void, beat(levels: {user: number, model: number}): void}} view */
  join(view) {
    this.views.add(view);
    queueMicrotask(() => view.show());
  }

  /** @param {{show(): void, beat(levels: {user: number, model: number}): void}} view */
  leave(view) {
    this.views.delete(view);
    if (!this.views.size) this.close();
  }

  show() {
    this.views.forEach((view) => view.show());
  }

  // ------------------------------------------------------------ what comes
  /** @param {any} header */
  hear(header) {
    if (header.t === "secret" && this.capture instanceof Call) this.capture.ticket(header);
    if (header.t !== "talk") return;
    const before = this.talk.phase;
    this.talk = merge(this.talk, header);
    if (this.talk.phase !== before) mark(this.talk.phase);
    if (this.capture instanceof Call) this.capture.open(this.talk.now.detects && !this.talk.now.muted);
    if (this.talk.phase === "closed") this.closeMic();
    else if (this.talk.fresh && this.media.owner && !this.asked) this.openMic();
    this.tick();
    this.show();
  }

  /** @param {import("./media.js").MediaState} state */
  linked(state) {
    const online = state.status === "open";
    const heard = online && state.owner; // the kernel sends its sound here
    if (heard && !(this.online && this.owner) && this.deaf) this.tell("deaf");
    if (online && !this.online && this.mic === "on") this.tell("mic", { on: true }); // after a loss
    const lost = online && this.owner && !state.owner; // a page that has just asked for the microphone owns it only soon
    if (online) this.owner = state.owner;
    this.online = online;
    if (state.status === "closed" || lost) this.hush();
    this.show();
  }

  /** @param {any} event */
  played(event) {
    if (event.t === "started" || event.t === "flushed") mark(event.t);
    this.tick();
  }

  // ------------------------------------------------------------ what a person does
  /** @param {string} t @param {object} [more] */
  tell(t, more) {
    this.media.send({ t, ...more });
  }

  /** Open the microphone, or wait for the opening that is under way. */
  async openMic() {
    this.asked = true;
    if (this.mic === "off") this.opening = this.listen();
    await this.opening;
  }

  async listen() {
    this.mic = "opening";
    this.trouble = null;
    this.show();
    const capture = this.ear();
    this.capture = capture;
    try {
      await capture.start();
      if (this.capture !== capture) return capture.release(); // closed while the browser asked
      this.mic = "on";
      this.tell("mic", { on: true });
    } catch (fault) {
      if (this.capture === capture) this.closeMic();
      this.fail(fault);
    }
    this.playback.resume();
    this.tick();
    this.show();
  }

  /** The microphone: its sound goes to the kernel, or straight to the server. */
  ear() {
    /** @param {{peak: number}} level */
    const onLevel = ({ peak }) => (this.levels.user = Math.max(this.levels.user, peak));
    /** @param {Trouble} trouble */
    const onEnded = (trouble) => (this.closeMic(), this.fail(trouble));
    const echoCancellation = this.model.get("echo_cancellation");
    if (!this.talk.call) return new Capture({ echoCancellation, media: this.media, onLevel, onEnded });
    const ask = (/** @type {string} */ origin) => this.tell("call", { origin });
    const tell = (/** @type {string} */ id) => this.tell("called", { call_id: id });
    return new Call({ ask, tell, echoCancellation, onLevel, onEnded });
  }

  closeMic() {
    const open = this.mic === "on";
    this.capture?.release();
    this.capture = null;
    this.mic = "off";
    if (open) this.tell("mic", { on: false });
  }

  /** @param {boolean} on */
  mute(on) {
    this.tell("mute", { on });
  }

  /** The key to talk. @param {boolean} on */
  async hold(on) {
    this.held = on;
    if (on && this.mic !== "on") await this.openMic();
    if (this.held === on && (!on || this.mic === "on")) this.tell("hold", { on });
    if (on) this.playback.flush();
  }

  /** Silence the answer at once; the kernel ends it. */
  stop() {
    this.playback.flush();
    this.tell("stop");
  }

  /** @param {string} text */
  type(text) {
    this.playback.resume();
    this.tell("type", { text });
  }

  /** Take microphone and sound over from another tab. */
  claim() {
    this.media.claim();
    this.openMic();
  }

  /** End the talk; the session goes on. */
  end() {
    this.hush();
    this.tell("end");
  }

  // ------------------------------------------------------------ inside
  hush() {
    this.closeMic();
    this.playback.flush();
  }

  /** @param {unknown} fault */
  fail(fault) {
    const { code, message, todo } = Trouble.from(fault);
    this.trouble = { text: message, todo: TODO[code] ?? todo };
    this.show();
  }

  /** No sound can be played here: the answer is read. @param {unknown} fault */
  mourn(fault) {
    this.deaf = true;
    this.tell("deaf");
    this.fail(globalThis.isSecureContext ? fault : new Trouble("insecure"));
  }

  tap() {
    if (!this.playback.context) return;
    this.analyser = new AnalyserNode(this.playback.context, { fftSize: 1024 });
    this.samples = new Float32Array(this.analyser.fftSize);
    this.playback.node.connect(this.analyser);
    this.show();
  }

  /** Let the levels flow while there is something to see. */
  tick() {
    const alive = this.mic === "on" || this.playback.last.playing;
    if (alive && !this.timer) this.timer = setInterval(() => this.beat(), BEAT_MS);
    if (alive) return;
    clearInterval(this.timer);
    this.timer = 0;
  }

  beat() {
    const analyser = this.capture instanceof Call ? this.capture.analyser : this.analyser;
    if (analyser && this.samples) {
      analyser.getFloatTimeDomainData(this.samples);
      this.levels.model = this.samples.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    }
    this.views.forEach((view) => view.beat(this.levels));
    this.levels.user = 0;
  }

  close() {
    clearInterval(this.timer);
    this.closeMic();
    this.playback.close();
    this.media.close();
    booths.delete(this.sid);
  }
}

/** Leave a mark on the page's own time line (User Timing), one of each kind: what a profiler, or a test, reads. @param {string} name */
function mark(name) {
  performance.clearMarks(`realtime_nb ${name}`);
  performance.mark(`realtime_nb ${name}`);
}
