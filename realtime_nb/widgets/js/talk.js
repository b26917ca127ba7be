// The talk's view: who has the word, both voices, what is said, and the few things a person does.
import { h } from "./dom.js";
import { Booth } from "./talk_booth.js";
import { advice, label, SPEAKERS, spending, words } from "./talk_model.js";
import { STYLE } from "./talk_style.js";
import { Wave } from "./wave.js";

/** @param {import("./index.js").Context} context */
export function renderTalk({ model, el }) {
  const view = new TalkView(Booth.of(model), el);
  return () => view.close();
}

class TalkView {
  /** @param {Booth} booth @param {HTMLElement} el */
  constructor(booth, el) {
    this.booth = booth;
    this.el = el;
    /** @type {Map<string, {row: HTMLElement, said: HTMLElement}>} */
    this.rows = new Map();
    this.talkShown = booth.talk;
    this.pressed = false;
    this.noteShown = "";
    this.whyShown = "";
    this.lamp = h("span", { class: "rtnb-lamp", "aria-hidden": "true" });
    this.phase = h("span", { class: "rtnb-phase", role: "status" });
    this.talk = h("button", { class: "rtnb-button is-main", type: "button", onclick: () => this.booth.openMic() }, "Talk");
    this.mute = h("button", { class: "rtnb-button", type: "button", onclick: () => this.toggleMute() }, "Mute ", h("kbd", { "aria-hidden": "true" }, "M"));
    this.stop = h("button", { class: "rtnb-button", type: "button", onclick: () => this.booth.stop() }, "Stop ", h("kbd", { "aria-hidden": "true" }, "Esc"));
    this.end = h("button", { class: "rtnb-button", type: "button", onclick: () => this.booth.end() }, "End");
    this.user = h("div", { class: "rtnb-wave" });
    this.model = h("div", { class: "rtnb-wave" });
    this.lines = h("ol");
    this.log = h("div", { class: "rtnb-log", role: "log", "aria-live": "off", "aria-label": "Transcript", tabIndex: 0 }, this.lines);
    this.spoken = h("div", { class: "rtnb-sr", "aria-live": "polite" });
    this.note = h("div", { class: "rtnb-note", role: "alert", hidden: true });
    this.hold = h("button", { class: "rtnb-button rtnb-hold", type: "button" }, "Hold to talk ", h("kbd", { "aria-hidden": "true" }, "Space"));
    this.line = h("input", { type: "text", placeholder: "Type instead…", "aria-label": "Type a message", autocomplete: "off" });
    this.type = h("form", { class: "rtnb-type", onsubmit: (/** @type {Event} */ event) => this.send(event) }, this.line, h("button", { class: "rtnb-button", type: "submit" }, "Send"));
    this.ask = h("div", { class: "rtnb-row" }, this.hold, this.type);
    this.money = h("span", { class: "rtnb-time" });
    this.full = h("span");
    this.path = h("summary");
    this.why = h("ul");
    this.ways = h("details", {}, this.path, this.why);
    this.el.append(
      h("style", { textContent: STYLE }),
      h("div", { class: "rtnb-head" }, this.lamp, this.phase, this.talk, this.mute, this.stop, this.end),
      this.note,
      h("div", { class: "rtnb-voices" },
        h("span", { class: "rtnb-who is-user" }, SPEAKERS.user), this.user,
        h("span", { class: "rtnb-who is-assistant" }, SPEAKERS.assistant), this.model),
      this.log,
      this.spoken,
      this.ask,
      h("div", { class: "rtnb-foot" }, this.money, h("span", { class: "rtnb-bar", "aria-hidden": "true" }, this.full), this.ways),
    );
    this.el.tabIndex = 0;
    this.el.setAttribute("role", "group");
    this.el.setAttribute("aria-label", "Talk with the model. Hold space to talk, M mutes, Escape stops the answer.");
    this.waves = { user: new Wave(this.user, { role: "user" }), model: new Wave(this.model, { role: "model" }) };
    this.listen();
    booth.join(this);
  }

  // ------------------------------------------------------------ what a person does
  listen() {
    const { hold } = this;
    const down = (/** @type {PointerEvent} */ event) => (hold.setPointerCapture(event.pointerId), this.press(true));
    const up = () => this.press(false);
    hold.addEventListener("pointerdown", down);
    for (const name of ["pointerup", "pointercancel", "lostpointercapture", "blur"]) hold.addEventListener(name, up);
    this.el.addEventListener("keydown", (event) => this.key(event, true));
    this.el.addEventListener("keyup", (event) => this.key(event, false));
    this.el.addEventListener("focusout", (event) => !this.el.contains(/** @type {Node | null} */ (event.relatedTarget)) && up());
  }

  /** @param {boolean} on */
  press(on) {
    if (on === this.pressed || this.booth.talk.call) return;
    this.pressed = on;
    this.booth.hold(on);
  }

  /** @param {KeyboardEvent} event @param {boolean} down */
  key(event, down) {
    const typing = event.target === this.line;
    const button = event.target instanceof HTMLButtonElement && event.target !== this.hold;
    event.stopPropagation(); // the notebook has commands on these keys
    if (event.key === " " && !typing && !button) {
      event.preventDefault();
      if (!event.repeat) this.press(down);
    } else if (event.key === "Escape" && down) this.booth.stop();
    else if (event.key.toLowerCase() === "m" && down && !event.repeat && !typing && !(event.ctrlKey || event.metaKey || event.altKey)) this.toggleMute();
  }

  toggleMute() {
    this.booth.mute(!this.booth.talk.now.muted);
  }

