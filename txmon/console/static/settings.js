// Oneself, keys, people and links, webhooks, and how far the service is.

import { badge, definition, h, section, table } from "./dom.js";
import { call, may, session } from "./api.js";
import { ask } from "./dialog.js";
import { capital, number, plural, time, when, who, words } from "./format.js";
import { action, attempt, link, note, page, route } from "./shell.js";
import { shortcutsOn, help } from "./keys.js";

const SCOPES = ["read", "explain", "ingest", "admin"];
const ROLES = ["analyst", "approver", "safeguarding", "auditor", "coalition", "admin", "ingest"];

page("settings", async () => {
  const get = async (name) => (may(name) ? (await call(name)).data : null);
  const [keys, people, links, hooks, status, waiting] = await Promise.all([
    get("GET /v1/keys"), get("GET /v1/people"), get("GET /v1/links"), get("GET /v1/webhooks"), get("GET /v1/status"), get("GET /v1/proposals"),
  ]);
  return [
    h("div.title", h("h1", "Settings")),
    waiting && h("p", link(["inbox"], waiting.items.length ? `For a second person: ${plural(waiting.items.length, "proposal")}` : "No proposal waits for a second person")),
    h("div.two", h("div", keys && keysOf(keys.items), people && peopleOf(people.items), links && linksOf(links.items), hooks && hooksOf(hooks.items)),
      h("aside", { "aria-label": "Facts" }, me(), status && service(status))),
  ];
});

function me() {
  const one = session.me;
  return section("Who I am", definition([
    ["Name", one.name], ["Person", one.person_id && h("code", one.person_id)], ["Roles", one.roles.map(words).join(", ")], ["Scopes", one.scopes.join(", ")],
    ["Mode", one.mode ?? "live and test"], ["Entities", one.entities?.join(", ") ?? "all"], ["Key", one.key_id && h("code", one.key_id)],
    ["Signed in until", one.session && time(one.session.ends)],
  ]), h("div.bar", h("button", { type: "button", onclick: help }, `Keyboard shortcuts are ${shortcutsOn() ? "on" : "off"}`)));
}

function service(status) {
  const simple = Object.entries(status).filter(([, value]) => ["string", "number", "boolean"].includes(typeof value));
  return section("Service", definition(simple.map(([name, value]) => [capital(words(name)), typeof value === "number" ? number(value) : String(value)])));
}

function keysOf(items) {
  const rows = table("Keys", [
    ["Key", (each) => [each.name, h("span.quiet.under", h("code", each.prefix))]],
    ["Of", (each) => (each.person_id ? who(each.person_id) : "a service")],
    ["May", (each) => [each.scopes.join(", "), each.roles && h("span.quiet.under", each.roles.join(", "))]],
    ["State", (each) => badge(each.state, each.state)],
    ["Expires", (each) => when(each.expires) || "never"],
    ["Last used", (each) => when(each.last_used) || "not yet"],
    ["", (each) => ["active", "enrol"].includes(each.state) && h("div.bar.tight",
      each.person_id === session.me.person_id && action("Replace", "POST /v1/keys/{key_id}/rotation", () => rotate(each)),
      action("End", "DELETE /v1/keys/{key_id}", () => end("DELETE /v1/keys/{key_id}", { key_id: each.key_id }, `End the key ${each.name}`)))],
  ], items);
  return section("Keys", h("div.bar", action("New key", "POST /v1/keys", newKey)), rows);
}

function told(data) {
  return ask({
    title: "The key, shown this once", button: "I have kept it", text: data.proposal_id ? "It works when a second person has agreed." : "It works now.",
    fields: [{ name: "token", label: "Key", value: data.token, max: 400 }], submit: () => route(),
  });
}

function newKey() {
  const mine = [["me", session.me.name], ["", "a service"]];
  return ask({
    title: "New key", button: "Make", call: "POST /v1/keys",
    fields: [
      { name: "name", label: "What it is for", required: true, max: 80 },
      { name: "owner", label: "Whose", type: "select", options: mine },
      ...SCOPES.map((each) => ({ name: `scope-${each}`, label: `Scope ${each}`, type: "check", value: each === "read" })),
      { name: "role", label: "Role of the service", type: "select", options: ["ingest", "analyst", "auditor", "coalition"] },
      { name: "mode", label: "Mode", type: "select", options: [["", "live and test"], "live", "test"] },
      { name: "expires", label: "Expires (UTC)", type: "time" },
    ],
    submit: async (given) => {
      const body = { name: given.name, scopes: SCOPES.filter((each) => given[`scope-${each}`]), mode: given.mode || null, expires: given.expires };
      if (given.owner === "me") body.person_id = session.me.person_id;
      else body.roles = [given.role];
      const { data } = await call("POST /v1/keys", {}, { body });
      setTimeout(() => told(data));
    },
  });
}

