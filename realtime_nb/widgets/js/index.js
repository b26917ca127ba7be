// The bundle's door: one file for every widget; the trait `view` says which one this is.
import { renderRecorder } from "./recorder.js";

/** @typedef {{model: import("@anywidget/types").AnyModel, el: HTMLElement}} Context */

/** @type {Record<string, (context: Context) => (() => void) | void>} */
const VIEWS = {
  recorder: renderRecorder,
};

/**
 * Send an error of the page home, where the person can see it: `widget.faults`.
 * @param {Context["model"]} model
 * @param {string} where
 * @param {unknown} error
 */
export function reportFault(model, where, error) {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  model.send({ t: "fault", where, text, stack: error instanceof Error ? (error.stack ?? "") : "" });
}

/** @param {Context} context */
function render({ model, el }) {
  const view = model.get("view");
  el.classList.add("rtnb", `rtnb-${view}`);
  const twin = document.createElement("style"); // the static form stands beside the live one: hidden while this lives
  twin.textContent = `.rtnb-static-${model.get("sid")}{display:none}`;
  el.append(twin);
  try {
    return VIEWS[view]({ model, el });
  } catch (error) {
    reportFault(model, `render ${view}`, error);
    el.append(Object.assign(document.createElement("pre"), { textContent: `${view} cannot be shown: ${error}` }));
  }
}

export default { render };
