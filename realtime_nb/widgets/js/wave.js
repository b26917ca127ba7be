// A waveform on a canvas: live levels that scroll, or a whole clip with cursor and selection. It draws at most 30 times a
// second, only when something changed, and not at all while nobody can see it.
import { h } from "./dom.js";
import { colour, onTheme } from "./theme.js";

const FRAME_MS = 1000 / 30;
const STEP = 3; // pixels a live level takes, one of them gap
const AGAIN_MS = 100; // JupyterLab hides the page for a moment while it changes the theme, too short for an observer to see
const QUIETEST = 0.02; // -34 dBFS: what is quieter is drawn small, so that noise does not look like speech
const PALE = 0.45;

/**
 * The height of a level between 0 and 1: a root, so that quiet speech can be seen beside loud.
 * @param {number} level
 */
export function liftLevel(level) {
  return Math.min(1, Math.max(0, level)) ** 0.6;
}

/**
 * The tallest of each column, for fewer columns than there are levels.
 * @param {Float32Array} levels
 * @param {number} columns
 */
export function squeeze(levels, columns) {
  const wanted = Math.max(1, Math.min(columns, levels.length));
  const out = new Float32Array(wanted);
  for (let i = 0; i < levels.length; i++) {
    const at = Math.floor((i * wanted) / levels.length);
    if (levels[i] > out[at]) out[at] = levels[i];
  }
  return out;
}

/**
 * Call a function soon, at most so often; newest wins, nothing while hidden.
 * @param {() => void} draw
 */
function pacer(draw) {
  let asked = 0;
  let last = 0;
  const frame = (/** @type {number} */ now) => {
    if (now - last < FRAME_MS - 4) return void (asked = requestAnimationFrame(frame));
    asked = 0;
    last = now;
    draw();
  };
  return { ask: () => (asked ||= requestAnimationFrame(frame)), stop: () => (cancelAnimationFrame(asked), (asked = 0)) };
}

export class Wave {
  /**
   * @param {HTMLElement} box holds the canvas; give it the class `rtnb-wave`
   * @param {{role?: "user" | "model", height?: number}} [options]
   */
  constructor(box, { role = "user", height } = {}) {
    this.box = box;
    this.role = role;
    if (height) box.style.height = `${height}px`;
    this.canvas = h("canvas", { "aria-hidden": "true" });
    box.append(this.canvas);
    /** @type {number[]} live levels, newest last */
    this.levels = [];
    /** @type {{peaks: Float32Array, rms: Float32Array} | null} */
    this.clip = null;
    /** @type {number | null} */
    this.at = null;
    /** @type {[number, number] | null} */
    this.span = null;
    this.seen = true;
    this.again = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
    this.drawn = 0; // frames; a test of the pace reads it
    this.pace = pacer(() => this.draw());
    this.stopTheme = onTheme(() => this.changed());
    this.sizes = new ResizeObserver(() => this.changed());
    this.sizes.observe(box);
    this.sight = new IntersectionObserver((entries) => ((this.seen = entries[entries.length - 1].isIntersecting), this.changed()));
    this.sight.observe(box);
  }

  /** Add one level. @param {number} peak 0..1 */
  live(peak) {
    this.clip = null;
    this.levels.push(peak);
    if (this.levels.length > 2000) this.levels.splice(0, 1000);
    this.changed();
  }

  /** Show a whole clip. @param {Float32Array} peaks 0..1, one a column @param {Float32Array} [rms] */
  show(peaks, rms = new Float32Array(0)) {
    this.clip = { peaks, rms };
    this.levels = [];
    this.changed();
  }

  /** Forget what is shown. */
  clear() {
    this.levels = [];
    this.clip = null;
    this.changed();
  }

  /** Where the sound is, 0..1; null: nowhere. @param {number | null} at */
  set cursor(at) {
    if (at === this.at) return;
    this.at = at;
    this.changed();
  }

  /** What is chosen, 0..1 each; null: nothing. @param {[number, number] | null} span */
  set selection(span) {
    this.span = span;
    this.changed();
  }

  changed() {
    if (this.seen) this.pace.ask(); // in a hidden tab the browser calls when it is shown again
  }

  close() {
    this.pace.stop();
    clearTimeout(this.again);
    this.stopTheme();
    this.sizes.disconnect();
    this.sight.disconnect();
    this.canvas.remove();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.box;
    const context = this.canvas.getContext("2d");
    if (!context) return;
    if (!width || !height) return void (this.again = setTimeout(() => this.changed(), AGAIN_MS));
    const ratio = devicePixelRatio || 1;
    if (this.canvas.width !== Math.round(width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(width * ratio);
      this.canvas.height = Math.round(height * ratio);
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const hue = colour(this.box, this.role);
    context.fillStyle = hue;
    context.globalAlpha = PALE;
    context.fillRect(0, height / 2 - 0.5, width, 1);
    if (this.clip) this.drawClip(context, width, height, this.clip);
    else this.drawLive(context, width, height);
    if (this.at !== null) {
      context.globalAlpha = 1;
      context.fillStyle = colour(this.box, "ink");
      context.fillRect(Math.min(width - 1.5, Math.max(0, this.at * width - 0.75)), 0, 1.5, height);
    }
    this.drawn++;
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height */
  drawLive(context, width, height) {
    context.globalAlpha = 1;
    const shown = this.levels.slice(-Math.ceil(width / STEP));
    shown.forEach((level, i) => {
      const tall = Math.max(1, liftLevel(level) * (height - 4));
      context.fillRect(width - (shown.length - i) * STEP, (height - tall) / 2, STEP - 1, tall);
    });
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width @param {number} height @param {{peaks: Float32Array, rms: Float32Array}} clip */
  drawClip(context, width, height, { peaks, rms }) {
    if (this.span) {
      context.globalAlpha = 0.22;
      context.fillRect(this.span[0] * width, 0, Math.max(1, (this.span[1] - this.span[0]) * width), height);
      context.globalAlpha = 1;
      for (const edge of this.span) context.fillRect(Math.min(width - 1, edge * width), 0, 1, height);
    }
    const tallest = peaks.reduce((most, peak) => Math.max(most, peak), QUIETEST);
    for (const [levels, alpha] of /** @type {[Float32Array, number][]} */ ([[peaks, PALE], [rms, 1]])) {
      if (!levels.length) continue;
      context.globalAlpha = alpha;
      const columns = squeeze(levels, Math.round(width));
      columns.forEach((level, i) => {
        const tall = Math.max(0.5, (level / tallest) * (height - 4));
        const left = (i * width) / columns.length;
        context.fillRect(left, (height - tall) / 2, width / columns.length + 0.3, tall);
      });
    }
  }
}
