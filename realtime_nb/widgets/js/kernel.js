// The static form of a widget stands beside its live view: hidden while there is a kernel to talk to, shown when it is gone.
import { h } from "./dom.js";
import { Trouble } from "./trouble.js";

/** What JupyterLab calls a kernel with which this widget's other half has ended. */
const ENDED = new Set(["restarting", "autorestarting", "terminating", "dead"]);

/**
 * @param {import("./index.js").Context} context
 * @returns {() => void} stop
 */
export function mindKernel({ model, el }) {
  const hidden = document.createElement("style");
  hidden.textContent = `.rtnb-static-${model.get("sid")}{display:none}`;
  const alive = () => el.append(hidden);
  const gone = () => {
    if (!hidden.isConnected) return;
    hidden.remove();
    const { message, todo } = new Trouble("kernel");
    el.querySelectorAll(":scope > *").forEach((child) => ((/** @type {HTMLElement} */ (child)).inert = true));
    el.prepend(h("p", { class: "rtnb-note is-alert", role: "status" }, `${message} ${todo}`));
  };
  const heard = (/** @type {any} */ message) => message?.t === "alive" && alive();
  const changed = (/** @type {unknown} */ _kernel, /** @type {string} */ status) => ENDED.has(status) && gone();
  const kernel = /** @type {any} */ (model).widget_manager?.kernel; // JupyterLab and Notebook 7; a stored page has none
  if (kernel?.statusChanged) {
    alive();
    kernel.statusChanged.connect(changed);
    kernel.disposed.connect(gone);
  } else {
    model.on("msg:custom", heard);
    model.send({ t: "alive?" });
  }
  return () => {
    model.off("msg:custom", heard);
    kernel?.statusChanged?.disconnect(changed);
    kernel?.disposed?.disconnect(gone);
    hidden.remove();
  };
}
