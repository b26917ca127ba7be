// The player's view: a clip with its waveform, its words, and keys for all of it. The browser's own media element plays,
// which keeps the pitch at every speed and seeks in compressed sound.
import { h } from "./dom.js";
import { Wave } from "./wave.js";

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2];
const STEP_S = 0.5;
const PAGE_S = 5;
const SHORTEST_S = 0.03; // a shorter drag is a click
const TELL_MS = 500; // at most two reports a second go home while it plays

/** @param {number} seconds */
export function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const rest = (tenths % 600) / 10;
  return tenths < 600 ? `${rest.toFixed(1)} s` : `${Math.floor(tenths / 600)}:${rest.toFixed(1).padStart(4, "0")}`;
}

/**
 * What a key does: where the cursor goes, in seconds; null when it is none of ours.
 * @param {string} key
 * @param {number} now
 * @param {number} total
 */
export function moved(key, now, total) {
  /** @type {Record<string, number>} */
  const steps = { ArrowLeft: -STEP_S, ArrowDown: -STEP_S, ArrowRight: STEP_S, ArrowUp: STEP_S, PageUp: PAGE_S, PageDown: -PAGE_S };
  if (key === "Home") return 0;
  if (key === "End") return total;
  return key in steps ? Math.min(total, Math.max(0, now + steps[key])) : null;
}

/** @param {import("./index.js").Context} context */
export function renderPlayer({ model, el }) {
  const player = new PlayerView(model, el);
  return () => player.close();
}

export class PlayerView {
  /** @param {import("@anywidget/types").AnyModel} model @param {HTMLElement} el */
  constructor(model, el) {
    this.model = model;
    this.sound = new Audio();
    this.sound.preservesPitch = true;
    this.url = "";
    this.wanted = 0; // where to be once the sound is here
    this.here = false; // the sound is: its length was read, and the element went to `wanted`
    this.stalls = 0;
    this.heard = 0; // furthest point heard, seconds
    /** @type {number | null} */
    this.anchor = null;
    this.told = 0;
    this.finished = false;
    this.ui = parts(this);
    el.append(...this.ui.rows);
    this.wave = new Wave(this.ui.box, { role: model.get("voice") });
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.listen = (/** @type {any} */ message, /** @type {DataView[]} */ buffers) => this.obey(message, buffers);
    this.redress = () => this.dress();
    this.wire();
    model.send({ t: "load" });
    this.dress();
  }

  get total() {
    return Number(this.model.get("duration_s"));
  }

  /** Where it is; a media element says 0 until it has read how long the sound is, and tells of that a task later. */
  get at() {
    return this.here ? this.sound.currentTime : this.wanted;
  }

  get span() {
    const [from, to] = this.model.get("selection_s");
    return to > from ? /** @type {[number, number]} */ ([from, to]) : null;
  }

  wire() {
    const { sound, model } = this;
    const { box } = this.ui;
    model.on("msg:custom", this.listen);
    for (const name of TRAITS) model.on(`change:${name}`, this.redress);
    box.addEventListener("keydown", (event) => this.key(event));
    box.addEventListener("pointerdown", (event) => this.press(event));
    this.ui.speed.addEventListener("change", () => this.keep({ speed: Number(this.ui.speed.value) }));
    this.ui.volume.addEventListener("input", () => this.keep({ volume: Number(this.ui.volume.value) }));
    sound.addEventListener("loadedmetadata", () => ((this.here = true), (sound.currentTime = this.wanted), this.paint()));
    sound.addEventListener("play", () => ((this.finished = false), this.run(), this.tell()));
    sound.addEventListener("pause", () => this.tell());
    sound.addEventListener("ended", () => this.end());
    sound.addEventListener("waiting", () => (this.stalls += Number(sound.currentTime > 0 && !sound.seeking && !sound.paused)));
    sound.addEventListener("error", () => this.url && this.say("The browser cannot play this sound."));
  }

