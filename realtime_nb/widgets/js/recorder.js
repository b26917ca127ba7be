// The recorder's view: record, pause, hear; the wave; which microphone; what happened and what to do.
import { RATE } from "./capture.js";
import { h, icon } from "./dom.js";
import { joinRecording } from "./recording.js";
import { Wave } from "./wave.js";

/** @type {Record<string, string>} */
const SAYS = {
  idle: "Press record and speak, or drop a sound file here.",
  asking: "Your browser asks whether the microphone may be used.",
  recording: "Recording",
  paused: "Paused: nothing is recorded.",
  loading: "Reading the file…",
};

const SOUNDS = "audio/*,.wav,.mp3,.flac,.ogg,.opus,.webm,.m4a";
const ECHO = "Echo cancellation, noise suppression and automatic gain: on for speech, off for the raw sound";

/** @param {number} samples */
export function clock(samples) {
  const tenths = Math.floor(samples / 2400);
  return `${Math.floor(tenths / 600)}:${String(Math.floor(tenths / 10) % 60).padStart(2, "0")}.${tenths % 10}`;
}

/** @param {import("./media.js").MediaState} media */
export function pathWords({ status, path, rttMs, why }) {
  if (status !== "open") return { short: status === "opening" ? "connecting…" : "not connected", long: why.join("\n") };
  const trip = rttMs === null ? "" : ` · ${rttMs < 10 ? rttMs.toFixed(1) : Math.round(rttMs)} ms`;
  const names = { proxy: "through Jupyter’s server", direct: "straight to the kernel", comm: "by widget messages" };
  const long = `Sound goes ${names[/** @type {keyof typeof names} */ (path)]}.${why.length ? `\nNot better because:\n${why.join("\n")}` : ""}`;
  return { short: `${path}${trip}`, long };
}

/** The recorder's elements, and the card they stand in. */
function makeParts() {
  const button = (/** @type {string} */ main = "") => h("button", { class: `rtnb-button${main}`, type: "button" });
  const parts = {
    record: button(" is-main"),
    pause: button(),
    play: button(),
    time: h("output", { class: "rtnb-time", "aria-label": "Recorded" }),
    box: h("div", { class: "rtnb-wave rtnb-grow", role: "img", "aria-label": "Waveform of the recording" }),
    device: h("select", { class: "rtnb-select", "aria-label": "Microphone" }),
    echo: h("input", { type: "checkbox" }),
    input: h("input", { type: "file", accept: SOUNDS, class: "rtnb-sr", "aria-label": "Sound file" }),
    path: h("span", { class: "rtnb-muted rtnb-path" }),
    says: h("div", { class: "rtnb-says", role: "status", "aria-live": "polite" }),
    alert: h("p", { class: "rtnb-note is-alert", role: "alert", hidden: true }),
  };
  const { record, pause, play, time, box, device, echo, input, path, says, alert } = parts;
  const card = h(
    "div",
    { class: "rtnb-drop", role: "group", "aria-label": "Recorder" },
    h("div", { class: "rtnb-row" }, record, pause, play, time, box),
    h(
      "div",
      { class: "rtnb-row" },
      device,
      h("label", { class: "rtnb-label", title: ECHO }, echo, "Echo cancellation"),
      h("label", { class: "rtnb-button rtnb-file" }, icon("file"), "Sound file", input),
    ),
    h("div", { class: "rtnb-row" }, says, path),
    alert,
  );
  return { ...parts, card };
}

/** @typedef {ReturnType<typeof makeParts>} Parts */

/** This page records, or holds its recording. @param {import("./recording.js").Look} look */
const isLive = (look) => (look.phase === "recording" || look.phase === "paused") && !look.elsewhere;

/** Show how things stand. @param {Parts} parts @param {import("./recording.js").Look} look */
function drawParts(parts, look) {
  const live = isLive(look);
  const open = look.media.status === "open";
  label(parts.record, live ? "stop" : "record", live ? "Stop" : look.elsewhere ? "Use it here" : "Record");
  parts.record.disabled = !open || look.phase === "asking" || look.phase === "loading";
  label(parts.pause, "pause", "Pause");
  parts.pause.disabled = !live;
  parts.pause.setAttribute("aria-pressed", String(look.phase === "paused"));
  label(parts.play, look.playing ? "stop" : "play", look.playing ? "Stop" : "Play");
  parts.play.disabled = !open || look.phase !== "done";
  parts.time.value = clock(look.samples);
  parts.echo.checked = look.echo;
  parts.echo.disabled = live;
  parts.device.disabled = live || look.devices.length < 2;
  drawDevices(parts.device, look);
  tell(parts.says, statusOf(look));
  const words = pathWords(look.media);
  parts.path.textContent = words.short;
  parts.path.title = words.long;
}

