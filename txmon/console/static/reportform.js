// A form made of a report's own fields, with what was found beside each; what it cannot offer is edited as JSON.

import { h, replace } from "./dom.js";
import { capital, words } from "./format.js";

const WAIT_MS = 500; // after the last key, before it is checked again
const LONG = new Set(["text", "description", "purpose", "memo", "other_text"]);
const HIDDEN = new Set(["report_id", "case_id", "mode", "kind", "signed"]); // not a writer's to say

// model: {version, report}. check(model) is called while one types, save(model) is the page's.
export function editor(model, { editable, check }) {
  const state = { report: structuredClone(model.report), places: new Map(), editable };
  let timer = null;
  const whole = () => ({ version: model.version, report: state.report });
  state.touched = () => {
    clearTimeout(timer);
    timer = setTimeout(() => check(whole()), WAIT_MS);
  };
  const fields = h("div.model");
  const draw = () => {
    state.places.clear();
    replace(fields, Object.keys(state.report).filter((name) => !HIDDEN.has(name)).map((name) => part(state, state.report, name, name)));
  };
  state.draw = draw;
  draw();
  const element = h("div.model", fields, editable && asJson(state));
  return { element, model: whole, mark: (found) => mark(state, found), focus: (path) => focus(state, path) };
}

function part(state, owner, name, path) {
  const value = owner[name];
  const label = typeof name === "number" ? title(value, name) : capital(words(name));
  if (value !== null && typeof value === "object") return group(state, owner, name, path, label);
  return field(state, owner, name, path, label);
}

function title(value, at) {
  const named = value && typeof value === "object" ? value.heading || value.text || value.name || value.transaction_id || value.party_id || value.account_id : value;
  return `${at + 1}${named ? ` ${String(named).slice(0, 60)}` : ""}`;
}

// What has parts is opened when it is looked at: a report may have hundreds of payments.
function group(state, owner, name, path, label) {
  const value = owner[name];
  const count = Array.isArray(value) ? value.length : Object.keys(value).length;
  const inside = h("fieldset", h("legend.hidden", label));
  const found = h("div");
  const box = h("details", h("summary", `${label} `, h("span.quiet", Array.isArray(value) ? `(${count})` : "")), found, inside);
  let built = false;
  const build = () => {
    if (built) return;
    built = true;
    const keys = Array.isArray(value) ? value.map((_, at) => at) : Object.keys(value).filter((each) => !HIDDEN.has(each));
    for (const key of keys) inside.append(part(state, value, key, Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`));
    if (!keys.length) inside.append(h("p.quiet", "None."));
    if (state.editable && Array.isArray(value) && count) inside.append(copies(state, value, path));
  };
  box.addEventListener("toggle", build);
  state.places.set(path, { box, build, found });
  if (path === "narrative" || path === "narrative.paragraphs" || path.startsWith("narrative.paragraphs[")) {
    box.open = true;
    build();
  }
  return box;
}

function copies(state, list, path) {
  const again = () => {
    state.draw();
    focus(state, path);
    state.touched();
  };
  const more = h("button", { type: "button" }, "Add one like the last");
  const less = h("button", { type: "button" }, "Remove the last");
  more.addEventListener("click", () => { list.push(structuredClone(list.at(-1))); again(); });
  less.addEventListener("click", () => { list.pop(); again(); });
  return h("div.bar.tight", more, less);
}

function field(state, owner, name, path, label) {
  const value = owner[name];
  const id = `m-${path.replace(/[^a-z0-9]+/gi, "-")}`;
  const found = h("div", { id: `${id}-found` });
  const common = { id, "aria-describedby": `${id}-found`, disabled: !state.editable };
  let input;
  if (typeof value === "boolean") input = h("input", { ...common, type: "checkbox", checked: value });
  else if (LONG.has(name) || String(value ?? "").length > 80) input = h("textarea", { ...common, rows: Math.min(12, 2 + Math.floor(String(value ?? "").length / 90)), value: value ?? "" });
  else input = h("input", { ...common, type: typeof value === "number" ? "number" : "text", value: value ?? "" });
  input.addEventListener("input", () => {
    owner[name] = typeof value === "boolean" ? input.checked : typeof value === "number" ? Number(input.value) : input.value === "" && value === null ? null : input.value;
    state.touched();
  });
  state.places.set(path, { input, found });
  return h(typeof value === "boolean" ? "div.field.check" : "div.field", h("label", { for: id }, label), input, found);
}

function asJson(state) {
  const area = h("textarea", { rows: 16, "aria-label": "The report as JSON", spellcheck: "false" });
  const fault = h("p.fault", { role: "alert" });
  const take = h("button", { type: "button" }, "Take over into the form");
  take.addEventListener("click", () => {
    try {
      const given = JSON.parse(area.value);
      for (const name of Object.keys(state.report)) delete state.report[name];
      Object.assign(state.report, given);
      replace(fault);
      state.draw();
      state.touched();
    } catch (error) {
      replace(fault, `This is not JSON: ${error.message}`);
      area.focus();
    }
  });
  const box = h("details", h("summary", "All of it as JSON"), h("p.hint", "For what the form does not offer: a further party, an address. It is checked like the form."), area, fault, h("div.bar", take));
  box.addEventListener("toggle", () => { area.value = JSON.stringify(state.report, null, 1); });
  return box;
}

function mark(state, found) {
  for (const each of state.places.values()) {
    replace(each.found);
    each.input?.removeAttribute("aria-invalid");
  }
  for (const each of found) {
    const place = nearest(state, each.path);
    if (!place) continue;
    place.found.append(h(`p.finding.${each.level}`, `${each.message}; ${each.remedy}`));
    if (each.level === "error") place.input?.setAttribute("aria-invalid", "true");
  }
}

function steps(path) {
  const found = [];
  for (const match of path.matchAll(/[.[]|$/g)) if (match.index > 0) found.push(path.slice(0, match.index));
  return found;
}

function nearest(state, path) {
  return steps(path).reverse().map((each) => state.places.get(each)).find(Boolean);
}

function focus(state, path) {
  for (const step of steps(path)) {
    const place = state.places.get(step);
    if (place?.box) {
      place.box.open = true;
      place.build();
    }
  }
  const place = nearest(state, path);
  const target = place?.input ?? place?.box?.querySelector("summary");
  target?.scrollIntoView({ block: "center" });
  target?.focus();
}
