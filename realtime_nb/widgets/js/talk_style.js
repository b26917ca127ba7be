// What a talk adds to the theme.
export const STYLE = `
.rtnb-talk { padding: 12px 14px; }
.rtnb-talk .rtnb-head { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 8px; }
.rtnb-talk .rtnb-phase { font-size: 15px; font-weight: 600; flex: 1 1 9em; }
.rtnb-talk .rtnb-lamp { width: 12px; height: 12px; flex: none; }
.rtnb-talk[data-phase="hearing"] .rtnb-lamp { background: var(--rtnb-user); border-color: var(--rtnb-user); box-shadow: 0 0 0 4px color-mix(in srgb, var(--rtnb-user) 25%, transparent); }
.rtnb-talk[data-phase="speaking"] .rtnb-lamp { background: var(--rtnb-model); border-color: var(--rtnb-model); }
.rtnb-talk:is([data-phase="thinking"], [data-phase="calling"]) .rtnb-lamp { border-color: var(--rtnb-model); border-right-color: transparent; animation: rtnb-turn 1s linear infinite; }
.rtnb-talk[data-phase="listening"] .rtnb-lamp { border-color: var(--rtnb-user); }
.rtnb-talk[data-phase="closed"] .rtnb-lamp { border-color: var(--rtnb-alert); }
@keyframes rtnb-turn { to { transform: rotate(1turn); } }
.rtnb-talk .rtnb-voices { display: grid; grid-template-columns: 5em minmax(0, 1fr); gap: 2px 8px; align-items: center; margin-top: 8px; }
.rtnb-talk .rtnb-voices .rtnb-wave { height: 34px; }
.rtnb-talk .rtnb-who { font-size: 12px; font-weight: 600; white-space: nowrap; }
.rtnb-talk .rtnb-who.is-user { color: var(--rtnb-user); }
.rtnb-talk .rtnb-who.is-assistant { color: color-mix(in srgb, var(--rtnb-model) 60%, var(--rtnb-ink)); }
.rtnb-talk .rtnb-who.is-call { color: var(--rtnb-tool); }
.rtnb-talk .rtnb-who.is-system { color: var(--rtnb-hint); }
.rtnb-talk .rtnb-log { margin: 10px 0 0; padding: 8px 0 0; border-top: 1px solid var(--rtnb-line); max-height: 300px; overflow-y: auto; overscroll-behavior: contain; }
.rtnb-talk .rtnb-log ol { list-style: none; margin: 0; padding: 0; }
.rtnb-talk .rtnb-log li { display: grid; grid-template-columns: 5em minmax(0, 1fr); gap: 0 8px; padding: 3px 0; margin: 0; }
.rtnb-talk .rtnb-log .rtnb-who { padding-top: 1px; }
.rtnb-talk .rtnb-said { white-space: pre-wrap; overflow-wrap: anywhere; }
.rtnb-talk li[data-who="call"] .rtnb-said { font-family: var(--jp-code-font-family, ui-monospace, monospace); font-size: 12px; }
.rtnb-talk li[data-state="cut"] .rtnb-said::after { content: " ✂ interrupted"; color: var(--rtnb-hint); font-size: 12px; }
.rtnb-talk .rtnb-type { display: flex; gap: 8px; flex: 1 1 14em; min-width: 0; }
.rtnb-talk .rtnb-type input { flex: 1 1 auto; min-width: 0; min-height: 28px; padding: 2px 9px; border: 1px solid var(--rtnb-edge); border-radius: 7px; background: var(--rtnb-paper); color: inherit; font: inherit; }
.rtnb-talk .rtnb-type input::placeholder { color: var(--rtnb-hint); opacity: 1; }
.rtnb-talk .rtnb-hold { touch-action: none; user-select: none; }
.rtnb-talk .rtnb-foot { display: flex; flex-wrap: wrap; align-items: center; gap: 2px 12px; margin-top: 8px; font-size: 12px; color: var(--rtnb-hint); }
.rtnb-talk .rtnb-foot .rtnb-bar { width: 56px; height: 6px; }
.rtnb-talk .rtnb-foot .rtnb-bar > span { background: var(--rtnb-model); }
.rtnb-talk .rtnb-foot details { margin-left: auto; max-width: 100%; }
.rtnb-talk .rtnb-foot summary { cursor: pointer; }
.rtnb-talk .rtnb-foot ul { margin: 2px 0 0; padding-left: 1.4em; overflow-wrap: anywhere; }
.rtnb-talk .rtnb-note code { overflow-wrap: anywhere; }
.rtnb-talk kbd { font: inherit; font-size: 11px; padding: 0 4px; border: 1px solid var(--rtnb-edge); border-radius: 4px; opacity: .75; }
@container (max-width: 360px) {
  .rtnb-talk .rtnb-log li { grid-template-columns: minmax(0, 1fr); }
  .rtnb-talk .rtnb-voices { grid-template-columns: auto minmax(0, 1fr); }
  .rtnb-talk .rtnb-phase { flex-basis: calc(100% - 24px); }
  .rtnb-talk kbd { display: none; }
}
`;
