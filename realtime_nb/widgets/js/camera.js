// The camera's view: a preview, a choice of device, and a picture when it is asked for, here or by the kernel.
import { h } from "./dom.js";
import { openMedia } from "./media.js";
import { Trouble } from "./trouble.js";

const QUALITY = 0.9; // JPEG; a megapixel is some 200 kB

/** @type {Record<string, [message: string, todo: string]>} What a microphone's trouble means for a camera. */
const TABLE = {
  denied: ["The browser did not allow the camera.", "Click the lock or camera sign left of the page's address, allow the camera, then press Start again."],
  none: ["No camera was found.", "Plug one in and press Start again, or read a file: rt.Image.read(\"photo.png\")."],
  busy: ["The camera is in use by another program.", "Close that program (a call, another page), then press Start again."],
  insecure: ["This page came over plain HTTP, where browsers offer no camera.", "Open it as https://… or as http://localhost:…."],
  unsupported: ["This browser offers no camera here.", "Use a current Chrome, Edge, Firefox or Safari."],
  gone: ["The camera was unplugged.", "Choose another one, or plug it in, then press Start again."],
};

/**
 * What to say of a failure.
 * @param {unknown} error
 * @returns {{code: string, message: string, todo: string}}
 */
export function cameraTrouble(error) {
  const { code } = Trouble.from(error);
  const [message, todo] = TABLE[code] ?? ["The camera could not be opened.", "Press Start again."];
  return { code, message, todo };
}

/** @param {import("./index.js").Context} context */
export function renderCamera({ model, el }) {
  const view = new CameraView(model, el);
  return () => view.close();
}

export class CameraView {
  /** How often the camera was started or stopped: what was begun before the last time is not wanted any more. */
  turn = 0;
  /** @type {Promise<void> | null} */
  opening = null;
  /** @type {Promise<void> | null} */
  snapping = null;

  /** @param {import("@anywidget/types").AnyModel} model @param {HTMLElement} el */
  constructor(model, el) {
    this.model = model;
    /** @type {MediaStream | null} */
    this.stream = null;
    this.ui = parts(this);
    el.append(...this.ui.rows);
    this.media = openMedia(model, {
      onEvent: (header) => void (header.t === "snap" && this.snap()),
      onState: (state) => this.state(state),
    });
    this.dress();
  }

  /** @param {string} [device] */
  start(device) {
    const opening = this.open(device).finally(() => this.opening === opening && (this.opening = null));
    return (this.opening = opening);
  }

  /** @param {string} [device] */
  async open(device) {
    this.stop();
    const { turn } = this;
    const wanted = () => turn === this.turn;
    try {
      if (!isSecureContext) throw new Trouble("insecure");
      if (!navigator.mediaDevices?.getUserMedia) throw new Trouble("unsupported");
      const side = this.model.get("longest");
      const wish = { width: { ideal: side }, height: { ideal: Math.round((side * 9) / 16) }, ...(device ? { deviceId: { exact: device } } : {}) };
      const stream = await navigator.mediaDevices.getUserMedia({ video: wish });
      if (!wanted()) return stream.getTracks().forEach((track) => track.stop());
      this.stream = stream;
      stream.getVideoTracks()[0].addEventListener("ended", () => wanted() && this.fail(new Trouble("gone")));
      this.ui.video.srcObject = stream;
      await this.ui.video.play();
      await this.list();
      if (wanted()) this.say("", "");
    } catch (error) {
      if (wanted()) this.fail(error);
    }
    this.dress();
  }

  /** Name the cameras; browsers tell them once one was allowed. */
  async list() {
    const found = (await navigator.mediaDevices.enumerateDevices()).filter(({ kind }) => kind === "videoinput");
    const now = this.stream?.getVideoTracks()[0].getSettings().deviceId;
    this.ui.device.replaceChildren(...found.map(({ deviceId, label }, i) => h("option", { value: deviceId, selected: deviceId === now }, label || `Camera ${i + 1}`)));
    this.ui.device.hidden = found.length < 2;
  }

  /** Take a picture and send it home; who asks while one is being taken gets that. */
  snap() {
    return (this.snapping ??= this.shoot().finally(() => (this.snapping = null)));
  }

  /** A camera that is being started is waited for. */
  async shoot() {
    if (!this.stream && !this.opening) void this.start();
    while (this.opening) await this.opening;
    const { video, canvas } = this.ui;
    if (!this.stream || !video.videoWidth) return;
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext("2d")?.drawImage(video, 0, 0);
    const file = await new Promise((/** @type {(blob: Blob | null) => void} */ done) => canvas.toBlob(done, "image/jpeg", QUALITY));
    if (!file) return this.fail(new Error("no picture came out of the canvas"));
    this.media.send({ t: "frame", width: canvas.width, height: canvas.height }, new Uint8Array(await file.arrayBuffer()));
    this.taken = true;
    this.dress();
  }

  /** @param {unknown} error */
  fail(error) {
    const { code, message, todo } = cameraTrouble(error);
    this.stop();
    this.say(message, todo);
    this.media.send({ t: "trouble", code, message, todo });
  }

  /** @param {import("./media.js").MediaState} state */
  state(state) {
    if (state.status === "closed") this.stop();
    if (state.trouble) this.say((this.linkTrouble = state.trouble), "");
    else if (this.ui.note.textContent === this.linkTrouble) this.say("", "");
  }

  /** @param {string} message @param {string} todo */
  say(message, todo) {
    this.ui.note.textContent = [message, todo].filter(Boolean).join(" ");
    this.ui.note.hidden = !message;
  }

  stop() {
    this.turn++;
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.ui.video.srcObject = null;
    this.dress();
  }

  dress() {
    const { start, snap, video, canvas, hint } = this.ui;
    const live = Boolean(this.stream);
    start.textContent = live ? "Stop" : "Start camera";
    start.setAttribute("aria-pressed", String(live));
    snap.disabled = !live;
    video.hidden = !live;
    canvas.hidden = live || !this.taken;
    hint.hidden = live || Boolean(this.taken);
    this.ui.said.textContent = this.taken ? `Picture taken, ${canvas.width} by ${canvas.height} pixels: camera.image` : "";
  }

  close() {
    this.stop();
    this.media.close();
  }

  taken = false;
  linkTrouble = ""; // what was said last of the way to the kernel
}

/** @param {CameraView} view */
function parts(view) {
  const video = h("video", { class: "rtnb-picture", muted: true, playsInline: true, "aria-label": "What the camera sees" });
  const canvas = h("canvas", { class: "rtnb-picture", role: "img", "aria-label": "The last picture taken" });
  const hint = h("p", { class: "rtnb-words rtnb-muted" }, "The camera is off. Nothing is seen before you press Start, and nothing leaves the page before a picture is taken.");
  const toggle = () => (view.stream ? view.stop() : void view.start());
  const start = h("button", { class: "rtnb-button is-main", type: "button", onclick: toggle }, "Start camera");
  const snap = h("button", { class: "rtnb-button", type: "button", onclick: () => void view.snap() }, "Take picture");
  const device = h("select", { class: "rtnb-select", "aria-label": "Camera", hidden: true, onchange: () => void view.start(device.value) });
  const said = h("p", { class: "rtnb-words rtnb-muted", role: "status" });
  const note = h("p", { class: "rtnb-note is-alert", role: "alert", hidden: true });
  const row = h("div", { class: "rtnb-row" }, start, snap, device);
  return { video, canvas, hint, start, snap, device, said, note, rows: [video, canvas, hint, row, said, note] };
}