  /** @param {Event} event */
  send(event) {
    event.preventDefault();
    const { line } = this;
    if (line.value.trim()) this.booth.type(line.value);
    line.value = "";
  }

  // ------------------------------------------------------------ what is shown
  show() {
    const { talk, media, mic } = this.booth;
    const { now, phase } = talk;
    const dead = phase === "closed" || media.state.status === "closed";
    set(this.el.dataset, "phase", media.state.status === "closed" ? "closed" : phase);
    set(this.phase, "textContent", media.state.status === "opening" ? "Connecting" : media.state.status === "closed" ? "Disconnected" : label(talk));
    set(this.talk, "hidden", mic !== "off" || dead);
    set(this.mute, "hidden", mic === "off" || dead);
    this.mute.setAttribute("aria-pressed", String(now.muted));
    set(this.stop, "hidden", dead);
    set(this.stop, "disabled", !now.busy);
    set(this.ask, "hidden", dead);
    set(this.hold, "hidden", talk.call);
    this.hold.setAttribute("aria-pressed", String(now.held));
    set(this.end, "hidden", media.state.status === "closed");
    this.showNote();
    this.showLines();
    this.showFoot();
  }

  showNote() {
    const { talk, media, mic, trouble, playback } = this.booth;
    const found = advice(talk, media.state, { mic, trouble, audible: playback.audible });
    const key = JSON.stringify(found);
    if (key === this.noteShown ) return;
    this.noteShown = key;
    this.note.hidden = !found;
    this.note.classList.toggle("is-alert", !!found?.alert);
    this.note.replaceChildren();
    if (!found) return;
    this.note.append(sentence(found.text));
    if (found.todo) this.note.append(" ", looksLikeCode(found.todo) ? h("span", {}, "Try: ", h("code", {}, found.todo)) : found.todo);
    if (found.act === "claim") this.note.append(" ", h("button", { class: "rtnb-button", type: "button", onclick: () => this.booth.claim() }, "Use it here"));
  }

  showLines() {
    const { talk } = this.booth;
    if (talk === this.talkShown && this.rows.size === talk.order.length) return;
    const { log, lines } = this;
    const low = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const finished = talk.order.filter((id) => this.finish(id));
    for (const [id, { row }] of this.rows) if (!talk.lines.has(id)) this.rows.delete(id) && row.remove();
    talk.order.forEach((id, place) => {
      const row = this.row(/** @type {import("./talk_model.js").Line} */ (talk.lines.get(id)));
      if (lines.children[place] !== row) lines.insertBefore(row, lines.children[place] ?? null);
    });
    this.talkShown = talk;
    log.hidden = !talk.order.length;
    if (low) log.scrollTop = log.scrollHeight;
    if (finished.length ) this.spoken.textContent = finished.map((id) => this.read(id)).join(" ");
  }

  /** Whether a line has just come to its end: then it is read out, once. @param {string} id */
  finish(id) {
    const open = (/** @type {import("./talk_model.js").Line | undefined} */ line) => !line || line.state === "open";
    return this.talkShown.order.length > 0 && open(this.talkShown.lines.get(id)) && !open(this.booth.talk.lines.get(id));
  }

  /** @param {string} id */
  read(id) {
    const line = /** @type {import("./talk_model.js").Line} */ (this.booth.talk.lines.get(id));
    return `${SPEAKERS[line.who]}: ${words(line)}`;
  }

  /** @param {import("./talk_model.js").Line} line */
  row(line) {
    let known = this.rows.get(line.id);
    if (!known) {
      const said = h("span", { class: "rtnb-said", dir: "auto" });
      const row = h("li", {}, h("span", { class: `rtnb-who is-${line.who}` }, SPEAKERS[line.who]), said);
      this.rows.set(line.id, (known = { row, said }));
    }
    set(known.row.dataset, "who", line.who);
    set(known.row.dataset, "state", line.state ?? "done");
    set(known.said, "textContent", words(line));
    return known.row;
  }

  showFoot() {
    const { talk, media } = this.booth;
    const { path, rttMs, why } = media.state;
    set(this.money, "textContent", spending(talk.meter));
    const share = talk.meter?.context_window ? (100 * talk.meter.context_tokens) / talk.meter.context_window : 0;
    set(this.full.style, "width", `${Math.min(100, share).toFixed(1)}%`);
    set(this.path, "textContent", path ? `${path}${rttMs === null ? "" : ` · ${rttMs.toFixed(rttMs < 10 ? 1 : 0)} ms`}` : "no connection");
    const lines = why.length ? why : [path ? "No faster way is known." : "The kernel has not answered yet."];
    if (lines.join() !== this.whyShown) this.why.replaceChildren(...lines.map((text) => h("li", {}, text)));
    this.whyShown = lines.join();
  }

  /** @param {{user: number, model: number}} levels */
  beat(levels) {
    this.waves.user.live(this.booth.talk.now.muted && !this.booth.talk.now.held ? 0 : levels.user);
    this.waves.model.live(levels.model);
  }

  close() {
    this.press(false);
    this.waves.user.close();
    this.waves.model.close();
    this.booth.leave(this);
  }
}

/**
 * Set a property only where it differs: what a screen reader follows, and what the page lays out, stays still.
 * @param {any} target
 * @param {string} name
 * @param {any} value
 */
function set(target, name, value) {
  if (target && target[name] !== value) target[name] = value;
}

/** What an error says, as a sentence. @param {string} text */
function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…:)]$/.test(text) ? "" : ".");
}

/** @param {string} text */
function looksLikeCode(text) {
  return /^[\w.]+ ?(=|\()/.test(text);
}
