// The frame of every page: where one can go, who one is, what for, and notes on what was done.

import { h, replace, badge } from "./dom.js";
import { ask, problemText } from "./dialog.js";
import { may, session, signOut } from "./api.js";
import { everywhere, forget, help, leave } from "./keys.js";
import { words } from "./format.js";

const PLACES = [
  ["queue", "Queue", "GET /v1/queue", "q"],
  ["cases", "Cases", "GET /v1/cases", "c"],
  ["inbox", "Four eyes", "GET /v1/proposals", "i"],
  ["reports", "Reports", "GET /v1/vault/me", "r"],
  ["rules", "Rules", "GET /v1/rules", "u"],
  ["quarantine", "Quarantine", "GET /v1/quarantine", "n"],
  ["audit", "Record of reads", "GET /v1/audit", "a"],
  ["settings", "Settings", "GET /auth/me", "s"],
];
let main = null;
const pages = new Map();
let leaving = [];

export function page(name, show) {
  pages.set(name, show);
}

export function go(...parts) {
  const to = "#/" + parts.map(encodeURIComponent).join("/");
  if (location.hash === to) route();
  else location.hash = to;
}

export function link(parts, ...content) {
  return h("a", { href: "#/" + parts.map(encodeURIComponent).join("/") }, ...content);
}

export function onLeave(run) {
  leaving.push(run);
}

// Ends what a page has under way, and the frame with it.
export function close() {
  ended();
  forget();
  main = null;
  for (const each of document.querySelectorAll("dialog[open]")) each.close();
}

function ended() {
  for (const run of leaving) run();
  leaving = [];
}

export function frame() {
  main = h("main", { id: "main", tabindex: "-1" });
  const shown = PLACES.filter(([name, , needs]) => (name === "reports" ? session.vault : may(needs)));
  const places = shown.map(([name, text]) => h("li", place(name, text)));
  const nav = h("nav.places", { "aria-label": "Pages" }, h("p.brand", "txmon"), h("ul", places),
    h("button.quiet-button", { type: "button", onclick: help }, "Keyboard ", h("kbd", "?")));
  replace(document.getElementById("shell"), h("div.frame", nav, h("div.body", top(), main)));
  for (const [name, text, , key] of shown) everywhere(`g ${key}`, `Go to ${text}`, () => go(name));
  everywhere("/", "Find", () => document.getElementById("find")?.focus());
  everywhere("p", "Purpose of this session", askPurpose);
  everywhere("?", "This list", help);
}

function place(name, text) {
  const made = h("a", { href: `#/${name}`, "data-place": name }, text);
  made.addEventListener("click", () => {
    if (location.hash === `#/${name}`) route(); // already there: read it anew
  });
  return made;
}

function top() {
  const { me } = session;
  const find = h("input", { id: "find", type: "search", placeholder: "Alert, case, account, event", "aria-label": "Find an alert, a case, an account or an event", maxlength: "200" });
  const search = h("form.find", { role: "search" }, find);
  search.addEventListener("submit", (event) => {
    event.preventDefault();
    if (find.value.trim()) go("find", find.value.trim());
  });
  const mode = me.mode === "test" ? badge("test only", "test") : me.mode === "live" ? badge("live only", "live") : badge("live and test");
  return h("header.top", search, h("div.who",
    mode, me.entities && badge(me.entities.join(", ")),
    h("button", { type: "button", id: "purpose", onclick: askPurpose }, purposeText()),
    h("span", `${me.name}`, h("span.quiet", ` ${me.roles.map(words).join(", ")}`)),
    h("button", { type: "button", "data-call": me.session ? "POST /auth/logout" : null, onclick: leaveConsole }, "Sign out")));
}

function purposeText() {
  return session.purpose ? `Purpose: ${session.purpose}` : "Names are hidden: say a purpose";
}

export async function askPurpose() {
  const given = await purposeDialog(session.purpose ?? "");
  if (!given) return;
  session.purpose = given;
  document.getElementById("purpose").textContent = purposeText();
  route();
}

// What names somebody is shown for a purpose, which is recorded with each look.
export function purposeDialog(value = "", title = "Purpose") {
  let found;
  return ask({
    title, button: "Show", text: "What names somebody is shown for a purpose. Each look is recorded with it.",
    fields: [{ name: "purpose", label: "What you read it for", required: true, value, max: 200 }],
    submit: ({ purpose }) => { found = purpose; },
  }).then(() => found);
}

async function leaveConsole() {
  const issuer = await signOut();
  if (issuer) note(["Signed out here. ", h("a", { href: issuer, rel: "noreferrer" }, "Sign out at the issuer, too")]);
}

export function note(content, bad = false) {
  const made = h(`div.note${bad ? ".bad" : ""}`, content,
    h("button.quiet-button", { type: "button", "aria-label": "Close this note", onclick: () => made.remove() }, "\u00d7"));
  document.getElementById("notes").append(made);
  if (!bad) setTimeout(() => made.remove(), 8000);
}

// Run something that may be refused; what is refused is told, and true comes back if it was not.
export async function attempt(run) {
  try {
    await run();
    return true;
  } catch (error) {
    note(problemText(error), true);
    return false;
  }
}

function mark() {
  const [name] = parts();
  const owner = { alert: "queue", case: "cases", rule: "rules", row: "quarantine", report: "reports", proposal: "inbox" }[name] ?? name;
  for (const each of document.querySelectorAll("[data-place]")) {
    if (each.dataset.place === owner) each.setAttribute("aria-current", "page");
    else each.removeAttribute("aria-current");
  }
}

function parts() {
  return location.hash.replace(/^#\/?/, "").split("/").map(decodeURIComponent);
}

export async function route() {
  if (!session.me || !main) return;
  ended();
  leave();
  const [name, ...rest] = parts();
  if (name === "main") return; // the link that skips to the content
  const show = pages.get(name);
  if (!show) return go(may("GET /v1/queue") ? "queue" : "settings");
  mark();
  const shown = location.hash;
  main.setAttribute("aria-busy", "true");
  const wait = setTimeout(() => main && replace(main, h("p.quiet.wait", "Reading\u2026")), 250);
  let content;
  try {
    content = await show(...rest);
  } catch (error) {
    content = h("div.panel", h("h1", "This cannot be shown"), h("p", { role: "alert" }, problemText(error)));
  }
  clearTimeout(wait);
  if (location.hash !== shown || !session.me || !main) return;
  replace(main, content);
  main.setAttribute("aria-busy", "false");
  main.dataset.page = shown;
  const title = main.querySelector("h1")?.textContent ?? "";
  document.title = `${title} \u2013 txmon`;
  main.focus({ preventScroll: true });
  performance.mark("txmon-shown");
}

// A button that makes a call; shown to those who may make it.
export function action(text, name, run, more = {}) {
  return may(name) ? offer(text, name, run, more) : null;
}

export function offer(text, name, run, { key, kind } = {}) {
  const button = h(`button${kind ? "." + kind : ""}`, { type: "button", "data-call": name }, text, key && [" ", h("kbd", key)]);
  button.addEventListener("click", run);
  return button;
}