  /** What the kernel says. @param {any} message @param {DataView[]} buffers */
  obey(message, buffers) {
    /** @type {Record<string, () => void>} */
    const acts = {
      sound: () => this.load(buffers, message.anew),
      play: () => void this.play(),
      pause: () => this.sound.pause(),
      seek: () => this.seek(message.at_s),
    };
    acts[message?.t]?.();
  }

  /**
   * @param {DataView[]} buffers the file, and peaks and mean levels of its columns as bytes
   * @param {boolean} anew whether it takes the place of what was here
   */
  load([file, peaks, rms], anew) {
    this.wave.show(levels(peaks), levels(rms));
    if ((this.url && !anew) || !file.byteLength) return; // another view asked for it
    if (this.url) URL.revokeObjectURL(this.url);
    this.wanted = this.at;
    this.here = false;
    this.url = URL.createObjectURL(new Blob([/** @type {DataView<ArrayBuffer>} */ (file)]));
    this.sound.src = this.url;
    this.dress();
  }

  async play() {
    const span = this.span;
    if (span && (this.at < span[0] || this.at >= span[1] - 0.02)) this.seek(span[0]);
    else if (this.sound.ended || this.at >= this.total - 0.02) this.seek(0);
    try {
      await this.sound.play();
      this.say("");
    } catch (error) {
      const refused = error instanceof DOMException && error.name === "NotAllowedError";
      if (refused) this.say("The browser plays no sound before somebody clicks in the page: press Play.");
      else if (!(error instanceof DOMException && error.name === "AbortError")) throw error;
    }
  }

  toggle() {
    if (this.sound.paused) void this.play();
    else this.sound.pause();
  }

  /** @param {number} seconds */
  seek(seconds) {
    this.wanted = Math.min(this.total, Math.max(0, seconds));
    if (this.here) this.sound.currentTime = this.wanted;
    this.finished = false;
    this.paint();
    this.tell();
  }

