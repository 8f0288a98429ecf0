// Amounts, times and words as they are shown. Amounts are exact: digits are moved, nothing is divided.

import { session } from "./api.js";
import { h } from "./dom.js";

export function minor(value, currency) {
  if (value === null || value === undefined) return "";
  const places = session.vocabulary?.currencies?.[currency];
  if (places === undefined) return `${group(String(value))} minor units ${currency ?? ""}`.trim();
  const negative = String(value).startsWith("-");
  const digits = String(value).replace("-", "").padStart(places + 1, "0");
  const whole = group(digits.slice(0, digits.length - places));
  const rest = places ? "." + digits.slice(digits.length - places) : "";
  return `${negative ? "\u2212" : ""}${whole}${rest}\u00a0${currency}`;
}

export function group(digits) {
  return digits.replace(/\B(?=(\d{3})+(?!\d))/g, "\u202f");
}

export function number(value) {
  if (value === null || value === undefined) return "";
  const [whole, rest] = String(value).split(".");
  return /^-?\d+$/.test(whole) ? group(whole) + (rest ? "." + rest : "") : String(value);
}

// A moment, always with its zone.
export function time(text, seconds = false) {
  if (!text) return "";
  const [day, clock] = text.replace("Z", "").replace("+00:00", "").split("T");
  return `${day} ${(clock ?? "00:00").slice(0, seconds ? 8 : 5)} UTC`;
}

// The same for a cell: it breaks between day and time and nowhere else.
export function when(text, seconds = false) {
  if (!text) return "";
  const [day, ...rest] = time(text, seconds).split(" ");
  return h("time", { datetime: text }, h("span.whole", day), " ", h("span.whole", rest.join(" ")));
}

// What clocks on the wall said, where the API knows the zone.
export function local(entry) {
  if (!entry.local) return "";
  const [day, clock] = entry.local.split("T");
  return `${day} ${clock.slice(0, 5)} ${clock.slice(-6)} ${entry.zone}`;
}

const STEPS = [[86400, "d"], [3600, "h"], [60, "min"]];

export function age(text) {
  const seconds = (Date.now() - Date.parse(text)) / 1000;
  const [size, unit] = STEPS.find(([each]) => Math.abs(seconds) >= each) ?? [60, "min"];
  const count = Math.floor(Math.abs(seconds) / size);
  return seconds < -1 ? `in ${count} ${unit}` : `${count} ${unit}`;
}

export function words(name) {
  return String(name ?? "").replace(/[_-]/g, " ");
}

export function capital(text) {
  return text ? text[0].toUpperCase() + text.slice(1) : "";
}

export function plural(count, one, many = one + "s") {
  return `${group(String(count))} ${count === 1 ? one : many}`;
}

export function who(identity) {
  if (!identity) return "nobody";
  const id = identity.replace(/^person:/, "");
  if (id === session.me?.person_id) return `${session.me.name} (me)`;
  return session.people.get(id)?.name ?? id;
}

export function ruleTitle(id) {
  return session.rules.get(id)?.title ?? id;
}

export function score(value) {
  return value === undefined ? "" : Number(value).toFixed(2);
}

export function place(account, country) {
  return `${account ?? "not named"}${country ? ` (${country})` : ""}`;
}
