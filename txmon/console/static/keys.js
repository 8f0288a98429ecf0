// Single-key shortcuts: what they are at the moment, the page that lists them, and a way to turn them off.

import { h } from "./dom.js";

const PREFERENCE = "txmon.shortcuts"; // holds "off" or nothing; never anything else
let page = new Map();
const always = new Map();
let first = null; // the first key of a pair such as "g q"

export function shortcutsOn() {
  return localStorage.getItem(PREFERENCE) !== "off";
}

export function everywhere(keys, text, run) {
  always.set(keys, { text, run });
}

export function here(keys, text, run) {
  page.set(keys, { text, run });
}

export function leave() {
  page = new Map();
}

export function forget() {
  leave();
  always.clear();
}

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing(event.target) || document.querySelector("dialog[open]")) return;
  if (!shortcutsOn() && event.key !== "?") return;
  const pair = first ? `${first} ${event.key}` : event.key;
  first = null;
  const found = page.get(pair) ?? always.get(pair);
  if (found) {
    if (pair === "Enter" && event.target.closest("a, button, summary, [role=button]")) return;
    event.preventDefault();
    found.run();
  } else if ([...always.keys()].some((each) => each.startsWith(`${event.key} `))) {
    first = event.key;
  }
});

function typing(target) {
  return target.closest("textarea, select, [contenteditable], input:not([type=checkbox])") !== null;
}

export function help() {
  const off = h("input", { type: "checkbox", id: "keys-on", checked: shortcutsOn() });
  off.addEventListener("change", () => {
    if (off.checked) localStorage.removeItem(PREFERENCE);
    else localStorage.setItem(PREFERENCE, "off");
  });
  const close = h("button", { type: "button", onclick: () => box.close() }, "Close");
  const box = h("dialog.ask.wide", { "aria-labelledby": "keys-title" },
    h("h2", { id: "keys-title" }, "Keyboard"),
    h("div.columns", list("On this page", page), list("Everywhere", always)),
    h("div.field.check", off, h("label", { for: "keys-on" }, "Single keys do something (remembered in this browser)")),
    h("div.buttons", close));
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
}

function list(title, known) {
  const lines = [...known].map(([keys, { text }]) => [h("dt", keys.split(" ").map((key) => h("kbd", key))), h("dd", text)]);
  return h("div", h("h3", title), lines.length ? h("dl.keys", lines.flat()) : h("p.quiet", "None."));
}
