// Finding: an id leads straight there, anything else is looked for as a subject and as an event.

import { h, section, severity, table } from "./dom.js";
import { call, may, Problem, session } from "./api.js";
import { capital, ruleTitle, when, words } from "./format.js";
import { askPurpose, go, link, page } from "./shell.js";

page("find", async (text) => {
  if (/^cas_/.test(text)) return go("case", text);
  if (await there("GET /v1/alerts/{alert_id}", { alert_id: text })) return go("alert", text);
  if (await there("GET /v1/cases/{case_id}", { case_id: text })) return go("case", text);
  const title = h("div.title", h("h1", `Found for \u201c${text}\u201d`));
  if (!session.purpose) return [title, h("div.panel", h("p", "Who is the subject of an alert is personal data."), h("button.primary", { type: "button", onclick: askPurpose }, "Say a purpose and search"))];
  const purpose = session.purpose;
  const [alerts, hits] = await Promise.all([
    call("GET /v1/alerts", {}, { query: { subject: text, limit: 100 }, purpose }),
    may("GET /v1/hits") ? call("GET /v1/hits", {}, { query: { event_id: text, limit: 100 }, purpose }) : null,
  ]);
  return [title,
    section("Alerts about it", table("Alerts", [
      ["Severity", (each) => severity(each.severity)],
      ["Alert", (each) => link(["alert", each.alert_id], each.alert_id)],
      ["Why", (each) => each.rule_ids?.map(ruleTitle).join("; ")],
      ["State", (each) => capital(words(each.state))],
      ["Opened", (each) => when(each.created)],
    ], alerts.data.items, { empty: "No alert has this subject." })),
    hits && section("Hits of an event of this id", table("Hits", [
      ["Rule", (each) => link(["rule", each.rule_id], ruleTitle(each.rule_id))],
      ["Subject", (each) => each.subject_id],
      ["Time", (each) => when(each.event_time)],
      ["Explanation", (each) => each.explanation],
    ], hits.data.items, { empty: "No rule fired at an event of this id." })),
  ];
});

async function there(route, parameters) {
  if (!may(route) || !/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(Object.values(parameters)[0])) return false;
  try {
    await call(route, parameters);
    return true;
  } catch (error) {
    if (error instanceof Problem && [404, 422].includes(error.status)) return false;
    throw error;
  }
}
