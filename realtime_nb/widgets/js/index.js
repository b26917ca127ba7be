// The bundle's door: one file for every widget; the trait `view` says which one this is.
import { renderCamera } from "./camera.js";
import { mindKernel } from "./kernel.js";
import { renderMeter } from "./meter.js";
import { renderPlayer } from "./player.js";
import { renderRecorder } from "./recorder.js";
import { renderTalk } from "./talk.js";
import { adopt } from "./theme.js";

/** @typedef {{model: import("@anywidget/types").AnyModel, el: HTMLElement}} Context */

/** @type {Record<string, (context: Context) => (() => void) | void>} */
const VIEWS = {
  camera: renderCamera,
  meter: renderMeter,
  player: renderPlayer,
  recorder: renderRecorder,
  talk: renderTalk,
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
  el.dataset.lmSuppressShortcuts = "true"; // JupyterLab's own: space and arrows in here are ours
  adopt();
  try {
    const close = VIEWS[view]({ model, el });
    const unmind = mindKernel({ model, el });
    return () => (unmind(), close?.());
  } catch (error) {
    reportFault(model, `render ${view}`, error);
    el.append(Object.assign(document.createElement("pre"), { textContent: `${view} cannot be shown: ${error}` }));
  }
}

export default { render };
