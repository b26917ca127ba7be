// The few lines of DOM that every view needs.

/**
 * Make an element: properties by name, `class`, `data-*` and `aria-*` as attributes, `on…` as listeners. Text is text:
 * nothing given here is ever read as HTML.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any>} [props]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && !name.includes("-")) /** @type {any} */ (node)[name] = value;
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(.../** @type {(Node | string)[]} */ (children.filter((child) => child !== null && child !== undefined && child !== false)));
  return node;
}

/** @type {Record<string, string>} Paths on a field of 16 by 16. */
const ICONS = {
  record: "M8 3a5 5 0 1 0 0 10A5 5 0 0 0 8 3z",
  stop: "M4 4h8v8H4z",
  pause: "M4 3h3v10H4zM9 3h3v10H9z",
  play: "M4 2.5v11l9-5.5z",
  file: "M8 2 4.2 5.8l1.1 1.1L7.2 5v6h1.6V5l1.9 1.9 1.1-1.1zM3 12.4V14h10v-1.6z",
  mic: "M8 1.5a2.2 2.2 0 0 0-2.2 2.2v4a2.2 2.2 0 0 0 4.4 0v-4A2.2 2.2 0 0 0 8 1.5zM3.7 7.5a4.3 4.3 0 0 0 3.6 4.2v2.8h1.4v-2.8a4.3 4.3 0 0 0 3.6-4.2h-1.4a2.9 2.9 0 0 1-5.8 0z",
};

/**
 * Draw an icon in the text's colour; it says nothing to a screen reader.
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 16 16", width: "14", height: "14", fill: "currentColor", "aria-hidden": "true" })) {
    svg.setAttribute(key, value);
  }
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}
