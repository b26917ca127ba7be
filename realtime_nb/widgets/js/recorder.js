// The recorder's view: record, pause, hear; the wave; which microphone; what happened and what to do.
import { RATE } from "./capture.js";
import { h, icon } from "./dom.js";
import { joinRecording } from "./recording.js";
import { adopt } from "./theme.js";
import { Wave } from "./wave.js";

/** @type {Record<string, string>} */
const SAYS = {
  idle: "Press record and speak, or drop a sound file here.",
  asking: "Your browser asks whether the microphone may be used.",
  recording: "Recording",
  paused: "Paused: nothing is recorded.",
  loading: "Reading the file…",
};

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

/** @param {import("./index.js").Context} context */
export function renderRecorder({ model, el }) {
  adopt();
  const record = h("button", { class: "rtnb-button is-main", type: "button", onclick: () => (live ? recording.stop() : recording.record()) });
  const pause = h("button", { class: "rtnb-button", type: "button", "aria-pressed": "false", onclick: () => recording.pause() }, icon("pause"), "Pause");
  const play = h("button", { class: "rtnb-button", type: "button", onclick: () => recording.play() });
  const time = h("output", { class: "rtnb-time", "aria-label": "Recorded" }, "0:00.0");
  const box = h("div", { class: "rtnb-wave rtnb-grow", role: "img", "aria-label": "Waveform of the recording" });
  const device = h("select", { class: "rtnb-select", "aria-label": "Microphone", onchange: () => recording.choose(device.value) });
  const echo = h("input", { type: "checkbox", onchange: () => recording.cancelEcho(echo.checked) });
  const input = h("input", { type: "file", accept: "audio/*,.wav,.mp3,.flac,.ogg,.opus,.webm,.m4a", class: "rtnb-sr", "aria-label": "Sound file", onchange: () => take(input.files) });
  const says = h("div", { class: "rtnb-says", role: "status", "aria-live": "polite" });
  const alert = h("p", { class: "rtnb-note is-alert", role: "alert", hidden: true });
  const path = h("span", { class: "rtnb-muted rtnb-path" });
  const card = h(
    "div",
    { class: "rtnb-drop", role: "group", "aria-label": "Recorder" },
    h("div", { class: "rtnb-row" }, record, pause, play, time, box),
    h(
      "div",
      { class: "rtnb-row" },
      device,
      h("label", { class: "rtnb-label", title: "Echo cancellation, noise suppression and automatic gain: on for speech, off for the raw sound" }, echo, "Echo cancellation"),
      h("label", { class: "rtnb-button rtnb-file" }, icon("file"), "Sound file", input),
      path,
    ),
    says,
    alert,
  );
  el.append(card);
  const wave = new Wave(box, { role: "user", height: 40 });

  let live = false; // this page records, or holds its recording
  let frame = 0;

  /** @param {FileList | null | undefined} files */
  const take = (files) => {
    if (files?.length) recording.load(files[0]);
    input.value = "";
  };

  /** @param {HTMLElement} button @param {string} name @param {string} words */
  const label = (button, name, words) => {
    if (button.textContent !== words) button.replaceChildren(icon(name), words);
  };

  function follow() {
    wave.cursor = recording.cursor;
    frame = recording.cursor === null ? 0 : requestAnimationFrame(follow);
  }

  /** @param {import("./recording.js").Look} look */
  function draw(look) {
    live = (look.phase === "recording" || look.phase === "paused") && !look.elsewhere;
    const open = look.media.status === "open";
    el.dataset.phase = look.phase;
    label(record, live ? "stop" : "record", live ? "Stop" : look.elsewhere ? "Use it here" : "Record");
    record.disabled = !open || look.phase === "asking" || look.phase === "loading";
    pause.disabled = !live;
    pause.setAttribute("aria-pressed", String(look.phase === "paused"));
    label(play, look.playing ? "stop" : "play", look.playing ? "Stop" : "Play");
    play.disabled = !open || look.phase !== "done";
    time.value = clock(look.samples);
    echo.checked = model.get("echo_cancellation");
    echo.disabled = live;
    device.disabled = live || look.devices.length < 2;
    drawDevices(device, look);
    tell(says, statusOf(look));
    const told = !!el.querySelector(":scope > .rtnb-note.is-alert"); // kernel.js says it already
    alert.hidden = !look.trouble || (look.trouble.code === "kernel" && told);
    tell(alert, look.trouble ? `${look.trouble.message} ${look.trouble.todo}` : "");
    const words = pathWords(look.media);
    path.textContent = words.short;
    path.title = words.long;
    if (look.playing && !frame) follow();
  }

  const { recording, leave } = joinRecording(model, {
    draw,
    level: (peak) => wave.live(peak),
    whole: (peaks) => wave.show(peaks),
  });

  const redraw = () => recording.draw();
  model.on("change:echo_cancellation", redraw);
  card.addEventListener("dragover", (event) => {
    event.preventDefault();
    card.classList.add("is-over");
  });
  card.addEventListener("dragleave", () => card.classList.remove("is-over"));
  card.addEventListener("drop", (event) => {
    event.preventDefault();
    event.stopPropagation();
    card.classList.remove("is-over");
    take(event.dataTransfer?.files);
  });

  return () => {
    cancelAnimationFrame(frame);
    model.off("change:echo_cancellation", redraw);
    wave.close();
    leave();
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
