// Made by `npm run build` in ../js; change the sources there. BSD-3-Clause.

// dom.js
function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && !name.includes("-")) node[name] = value;
    else if (value !== null && value !== void 0 && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(.../** @type {(Node | string)[]} */
  children.filter((child) => child !== null && child !== void 0 && child !== false));
  return node;
}

// recorder.js
function renderRecorder({ el }) {
  el.append(h("div", {}, "Recorder"));
}

// index.js
var VIEWS = {
  recorder: renderRecorder
};
function reportFault(model, where, error) {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  model.send({ t: "fault", where, text, stack: error instanceof Error ? error.stack ?? "" : "" });
}
function render({ model, el }) {
  const view = model.get("view");
  el.classList.add("rtnb", `rtnb-${view}`);
  const twin = document.createElement("style");
  twin.textContent = `.rtnb-static-${model.get("sid")}{display:none}`;
  el.append(twin);
  try {
    return VIEWS[view]({ model, el });
  } catch (error) {
    reportFault(model, `render ${view}`, error);
    el.append(Object.assign(document.createElement("pre"), { textContent: `${view} cannot be shown: ${error}` }));
  }
}
var index_default = { render };
export {
  index_default as default,
  reportFault
};
