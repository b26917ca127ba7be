// What a talk shows, folded from the kernel's messages and the page's own state: no DOM, no sound.

/**
 * @typedef {{id: string, who: 'user' | 'assistant' | 'system' | 'call', text?: string, state?: 'open' | 'done' | 'cut',
 *   name?: string, output?: string, pictures?: number, seconds?: number}} Line
 * @typedef {{text: string, todo?: string, act?: 'claim' | 'mic', alert?: boolean}} Note
 * @typedef {{phase: string, now: {mic: boolean, muted: boolean, held: boolean, detects: boolean, busy: boolean},
 *   order: string[], lines: Map<string, Line>, changed: Line[], fresh: boolean, call: boolean, note: Note | null,
 *   meter: {cost_usd: number, budget_usd: number | null, context_tokens: number, context_window: number | null} | null}} Talk
 * @typedef {'off' | 'opening' | 'on'} Mic
 */

/** @type {Talk} */
export const NOTHING = {
  phase: "off",
  now: { mic: false, muted: false, held: false, detects: true, busy: false },
  order: [],
  lines: new Map(),
  changed: [],
  fresh: false,
  call: false,
  note: null,
  meter: null,
};

/** What a person is told of each phase. @type {Record<string, string>} */
export const PHASES = {
  off: "Microphone off",
  listening: "Listening",
  hearing: "Hearing you",
  thinking: "Thinking",
  calling: "Using a function",
  speaking: "Speaking",
  muted: "Muted",
  closed: "Session closed",
};

/** Who speaks. @type {Record<Line["who"], string>} */
export const SPEAKERS = { user: "You", assistant: "Model", system: "Note", call: "Function" };

/**
 * Take a message of the kernel in: all at first, then what is new.
 * @param {Talk} talk
 * @param {any} message
 * @returns {Talk}
 */
export function merge(talk, message) {
  const { phase, now, order, lines: changed, fresh, call = false, note, meter } = message;
  const fresher = new Map(changed.map((/** @type {Line} */ line) => [line.id, line]));
  const lines = new Map(order.map((/** @type {string} */ id) => [id, fresher.get(id) ?? talk.lines.get(id)]).filter((/** @type {any[]} */ [, line]) => line));
  return { phase, now, order: [...lines.keys()], lines, changed, fresh, call, note, meter };
}

/**
 * What goes on, in words.
 * @param {Talk} talk
 */
export function label({ phase, now }) {
  return phase === "muted" && !now.detects && !now.muted ? "Hold the key to talk" : (PHASES[phase] ?? phase);
}

/**
 * The words of a line; what was spoken and is not written down (yet) says so.
 * @param {Line} line
 */
export function words({ who, text = "", state = "done", name = "", output = "", pictures = 0, seconds = 0 }) {
  if (who === "call") return `${name}(${text})${state === "open" ? " …" : ` → ${output}`}`;
  const shown = pictures ? `[${pictures === 1 ? "a picture" : `${pictures} pictures`}] ` : "";
  if (!text && seconds) return `${shown}${state === "open" && who === "assistant" ? "…" : `${seconds.toFixed(1)} s of speech`}`;
  return `${shown}${text}${state === "open" ? "…" : ""}`;
}

/**
 * The one thing a person should read now: what happened, and what to do. The first that holds.
 * @param {Talk} talk
 * @param {import("./media.js").MediaState} media
 * @param {{mic: Mic, trouble: Note | null, audible: boolean}} page
 * @returns {Note | null}
 */
export function advice(talk, media, { mic, trouble, audible }) {
  const { phase } = talk;
  if (media.status === "closed") return { text: media.trouble ?? "The connection to the kernel has ended.", alert: true };
  if (media.trouble) return { text: media.trouble, alert: true };
  if (phase === "closed") return { ...(talk.note ?? { text: PHASES.closed }), alert: true };
  if (media.status === "open" && !media.owner)
    return { text: "Another tab has the microphone and the sound of this talk.", todo: "What is said shows here too.", act: "claim" };
  if (trouble) return { ...trouble, alert: true };
  if (talk.note) return { ...talk.note, alert: true };
  if (!audible && phase === "speaking") return { text: "The browser holds the sound back until you click or press a key here." };
  if (mic === "opening") return { text: "The browser asks whether this page may hear you: allow it." };
  if (phase === "listening" && !talk.order.length) return { text: "Say something. Speak over the answer to interrupt it." };
  return null;
}

/**
 * Money so far, and how full the context is, in words.
 * @param {Talk["meter"]} meter
 */
export function spending(meter) {
  if (!meter) return "";
  const { cost_usd, budget_usd, context_tokens, context_window } = meter;
  const money = `$${cost_usd.toFixed(cost_usd && cost_usd < 0.01 ? 5 : 2)}${budget_usd === null ? "" : ` of $${budget_usd.toFixed(2)}`}`;
  return context_window ? `${money} · context ${((100 * context_tokens) / context_window).toFixed(context_tokens ? 1 : 0)} %` : money;
}
