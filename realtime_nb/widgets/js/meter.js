// The meter's view: a line a gauge, with a bar and the same in words.
import { h } from "./dom.js";

/** @typedef {{name: string, words: string, parts: [string, number][], most: number, full: boolean}} Gauge */

/**
 * The widths of a bar's parts, in percent; together never more than all of it.
 * @param {[string, number][]} parts
 * @param {number} most
 */
export function shares(parts, most) {
  const total = parts.reduce((sum, [, amount]) => sum + amount, 0);
  const scale = 100 / (Math.max(most, total) || 1);
  return parts.map(([kind, amount]) => ({ kind, percent: Math.max(0, amount * scale) }));
}

/** @param {import("./index.js").Context} context */
export function renderMeter({ model, el }) {
  const grid = h("div", { class: "rtnb-grid" });
  const title = h("div", { class: "rtnb-row rtnb-muted" });
  el.append(title, grid);
  el.setAttribute("role", "group");
  const draw = () => {
    title.textContent = model.get("title");
    el.setAttribute("aria-label", `What the session has used: ${model.get("title")}`);
    grid.replaceChildren(...model.get("gauges").map(line));
  };
  model.on("change:gauges", draw);
  model.on("change:title", draw);
  draw();
  return () => {
    model.off("change:gauges", draw);
    model.off("change:title", draw);
  };
}

/** @param {Gauge} gauge */
function line({ name, words, parts, most, full }) {
  const used = parts.reduce((sum, [, amount]) => sum + amount, 0);
  const way = name === "Tokens out" ? "model" : "user";
  const spans = shares(parts, most).map(({ kind, percent }) => h("span", { class: `is-${kind} is-${full ? "full" : way}`, style: `width:${percent}%` }));
  const meter = { role: "meter", "aria-label": name, "aria-valuemin": "0", "aria-valuemax": String(Math.max(most, used)), "aria-valuenow": String(used), "aria-valuetext": words };
  const [figure, ...rest] = words.split(/ (?=\()/);
  return h(
    "div",
    { class: "rtnb-gauge" },
    h("span", {}, name),
    most ? h("div", { class: "rtnb-bar", ...meter }, ...spans) : h("span"),
    h("span", { class: full ? "rtnb-alert" : "" }, figure, rest.length ? h("span", { class: "rtnb-muted rtnb-kinds" }, ` ${rest.join(" ")}`) : null),
  );
}