/** @param {HTMLElement} button @param {string} name @param {string} words */
function label(button, name, words) {
  if (button.textContent !== words) button.replaceChildren(icon(name), words);
}

/** @param {import("./index.js").Context} context */
export function renderRecorder({ model, el }) {
  const parts = makeParts();
  el.append(parts.card);
  const wave = new Wave(parts.box, { role: "user", height: 40 });
  let live = false;
  let frame = 0;

  function follow() {
    wave.cursor = recording.cursor;
    frame = recording.cursor === null ? 0 : requestAnimationFrame(follow);
  }

  /** @param {import("./recording.js").Look} look */
  function draw(look) {
    live = isLive(look);
    el.dataset.phase = look.phase;
    drawParts(parts, look);
    const told = look.trouble?.code === "kernel" && !!el.querySelector(":scope > .rtnb-note"); // kernel.js says it already
    parts.alert.hidden = !look.trouble || told;
    tell(parts.alert, look.trouble ? `${look.trouble.message} ${look.trouble.todo}` : "");
    if (look.playing && !frame) follow();
  }

  const { recording, leave } = joinRecording(model, {
    draw,
    level: (peak) => wave.live(peak),
    whole: (peaks) => wave.show(peaks),
  });
  parts.record.onclick = () => (live ? recording.stop() : recording.record());
  parts.pause.onclick = () => recording.pause();
  parts.play.onclick = () => recording.play();
  parts.device.onchange = () => recording.choose(parts.device.value);
  parts.echo.onchange = () => recording.cancelEcho(parts.echo.checked);
  takeFiles(parts, (file) => recording.load(file));
  const redraw = () => recording.draw();
  model.on("change:echo_cancellation", redraw);

  return () => {
    cancelAnimationFrame(frame);
    model.off("change:echo_cancellation", redraw);
    wave.close();
    leave();
  };
}

/** Take a file that is chosen, or dropped on the card. @param {Parts} parts @param {(file: File) => void} take */
function takeFiles({ card, input }, take) {
  const first = (/** @type {FileList | null | undefined} */ files) => files?.length && take(files[0]);
  const over = (/** @type {boolean} */ is) => card.classList.toggle("is-over", is);
  input.onchange = () => {
    first(input.files);
    input.value = "";
  };
  card.ondragover = (event) => (event.preventDefault(), over(true));
  card.ondragleave = () => over(false);
  card.ondrop = (event) => {
    event.preventDefault();
    event.stopPropagation(); // JupyterLab would upload it
    over(false);
    first(event.dataTransfer?.files);
  };
}

/** @param {HTMLElement} node @param {string} words */
function tell(node, words) {
  if (node.textContent !== words) node.textContent = words; // a screen reader says each change once
}

/** @param {import("./recording.js").Look} look */
function statusOf(look) {
  if (look.trouble) return "";
  if (look.media.trouble) return look.media.trouble;
  if (look.elsewhere) return "Another tab is recording with this widget.";
  if (look.phase === "recording") return look.label ? `Recording from ${look.label}` : SAYS.recording;
  if (look.phase !== "done") return SAYS[look.phase];
  return look.playing ? "Playing" : look.note || `Recorded ${(look.samples / RATE).toFixed(1)} s.`;
}

/** @param {HTMLSelectElement} select @param {import("./recording.js").Look} look */
function drawDevices(select, { devices, deviceId }) {
  const names = devices.map((device, i) => [device.deviceId, device.label || `Microphone ${i + 1}`]);
  if (!names.length) names.push(["", "Default microphone"]);
  const key = JSON.stringify(names);
  if (select.dataset.key !== key) {
    select.dataset.key = key;
    select.replaceChildren(...names.map(([value, text]) => h("option", { value }, text)));
  }
  select.value = deviceId || names[0][0];
}