  /** @param {[number, number] | null} span */
  select(span) {
    this.keep({ selection_s: span ? [Math.max(0, Math.min(...span)), Math.min(this.total, Math.max(...span))] : [0, 0] });
    this.dress();
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const to = moved(event.key, this.at, this.total);
    if (event.key === " ") this.toggle();
    else if (event.key === "Escape") this.select(null);
    else if (to === null) return;
    else {
      if (event.shiftKey) this.select([(this.anchor ??= this.at), to]);
      else this.anchor = null;
      this.seek(to);
    }
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {PointerEvent} press */
  press(press) {
    if (press.button !== 0) return;
    const { box } = this.ui;
    const second = (/** @type {PointerEvent} */ event) => {
      const { left, width } = box.getBoundingClientRect();
      return Math.min(1, Math.max(0, (event.clientX - left) / width)) * this.total;
    };
    const from = second(press);
    const drag = (/** @type {PointerEvent} */ event) => {
      if (Math.abs(second(event) - from) >= SHORTEST_S) this.select([from, second(event)]);
    };
    const release = (/** @type {PointerEvent} */ event) => {
      box.removeEventListener("pointermove", drag);
      const span = Math.abs(second(event) - from) >= SHORTEST_S;
      if (!span) this.select(null);
      this.seek(span ? Math.min(from, second(event)) : from);
    };
    box.setPointerCapture(press.pointerId);
    box.addEventListener("pointermove", drag);
    box.addEventListener("pointerup", release, { once: true });
    this.anchor = null;
  }

  /** All was played; not so where somebody moved the cursor, or pressed Play again, before the browser told. */
  end() {
    if (!this.sound.ended) return;
    this.finished = true;
    this.heard = this.total;
    this.tell();
  }

  /** Follow the sound while it plays. */
  run() {
    clearTimeout(this.timer);
    if (this.sound.paused) return this.paint();
    const span = this.span;
    if (span && this.at >= span[1]) this.sound.pause();
    this.paint();
    if (performance.now() - this.told > TELL_MS) this.tell();
    this.timer = setTimeout(() => this.run(), 33);
  }

  /** Tell the kernel how far it is. */
  tell() {
    this.told = performance.now();
    this.heard = Math.max(this.heard, this.at);
    this.model.send({ t: "state", playing: !this.sound.paused && !this.finished, position_s: this.at, played_s: this.heard, finished: this.finished, stalls: this.stalls });
    this.paint();
  }

  /** @param {Record<string, unknown>} traits */
  keep(traits) {
    for (const [name, value] of Object.entries(traits)) this.model.set(name, value);
    this.model.save_changes();
  }

  /** @param {string} trouble */
  say(trouble) {
    this.ui.note.textContent = trouble;
    this.ui.note.hidden = !trouble;
  }

  /** Show what the traits say. */
  dress() {
    const { model, total, span } = this;
    const speed = model.get("speed");
    this.sound.playbackRate = this.sound.defaultPlaybackRate = speed;
    this.sound.volume = model.get("volume");
    if (![...this.ui.speed.options].some((option) => Number(option.value) === speed)) this.ui.speed.append(speedOption(speed));
    this.ui.speed.value = String(speed);
    this.ui.volume.value = String(model.get("volume"));
    this.ui.words.textContent = model.get("transcript");
    this.ui.words.hidden = !model.get("transcript");
    this.ui.button.disabled = !total;
    this.wave.selection = span && [span[0] / total, span[1] / total];
    this.ui.choice.hidden = !span;
    if (span) this.ui.chosen.textContent = `Selected ${clock(span[0])} to ${clock(span[1])}, ${clock(span[1] - span[0])} long: player.selection`;
    this.ui.box.setAttribute("aria-valuemax", total.toFixed(2));
    this.paint();
  }

  paint() {
    const { at, total } = this;
    this.wave.cursor = total ? at / total : null;
    this.ui.button.textContent = this.sound.paused ? "Play" : "Pause";
    this.ui.time.textContent = `${clock(at)} of ${clock(total)}`;
    this.ui.box.setAttribute("aria-valuenow", at.toFixed(2));
    this.ui.box.setAttribute("aria-valuetext", `${clock(at)} of ${clock(total)}`);
  }

  close() {
    clearTimeout(this.timer);
    this.sound.pause();
    this.sound.removeAttribute("src");
    this.sound.load();
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = "";
    this.model.off("msg:custom", this.listen);
    for (const name of TRAITS) this.model.off(`change:${name}`, this.redress);
    this.wave.close();
  }
}

/**
 * The elements, each with its name and its meaning for a reader of the screen.
 * @param {{toggle(): void, select(span: null): void}} view
 */
function parts(view) {
  const box = h("div", { class: "rtnb-wave", role: "slider", tabindex: "0", "aria-label": "Position in the sound", "aria-valuemin": "0" });
  box.title = "Click to go there, drag to select. Space plays, arrows move, with Shift they select.";
  const button = h("button", { class: "rtnb-button is-main", type: "button", onclick: () => view.toggle() }, "Play");
  const time = h("span", { class: "rtnb-time rtnb-grow" });
  const speed = h("select", { class: "rtnb-select", "aria-label": "Speed" }, ...SPEEDS.map(speedOption));
  const volume = h("input", { class: "rtnb-range", type: "range", min: "0", max: "1", step: "0.05", "aria-label": "Volume" });
  const chosen = h("span", { class: "rtnb-muted" });
  const drop = h("button", { class: "rtnb-button", type: "button", title: "Select nothing (Escape)", onclick: () => view.select(null) }, "Clear");
  const choice = h("div", { class: "rtnb-row" }, chosen, drop);
  const words = h("p", { class: "rtnb-words" });
  const note = h("p", { class: "rtnb-note is-alert", role: "alert", hidden: true });
  const row = h("div", { class: "rtnb-row" }, button, time, speed, h("label", { class: "rtnb-label" }, "Volume", volume));
  return { box, button, time, speed, volume, chosen, choice, words, note, rows: [box, row, choice, words, note] };
}

/** @param {number} speed */
function speedOption(speed) {
  return h("option", { value: String(speed) }, `${speed}×`);
}

const TRAITS = ["selection_s", "speed", "volume", "transcript", "duration_s"];

/** Levels that came as bytes, 255 being full scale. @param {DataView} view */
function levels(view) {
  return Float32Array.from(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), (level) => level / 255);
}
