// Makes elements. Text goes in as text and never as markup; there is no other way in here.

const SVG = "http://www.w3.org/2000/svg";

// h("p.note", {id: "x", onclick: f}, "text", element, [more]); null, undefined and false are left out.
export function h(name, ...rest) {
  const [tag, ...classes] = name.split(".");
  return fill(document.createElement(tag), classes, rest);
}

export function s(name, ...rest) {
  const [tag, ...classes] = name.split(".");
  return fill(document.createElementNS(SVG, tag), classes, rest);
}

function fill(element, classes, rest) {
  if (classes.length) element.classList.add(...classes);
  for (const each of rest) {
    if (isAttributes(each)) attributes(element, each);
    else add(element, each);
  }
  return element;
}

function isAttributes(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Node);
}

function attributes(element, given) {
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

export function add(parent, ...children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    parent.append(child instanceof Node ? child : String(child));
  }
  return parent;
}

export function replace(parent, ...children) {
  parent.replaceChildren();
  return add(parent, children);
}

const SHAPES = {
  critical: ["path", { d: "M5 1h6l4 4v6l-4 4H5l-4-4V5z" }, ["path", { d: "M8 4v5M8 11v1.500", class: "cut" }]],
  high: ["path", { d: "M8 1.500 15 14H1z" }, ["path", { d: "M8 6v4M8 11.500v1", class: "cut" }]],
  medium: ["rect", { x: 2, y: 2, width: 12, height: 12, rx: 2 }, ["path", { d: "M5 8h6", class: "cut" }]],
  low: ["circle", { cx: 8, cy: 8, r: 5.5, class: "hollow" }],
  shield: ["path", { d: "M8 1 14 3v5c0 3.500-2.500 6-6 7-3.500-1-6-3.500-6-7V3z", class: "hollow" },
    ["path", { d: "M5 8l2 2 4-4", class: "line" }]],
  lock: ["rect", { x: 3, y: 7, width: 10, height: 7, rx: 1.5 }, ["path", { d: "M5 7V5a3 3 0 0 1 6 0v2", class: "line" }]],
};

// A small picture beside words that say the same, so hidden from those who hear the page.
export function icon(name) {
  const found = s("svg.icon", { viewBox: "0 0 16 16", "aria-hidden": "true", focusable: "false" });
  const [tag, given, ...more] = SHAPES[name];
  found.append(s(tag, given), ...more.map(([each, its]) => s(each, its)));
  return found;
}

export function severity(name) {
  return name ? h(`span.severity.${name}`, icon(name), name) : h("span.quiet", "not shown");
}

export function badge(text, kind = "") {
  return h("span.badge" + (kind ? `.${kind}` : ""), text);
}

export function definition(pairs) {
  const list = h("dl.facts");
  for (const [name, value] of pairs) {
    if (value === null || value === undefined || value === false || value === "") continue;
    list.append(h("dt", name), h("dd", value));
  }
  return list;
}

export function section(title, ...rest) {
  const id = "s-" + title.toLowerCase().replace(/[^a-z0-9]+/g, "-");
  return h("section.panel", { "aria-labelledby": id }, h("h2", { id }, title), ...rest);
}

// Columns: [heading, cell of a row, class]. Wide tables scroll by themselves, by keyboard too.
// most: so many rows at first, the others on demand. group: what rows that follow each other have in common.
export function table(caption, columns, rows, { row = null, empty = "Nothing here.", most = Infinity, group = null } = {}) {
  if (!rows.length) return h("p.quiet", empty);
  const head = h("tr", columns.map(([name, , kind]) => h("th", { scope: "col", class: kind }, name)));
  const body = h("tbody");
  let last = null;
  const show = (from, to) => rows.slice(from, to).forEach((each) => {
    if (group && group(each) !== last) {
      last = group(each);
      body.append(h("tr.group", h("th", { scope: "rowgroup", colspan: columns.length }, last)));
    }
    const line = h("tr", columns.map(([, cell, kind]) => h("td", { class: kind }, cell(each))));
    if (row) row(line, each);
    body.append(line);
  });
  show(0, most);
  const made = h("table.plain", h("caption.hidden", caption), h("thead", head), body);
  const place = h("div.scroll", { tabindex: "0", role: "region", "aria-label": caption }, made);
  if (rows.length <= most) return place;
  const all = h("button", { type: "button" }, `Show all ${rows.length}`);
  all.addEventListener("click", () => {
    show(most, rows.length);
    all.remove();
    place.focus();
  });
  return h("div.more", place, all);
}
