// The recorder's view.
import { h } from "./dom.js";

/** @param {import("./index.js").Context} context */
export function renderRecorder({ el }) {
  el.append(h("div", {}, "Recorder"));
}
