// One alert: why it fired, its numbers against the lines and the usual range, its events, and what to do with it.

import { badge, definition, h, icon, section, severity, table } from "./dom.js";
import { call, may, session } from "./api.js";
import { ask } from "./dialog.js";
import { eventChart, rangeChart, weekChart } from "./chart.js";
import { capital, minor, number, place, plural, ruleTitle, score, time, when, words } from "./format.js";
import { graph, networkOf } from "./graph.js";
import { action, askPurpose, attempt, link, page, purposeDialog, route } from "./shell.js";
import { here } from "./keys.js";
import { assign, dismiss, linkToCase, openCase, putOff, takeUp } from "./work.js";

page("alert", async (alertId) => {
  const inCase = may("GET /v1/cases") ? (await call("GET /v1/cases", {}, { query: { alert: alertId } })).data.items[0] : undefined;
  // of a restricted case nothing that names somebody is read before it is asked for
  const purpose = inCase?.restriction ? session.casePurposes.get(inCase.case_id) : session.purpose;
  const { data: alert, tag } = await call("GET /v1/alerts/{alert_id}", { alert_id: alertId }, { purpose });
  const usual = alert.personal && may("GET /v1/alerts/{alert_id}/usual") ? await call("GET /v1/alerts/{alert_id}/usual", { alert_id: alertId }, { purpose }) : null;
  return [
    head(alert, inCase), buttons(alert, tag, inCase),
    h("div.two", h("div", whyFired(alert), measured(usual?.data), events(alert)), h("aside", { "aria-label": "Facts" }, facts(alert, inCase), composed(alert), holders(alert))),
  ];
});

function head(alert) {
  const name = alert.personal ? alert.subject_id : alert.alert_id;
  return h("div.title", h("h1", severity(alert.severity), " ", h("span", `${capital(words(alert.subject_type))} ${name}`)),
    h("p.quiet", badge(capital(words(alert.state))), alert.protect && h("span.protect", icon("shield"), "The subject may be a victim: no automatic action, a safe channel only."),
      alert.mode === "test" && badge("test", "test")));
}

function buttons(alert, tag, inCase) {
  const after = () => route();
  const one = [alert];
  const waits = ["open", "in_review"].includes(alert.state);
  const offers = waits ? [
    alert.state === "open" && ["Take up", "POST /v1/queue:work", "t", () => takeUp(one, after), "primary"],
    !inCase && ["Open case", "POST /v1/cases", "c", () => openCase(one)],
    !inCase && ["Link to case", "POST /v1/cases/{case_id}/alerts", "l", () => attempt(() => linkToCase(alert))],
    ["Assign", "POST /v1/queue:work", "a", () => assign(one, after)],
    ["Put off", "POST /v1/queue:work", "z", () => putOff(one, after)],
    alert.state === "in_review" && ["Escalate", "PATCH /v1/alerts/{alert_id}", "e", () => escalate(alert, tag, after)],
    alert.state === "in_review" && ["Dismiss", "PATCH /v1/alerts/{alert_id}", "d", () => dismiss(alert, tag, after)],
  ].filter(Boolean) : [];
  for (const [text, name, key, run] of offers) if (may(name)) here(key, text, run);
  return h("div.bar", inCase && link(["case", inCase.case_id], `In case ${inCase.case_id}`),
    !alert.personal && h("button", { type: "button", "data-call": "GET /v1/alerts/{alert_id}", onclick: () => reveal(inCase) }, "Show names and events (recorded)"),
    offers.map(([text, name, key, run, kind]) => action(text, name, run, { key, kind })));
}

async function reveal(inCase) {
  if (!inCase?.restriction) return askPurpose();
  const given = await purposeDialog(session.purpose ?? "", "Purpose for this case");
  if (!given) return;
  session.casePurposes.set(inCase.case_id, given);
  route();
}

function escalate(alert, tag, after) {
  return ask({
    title: "Escalate the alert", button: "Escalate", call: "PATCH /v1/alerts/{alert_id}",
    fields: [{ name: "reason", label: "Reason", type: "area" }],
    submit: async ({ reason }) => {
      await call("PATCH /v1/alerts/{alert_id}", { alert_id: alert.alert_id }, { version: tag, body: { state: "escalated", reason: reason || null } });
      after();
    },
  });
}

// One entry a rule, the strongest first, with what it said at its newest hit.
function whyFired(alert) {
  const byRule = new Map();
  for (const hit of alert.hits ?? []) {
    if (!byRule.has(hit.rule_id)) byRule.set(hit.rule_id, []);
    byRule.get(hit.rule_id).push(hit);
  }
  const entries = [...byRule].sort(([, a], [, b]) => b[0].score - a[0].score).map(([id, hits]) => {
    const [newest] = hits;
    return h("li",
      h("h3", link(["rule", id], ruleTitle(id)), " ", h("span.quiet", `${words(session.rules.get(id)?.typology)} \u00b7 score ${score(newest.score)} \u00b7 ${plural(hits.length, "hit")}`)),
      newest.explanation ? h("p", newest.explanation) : h("p.quiet", "What it saw is shown for a purpose."),
      newest.trigger === "late" && h("p.quiet", `Seen when an event came late; as of ${time(newest.as_of)}.`));
  });
  return section("Why it fired", entries.length ? h("ul.why-list", entries) : h("p.quiet", "Rules are shown to those who have the scope explain."));
}

