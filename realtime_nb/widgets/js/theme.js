// The one stylesheet: JupyterLab's own colours for paper, ink and lines, and the hues of the plots for the roles
// (realtime_nb/plots/palette.py; a test holds them equal), for light and dark pages, with fallbacks outside JupyterLab.

const LIGHT = "--rtnb-user:#1c6db0;--rtnb-model:#de7a1c;--rtnb-tool:#642f6c;--rtnb-alert:#b8123f;--rtnb-hint:#5c6670;--rtnb-line:#e6eaee";
const DARK = "--rtnb-user:#63aef0;--rtnb-model:#ffab57;--rtnb-tool:#dcb8dc;--rtnb-alert:#ff6f8f;--rtnb-hint:#9ba6b1;--rtnb-line:#2c3239";

export const CSS = `
.rtnb {
  ${LIGHT};
  --rtnb-paper: var(--jp-layout-color1, #ffffff);
  --rtnb-raised: var(--jp-layout-color2, #f3f5f7);
  --rtnb-ink: var(--jp-ui-font-color1, #1c2127);
  --rtnb-edge: var(--jp-border-color1, #bdc5cc);
  box-sizing: border-box; max-width: 660px; margin: 2px; padding: 10px 12px;
  border: 1px solid var(--jp-border-color2, var(--rtnb-line)); border-radius: 10px;
  background: var(--rtnb-paper); color: var(--rtnb-ink);
  font: 13px/1.45 var(--jp-ui-font-family, system-ui, sans-serif);
  container-type: inline-size;
}
body[data-jp-theme-light="false"] .rtnb, body.vscode-dark .rtnb, html[theme="dark"] .rtnb { ${DARK}; color-scheme: dark; }
body:is(.vscode-dark) .rtnb, html[theme="dark"] .rtnb { --rtnb-paper: #15181c; --rtnb-raised: #20252b; --rtnb-ink: #e9ecef; --rtnb-edge: #4a535c; }
@media (prefers-color-scheme: dark) {
  body:not([data-jp-theme-light], .vscode-light) .rtnb {
    ${DARK}; --rtnb-paper: #15181c; --rtnb-raised: #20252b; --rtnb-ink: #e9ecef; --rtnb-edge: #4a535c; color-scheme: dark;
  }
}
.rtnb *, .rtnb *::before { box-sizing: border-box; }
.rtnb [hidden] { display: none !important; }
.rtnb :is(button, select, input, video, [tabindex]):focus-visible { outline: 2px solid var(--rtnb-user); outline-offset: 2px; }
.rtnb-row { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 8px; margin-top: 8px; }
.rtnb-row:first-child { margin-top: 0; }
.rtnb-grow { flex: 1 1 auto; min-width: 0; }
.rtnb-wave.rtnb-grow { flex-basis: 180px; }
.rtnb .rtnb-button, .rtnb .rtnb-select {
  min-height: 28px; padding: 2px 11px; border: 1px solid var(--rtnb-edge); border-radius: 7px;
  background: var(--rtnb-raised); color: inherit; font: inherit; cursor: pointer;
}
.rtnb-button { display: inline-flex; align-items: center; justify-content: center; gap: 6px; }
.rtnb .rtnb-select { max-width: 13em; padding: 2px 4px; text-overflow: ellipsis; }
.rtnb-button:hover:not(:disabled) { border-color: currentColor; }
.rtnb-button:disabled { opacity: .5; cursor: default; }
.rtnb-button.is-main { min-width: 5.5em; background: var(--rtnb-main, var(--rtnb-user)); border-color: transparent; color: var(--rtnb-paper); font-weight: 600; }
.rtnb-button[aria-pressed="true"] { border-color: var(--rtnb-alert); box-shadow: inset 0 0 0 1px var(--rtnb-alert); }
.rtnb-button.is-main[aria-pressed="true"] { background: var(--rtnb-alert); box-shadow: none; }
.rtnb-range { width: 84px; accent-color: var(--rtnb-user); vertical-align: middle; }
.rtnb [data-phase="recording"] .is-main, .rtnb[data-phase="recording"] .is-main { --rtnb-main: var(--rtnb-alert); }
.rtnb-file { position: relative; }
.rtnb-file:focus-within { outline: 2px solid var(--rtnb-user); outline-offset: 2px; }
.rtnb-path { margin-left: auto; font-size: 12px; }
.rtnb-says { color: var(--rtnb-hint); }
.rtnb-drop { border-radius: 6px; }
.rtnb-drop.is-over { outline: 2px dashed var(--rtnb-user); outline-offset: 4px; }
.rtnb input[type="checkbox"] { margin: 0; accent-color: var(--rtnb-user); }
.rtnb-label { display: inline-flex; align-items: center; gap: 5px; }
.rtnb-words { max-width: 46em; margin: 8px 0 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.rtnb-muted { color: var(--rtnb-hint); }
.rtnb-time { font-variant-numeric: tabular-nums; white-space: nowrap; }
.rtnb-note { margin: 8px 0 0; padding: 6px 9px; border-left: 3px solid var(--rtnb-user); border-radius: 3px; background: var(--rtnb-raised); }
.rtnb-note.is-alert { border-color: var(--rtnb-alert); }
.rtnb-alert { color: var(--rtnb-alert); }
.rtnb-lamp { display: inline-block; width: 10px; height: 10px; border-radius: 50%; border: 1.5px solid var(--rtnb-hint); transition: background .1s; }
.rtnb-lamp[data-on="true"] { background: var(--rtnb-user); border-color: var(--rtnb-user); }
.rtnb-wave { position: relative; height: 56px; border-radius: 5px; touch-action: none; }
.rtnb-wave canvas { display: block; width: 100%; height: 100%; border-radius: inherit; }
.rtnb-wave[role="slider"] { cursor: pointer; }
.rtnb-bar { display: flex; height: 10px; border-radius: 5px; overflow: hidden; background: var(--rtnb-line); }
.rtnb-bar > span { min-width: 0; transition: width .2s; }
.rtnb-bar > .is-user { --hue: var(--rtnb-user); }
.rtnb-bar > .is-model { --hue: var(--rtnb-model); }
.rtnb-bar > .is-full { --hue: var(--rtnb-alert); }
.rtnb-bar > :is(.is-text, .is-used) { background: var(--hue); }
.rtnb-bar > .is-audio { background: color-mix(in srgb, var(--hue) 62%, var(--rtnb-paper)); }
.rtnb-bar > .is-image { background: color-mix(in srgb, var(--hue) 36%, var(--rtnb-paper)); }
.rtnb-bar > .is-cached { background: repeating-linear-gradient(135deg, var(--hue) 0 2px, transparent 2px 5px); }
.rtnb-picture { display: block; width: 100%; max-width: 480px; height: auto; aspect-ratio: auto 16 / 9; border-radius: 7px; background: var(--rtnb-raised); }
.rtnb-grid { display: grid; grid-template-columns: auto minmax(90px, 1fr) auto; gap: 7px 12px; align-items: center; margin: 0; }
.rtnb-row + .rtnb-grid { margin-top: 6px; }
.rtnb-gauge { display: contents; }
.rtnb-gauge > :last-child { text-align: right; font-variant-numeric: tabular-nums; }
@container (max-width: 360px) {
  .rtnb-grid { grid-template-columns: 1fr; gap: 10px; }
  .rtnb-gauge { display: grid; grid-template-columns: auto 1fr; gap: 3px 10px; }
  .rtnb-gauge > .rtnb-bar { grid-row: 2; grid-column: 1 / -1; }
  .rtnb-gauge > span:empty { display: none; }
}
.rtnb-sr { position: absolute; width: 1px; height: 1px; margin: -1px; padding: 0; overflow: hidden; clip-path: inset(50%); white-space: nowrap; border: 0; }
@media (prefers-reduced-motion: reduce) { .rtnb *, .rtnb *::before { transition: none !important; animation: none !important; } }
@media (forced-colors: active) { .rtnb-bar > span, .rtnb-lamp { forced-color-adjust: none; } }
`;

const ID = "rtnb-theme";

/** Put the stylesheet into the page, once; a newer one (after an update of the package) takes its place. */
export function adopt() {
  let style = document.getElementById(ID);
  if (!style) document.head.append((style = Object.assign(document.createElement("style"), { id: ID })));
  if (style.textContent !== CSS) style.textContent = CSS;
}

/** @type {Set<() => void>} */
const listeners = new Set();
/** @type {MutationObserver | undefined} */
let observer;

/**
 * Be told when the page changes between light and dark.
 * @param {() => void} changed
 * @returns {() => void} stop
 */
export function onTheme(changed) {
  const tell = () => listeners.forEach((listener) => listener());
  if (!observer) {
    observer = new MutationObserver(tell);
    for (const node of [document.documentElement, document.body])
      observer.observe(node, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name", "class", "theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", tell);
  }
  listeners.add(changed);
  return () => listeners.delete(changed);
}

/**
 * A role's colour where an element stands, for a canvas.
 * @param {Element} el
 * @param {"user" | "model" | "tool" | "alert" | "hint" | "line" | "ink" | "paper"} role
 */
export function colour(el, role) {
  return getComputedStyle(el).getPropertyValue(`--rtnb-${role}`).trim() || "#888888";
}
