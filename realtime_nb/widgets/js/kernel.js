// The static form of a widget stands beside its live view: hidden while there is a kernel to talk to, shown when it is gone.
import { h } from "./dom.js";
import { Trouble } from "./trouble.js";

/** What JupyterLab calls a kernel with which this widget's other half has ended. */
const ENDED = new Set(["restarting", "autorestarting", "terminating", "dead"]);

/**
 * Follow the kernel that JupyterLab (or Notebook 7) connects a widget to.
 * @param {any} model
 * @param {() => void} gone told when the widget's other half has ended with it
 * @returns {(() => void) | null} stop; null where the page tells of no kernel
 */
export function followKernel(model, gone) {
  const kernel = model.widget_manager?.kernel;
  if (!kernel?.statusChanged) return null;
  const changed = (/** @type {unknown} */ _kernel, /** @type {string} */ status) => ENDED.has(status) && gone();
  kernel.statusChanged.connect(changed);
  kernel.disposed.connect(gone);
  return () => {
    kernel.statusChanged.disconnect(changed);
    kernel.disposed.disconnect(gone);
  };
}

/**
 * Whether the page has lost Jupyter's server: asleep, or off the network; the kernel may live on.
 * @param {any} model
 */
export function isCutOff(model) {
  return (model.widget_manager?.kernel?.connectionStatus ?? "connected") !== "connected";
}

/**
 * @param {import("./index.js").Context} context
 * @returns {() => void} stop
 */
export function mindKernel({ model, el }) {
  const hidden = document.createElement("style");
  hidden.textContent = `.rtnb-static-${model.get("sid")}{display:none}`;
  let lives = false; // not `hidden.isConnected`: a notebook takes cells that are out of sight out of the page
  const alive = () => (el.append(hidden), (lives = true));
  const gone = () => {
    if (!lives) return;
    lives = false;
    hidden.remove();
    const { message, todo } = new Trouble("kernel");
    el.querySelectorAll(":scope > *").forEach((child) => ((/** @type {HTMLElement} */ (child)).inert = true));
    el.prepend(h("p", { class: "rtnb-note is-alert", role: "status" }, `${message} ${todo}`));
  };
  const heard = (/** @type {any} */ message) => message?.t === "alive" && alive();
  const stop = followKernel(model, gone);
  if (stop) alive();
  else {
    model.on("msg:custom", heard); // a stored page has no kernel, and nobody who answers
    model.send({ t: "alive?" });
  }
  return () => {
    model.off("msg:custom", heard);
    stop?.();
    hidden.remove();
  };
}
