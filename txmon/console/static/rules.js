// The rules at work: what each sees, its tests, what it found, and the proposals that change it.

import { badge, definition, h, section, severity, table } from "./dom.js";
import { call, may, session } from "./api.js";
import { ask, reasonField } from "./dialog.js";
import { capital, group, plural, score, when, words } from "./format.js";
import { action, attempt, link, note, page, route } from "./shell.js";

const DAYS = 365;

page("rules", async () => {
  const { data } = await call("GET /v1/rules", {}, { query: { days: DAYS } });
  const shadow = data.items.filter((each) => each.status === "shadow");
  const columns = [
    ["Rule", (each) => [link(["rule", each.rule_id], each.title), h("span.quiet.under", `${each.rule_id}, version ${each.version}`)]],
    ["Status", (each) => badge(each.status, each.status)],
    ["Typology", (each) => words(each.typology)],
    ["Severity", (each) => severity(each.severity)],
    ["Subject", (each) => words(each.subject)],
    ["Score", (each) => [score(each.score), each.signal && h("span.quiet.under", "signal")], "num"],
    [`Fired in ${DAYS} days`, (each) => group(String(each.fired)), "num"],
  ];
  const staged = h("div");
  return [
    h("div.title", h("h1", "Rules"), h("p.quiet", `${plural(data.items.length, "rule")} in force, config ${data.config.slice(0, 12)}`)),
    h("div.bar", action("What the rule files would change", "GET /v1/rules:staged", () => attempt(() => showStaged(staged)))), staged,
    shadow.length > 0 && section("In shadow: scored and kept, never alerting", table("Shadow rules", columns, shadow)),
    section("All rules", table("Rules", columns, data.items)),
  ];
});

async function showStaged(place) {
  const { data } = await call("GET /v1/rules:staged");
  const lines = table("Changes", [
    ["Rule", (each) => each.rule_id],
    ["In force", (each) => (each.from ? `version ${each.from.version}, ${each.from.status}` : "new")],
    ["In the files", (each) => (each.to ? `version ${each.to.version}, ${each.to.status}` : "gone")],
  ], data.changes, { empty: data.staged ? "No rule differs; lists, rates or detectors do." : "The files are what is in force." });
  const propose = data.staged && action("Propose to put these in force", "POST /v1/rules:activate", () => ask({
    title: "Put the rule files in force", button: "Propose", call: "POST /v1/rules:activate", text: "A second person decides.", fields: [reasonField()],
    submit: async ({ reason }) => {
      await call("POST /v1/rules:activate", {}, { body: { config: data.staged, reason } });
      note("Proposed; a second person decides.");
    },
  }), { kind: "primary" });
  place.replaceChildren(section("What the rule files would change", lines, propose || ""));
}

page("rule", async (id) => {
  const { data: rule } = await call("GET /v1/rules/{rule_id}", { rule_id: id }, { query: { days: DAYS } });
  const hits = may("GET /v1/hits") ? (await call("GET /v1/hits", {}, { query: { rule: id, limit: 50 }, purpose: session.purpose })).data : null;
  const text = rule.rule;
  return [
    h("div.title", h("h1", rule.title), h("p.quiet", badge(rule.status, rule.status), ` ${id}, version ${rule.version}`)),
    h("div.bar", ["live", "shadow"].filter((each) => each !== rule.status).map((status) => action(`Propose ${status}`, "POST /v1/rules/{rule_id}/status", () => propose(id, status)))),
    h("div.two", h("div",
      section("What it sees", h("p", text.description), h("h3", "When"), h("pre.sql", text.when), Object.entries(text.let ?? {}).map(([name, sql]) => [h("h3", h("code", name)), h("pre.sql", sql)])),
      section("Tests", tests(text.tests ?? [])),
      hits && section(rule.status === "shadow" ? "What it found in shadow" : "What it found", table("Newest hits", [
        ["Time", (each) => when(each.event_time)],
        ["Subject", (each) => each.subject_id ?? "shown for a purpose"],
        ["Explanation", (each) => each.explanation ?? ""],
        ["Score", (each) => score(each.score), "num"],
      ], hits.items, { most: 10, empty: "Nothing yet." }))),
    h("aside", { "aria-label": "Facts" }, section("Rule", definition([
      ["Typology", words(rule.typology)], ["Severity", severity(rule.severity)], ["Score", score(rule.score)], ["Subject", rule.subject],
      ["Protects", rule.protect ? "yes: the holder may be a victim" : "no"], ["Fired", `${group(String(rule.fired))} in ${rule.days} days`],
    ])), parameters(text.params ?? {}), wordsOf("False positives", text.false_positives), text.proportionality && section("Why it is proportionate", h("p", text.proportionality)), references(text.references))),
  ];
});

function tests(all) {
  return table("Tests of the rule", [
    ["Test", (each) => each.name],
    ["Events", (each) => each.events?.reduce((sum, one) => sum + Number(one.repeat ?? 1), 0), "num"],
    ["Must hit at", (each) => (each.hits?.length ? each.hits.map((one) => (typeof one === "object" ? JSON.stringify(one) : one)).join(", ") : "nothing")],
  ], all, { empty: "It has none." });
}

function parameters(given) {
  const known = Object.entries(given);
  if (!known.length) return null;
  return section("Parameters", table("Parameters", [
    ["Name", ([name]) => h("code", name)],
    ["Value", ([, each]) => (each?.value === undefined ? String(each) : `${each.value} ${each.currency ?? ""}`), "num"],
    ["From", ([, each]) => [each?.source ?? "", each?.calibrated === false && h("span.quiet.under", "to be calibrated")]],
  ], known));
}

function wordsOf(title, list) {
  return list?.length ? section(title, h("ul", list.map((each) => h("li", typeof each === "string" ? each : JSON.stringify(each))))) : null;
}

function references(list) {
  return list?.length ? section("Sources", h("ul", list.map((each) => h("li", `${each.source}, ${each.where}: ${each.fact}`)))) : null;
}

function propose(id, status) {
  return ask({
    title: `Propose ${status}`, button: "Propose", call: "POST /v1/rules/{rule_id}/status",
    text: status === "shadow" ? "It is scored and kept, and opens no alert. A second person decides." : "It opens alerts. A second person decides.",
    fields: [reasonField()],
    submit: async ({ reason }) => {
      await call("POST /v1/rules/{rule_id}/status", { rule_id: id }, { body: { status, reason } });
      note(`Proposed; a second person decides. ${capital("change the file, too.")}`);
      route();
    },
  });
}