function rotate(key) {
  return ask({
    title: "Replace the key", button: "Replace", call: "POST /v1/keys/{key_id}/rotation",
    fields: [{ name: "hours", label: "The old key still works for", type: "select", options: [["0", "not at all"], ["24", "a day"], ["168", "7 days"]], value: "24" }],
    submit: async ({ hours }) => {
      const { data } = await call("POST /v1/keys/{key_id}/rotation", { key_id: key.key_id }, { body: { overlap_s: Number(hours) * 3600 } });
      setTimeout(() => told(data));
    },
  });
}

function end(name, parameters, title) {
  return ask({
    title, button: "End", danger: true, call: name, text: "This counts at once.", fields: [],
    submit: async () => {
      await call(name, parameters);
      route();
    },
  });
}

function peopleOf(items) {
  const rows = table("People", [
    ["Name", (each) => [each.name, h("span.quiet.under", h("code", each.person_id))]],
    ["Roles", (each) => each.roles.map(words).join(", ")],
    ["Entities", (each) => each.entities?.join(", ") ?? "all"],
    ["State", (each) => badge(each.state, each.state)],
    ["", (each) => each.state !== "disabled" && h("div.bar.tight",
      action("Roles", "POST /v1/people/{person_id}/grants", () => grant(each)),
      action("Link", "POST /v1/people/{person_id}/links", () => linkPerson(each)),
      action("Lock out", "DELETE /v1/people/{person_id}", () => end("DELETE /v1/people/{person_id}", { person_id: each.person_id }, `Lock ${each.name} out`)))],
  ], items);
  return section("People", h("div.bar", action("New person", "POST /v1/people", () => grant(null))), rows);
}

function grant(person) {
  const name = person ? "POST /v1/people/{person_id}/grants" : "POST /v1/people";
  return ask({
    title: person ? `Roles of ${person.name}` : "New person", button: "Propose", call: name, text: "A second person decides.",
    fields: [
      ...(person ? [] : [{ name: "name", label: "Name", required: true, max: 80 }]),
      ...ROLES.map((each) => ({ name: each, label: words(each), type: "check", value: person?.roles.includes(each) })),
    ],
    submit: async (given) => {
      const roles = ROLES.filter((each) => given[each]);
      await call(name, { person_id: person?.person_id }, { body: person ? { roles, entities: person.entities } : { name: given.name, roles } });
      note("Proposed; a second person decides.");
      route();
    },
  });
}

function linkPerson(person) {
  return ask({
    title: `Account of ${person.name} at the issuer`, button: "Propose", call: "POST /v1/people/{person_id}/links", text: "A second person compares the subject with that person before approving.",
    fields: [{ name: "subject", label: "Subject, as the refused sign-in shows it", required: true }, { name: "issuer", label: "Issuer, if not the one that is set", max: 500 }],
    submit: async ({ subject, issuer }) => {
      await call("POST /v1/people/{person_id}/links", { person_id: person.person_id }, { body: { subject, issuer: issuer || null } });
      note("Proposed; a second person decides.");
    },
  });
}

function linksOf(items) {
  return section("Accounts at the issuer", table("Links", [
    ["Person", (each) => who(each.person_id)], ["Issuer", (each) => each.issuer], ["Subject", (each) => h("code", each.subject)],
    ["State", (each) => badge(each.state, each.state)],
    ["", (each) => each.state === "active" && action("End", "DELETE /v1/links/{link_id}", () => end("DELETE /v1/links/{link_id}", { link_id: each.link_id }, "End the link"))],
  ], items, { empty: "Nobody is linked." }));
}

function hooksOf(items) {
  const turn = (each, what) => attempt(async () => {
    await call(what === "enable" ? "POST /v1/webhooks/{webhook_id}/enable" : "POST /v1/webhooks/{webhook_id}/disable", { webhook_id: each.webhook_id });
    route();
  });
  return section("Webhooks", table("Receivers of webhooks", [
    ["Address", (each) => each.url], ["Scope", (each) => each.scope], ["State", (each) => badge(each.state, each.state)], ["Failures", (each) => number(each.failures), "num"],
    ["", (each) => (each.state === "active"
      ? action("Stop", "POST /v1/webhooks/{webhook_id}/disable", () => turn(each, "disable"))
      : action("Deliver again", "POST /v1/webhooks/{webhook_id}/enable", () => turn(each, "enable")))],
  ], items, { empty: "Nobody is told." }));
}