function measured(usual) {
  if (!usual) return null;
  const lines = table("Numbers of the rules against their lines", [
    ["Number", (each) => capital(each.name)],
    ["Here", (each) => each.value, "num"],
    ["Line", (each) => [each.line, each.origin && h("span.quiet.under", each.origin)]],
    ["Reached", (each) => (each.met === null ? "cannot be compared" : each.met ? "yes" : "no")],
  ], usual.lines, { group: (each) => ruleTitle(each.rule_id), empty: "Its rules compare no single number with a line." });
  const shown = (each, value) => (value === null ? "" : each.unit === "money" ? minor(value, usual.currency) : number(value));
  const known = usual.numbers.length > 0 && usual.numbers[0].low !== null;
  const before = Math.max(0, usual.weeks.length - 1);
  const ranges = table("The week of the alert against the weeks before", [
    ["In the week", (each) => NUMBERS[each.name] ?? words(each.name)],
    ["Here", (each) => shown(each, each.value), "num"],
    known && ["Usual, 10 to 90 %", (each) => `${shown(each, each.low)} to ${shown(each, each.high)}`, "num"],
    known && ["", rangeChart],
  ].filter(Boolean), usual.numbers, { empty: usual.history ? "No movements of this subject are in the warehouse yet." : "No warehouse is kept, so nothing is known of the weeks before." });
  return section("Numbers against the usual range", lines, h("h3", `Week to ${time(usual.until)}, against ${plural(before, "week")} before`), ranges,
    usual.numbers.length > 0 && !known && h("p.quiet", "Fewer than four weeks before are known: too few to say what is usual."),
    usual.weeks.length > 1 && weekChart(usual.weeks, usual.currency));
}

const NUMBERS = {
  received: "Payments received", received_amount: "Received", paid: "Payments made", paid_amount: "Paid",
  counterparties: "Different counterparties", countries: "Different countries", largest: "Largest payment",
};

function events(alert) {
  if (!alert.personal) return section("Events", h("p.quiet", "Events are shown for a purpose."));
  const hits = new Map();
  for (const hit of alert.hits) hits.set(`${hit.source} ${hit.event_id}`, [...(hits.get(`${hit.source} ${hit.event_id}`) ?? []), hit.rule_id]);
  const fired = (event) => hits.get(`${event.source} ${event.event_id}`);
  const rules = new Set(alert.hits.map((each) => each.rule_id)).size;
  const comesIn = (event) => event.payee === alert.subject_id || event.merchant === alert.subject_id;
  const rows = table("Events that fired a rule", [
    ["Time", (each) => [when(each.event_time, true), each.tz && h("span.quiet.under", each.tz)]],
    ["Kind", (each) => [words(each.kind), h("span.quiet.under", [each.status, each.channel, each.rail].filter(Boolean).map(words).join(", "))]],
    ["Amount", (each) => (each.amount_minor === undefined ? "" : minor(each.amount_minor, each.currency)), "num"],
    ["From", (each) => place(each.payer, each.payer_country)],
    ["To", (each) => place(each.payee ?? each.merchant, each.payee_country ?? each.merchant_country)],
    rules > 1 && ["Fired", (each) => [...new Set(fired(each) ?? [])].map((one) => h("code.under", one))],
  ].filter(Boolean), alert.events, { most: 15 });
  return [section("Flow", graph(networkOf(alert.events), alert.subject_id)), section("Events", eventChart(alert.events, comesIn, fired), rows)];
}

function facts(alert, inCase) {
  return section("Alert", definition([
    ["Alert", h("code", alert.alert_id)], ["Entity", alert.entity], ["Mode", alert.mode],
    ["State", capital(words(alert.state))], ["Reason", alert.state_reason],
    ["Score", score(alert.score)], ["Recommended", alert.recommendation],
    ["Typologies", alert.typologies?.map(words).join(", ")], ["Hits", alert.hit_count],
    ["First event", time(alert.first_event_time)], ["Last event", time(alert.last_event_time)],
    ["Opened", time(alert.created)], ["Changed", time(alert.changed)], ["Version", alert.version],
    ["Case", inCase && link(["case", inCase.case_id], inCase.case_id)],
  ]));
}

function composed(alert) {
  if (!Array.isArray(alert.parts)) return null;
  return section("How the score is made", table("Parts of the score", [
    ["Part", (each) => [words(each.part), h("span.quiet.under", words(each.name))]],
    ["Adds", (each) => score(each.adds), "num"],
  ], alert.parts));
}

function holders(alert) {
  const known = Array.isArray(alert.holders_latest) ? alert.holders_latest : [];
  if (!known.length) return null;
  return section("Holders", table("Holders of the account", [["Party", (each) => each.party], ["Role", (each) => words(each.role)]], known));
}
