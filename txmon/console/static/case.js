// One case: its state and clocks, parties, alerts, timeline, network, signs, files, and every change of it.

import { badge, definition, h, icon, replace, section, severity, table } from "./dom.js";
import { call, may, session } from "./api.js";
import { due } from "./cases.js";
import { capital, local, minor, number, ruleTitle, time, when, who, words } from "./format.js";
import { graph } from "./graph.js";
import { action, attempt, go, link, offer, page, purposeDialog, route } from "./shell.js";
import { here } from "./keys.js";
import * as changes from "./casechanges.js";

page("case", async (caseId) => {
  let found = await call("GET /v1/cases/{case_id}", { case_id: caseId });
  // of a restricted case nothing that names somebody is read before it is asked for, here and now
  const purpose = session.casePurposes.get(caseId) ?? (found.data.restriction ? null : session.purpose);
  if (purpose) found = await call("GET /v1/cases/{case_id}", { case_id: caseId }, { purpose });
  const one = new Case(found.data, found.tag, purpose);
  const read = await one.parts();
  return [
    one.head(), one.buttons(),
    h("div.two",
      h("div", one.parties(), one.alerts(read.alerts), one.later("Timeline", "GET /v1/cases/{case_id}/timeline", read.timeline, timeline),
        one.later("Network", "GET /v1/cases/{case_id}/network", read.network, (data) => graph(data, null))),
      h("aside", { "aria-label": "Facts" }, one.facts(), one.comments(read.timeline), one.signs(), one.files(), one.access())),
  ];
});

class Case {
  constructor(data, tag, purpose) {
    Object.assign(this, { data, tag, purpose, id: data.case_id });
    this.open = !data.merged_into;
    this.childrens = data.restriction === "child_exploitation";
  }

  // What is read beside the case: of a restricted one only what has been asked for in this session.
  async parts() {
    const { purpose, id } = this;
    const get = (name) => (purpose ? call(name, { case_id: id }, { purpose }).then((answer) => answer.data) : null);
    const alerts = await Promise.all(this.data.alerts.slice(0, 50).map((each) => call("GET /v1/alerts/{alert_id}", { alert_id: each }, { purpose }).then((answer) => answer.data)));
    if (this.data.restriction) return { alerts, timeline: null, network: null };
    const [timeline_, network] = await Promise.all([get("GET /v1/cases/{case_id}/timeline"), get("GET /v1/cases/{case_id}/network")]);
    return { alerts, timeline: timeline_, network };
  }

  head() {
    const { data } = this;
    return h("div.title", h("h1", severity(data.severity), " ", h("span", data.title ?? `Case ${data.case_id}`)),
      h("p.quiet", badge(capital(data.state)), data.protect && h("span.protect", icon("shield"), "Somebody may be a victim"),
        data.restriction && h("span.badge", icon("lock"), `Restricted: ${session.vocabulary.restrictions?.[data.restriction] ?? words(data.restriction)}`),
        data.mode === "test" && badge("test", "test")));
  }

  buttons() {
    const { data } = this;
    if (data.merged_into) return h("div.bar", "Merged into ", link(["case", data.merged_into], data.merged_into));
    const patch = "PATCH /v1/cases/{case_id}";
    const next = (session.vocabulary.states?.[data.state] ?? []).map((to) => [capital(NEXT[to] ?? to), patch, null, () => changes.move(this, to)]);
    const offers = [
      ...next,
      ["Comment", "POST /v1/cases/{case_id}/comments", "m", () => changes.comment(this)],
      ["Add party", "POST /v1/cases/{case_id}/parties", "v", () => changes.addParty(this)],
      ["Change", patch, "h", () => changes.change(this)],
      ["Facts known", patch, "f", () => changes.factsKnown(this)],
      ["Account action", "POST /v1/cases/{case_id}/actions", "o", () => changes.act(this)],
    ];
    for (const [text, name, key, run] of offers) if (key && may(name)) here(key, text, run);
    return h("div.bar", !data.personal && this.reveal("Show names and texts (recorded)"),
      offers.map(([text, name, key, run], at) => action(text, name, run, { key, kind: at === 0 ? "primary" : "" })));
  }

  reveal(text) {
    return h("button", { type: "button", "data-call": "GET /v1/cases/{case_id}", onclick: () => this.show() }, text);
  }

  async show() {
    const purpose = await this.askPurpose();
    if (purpose) route();
    return purpose;
  }

  async askPurpose() {
    const given = this.purpose ?? (await purposeDialog(session.purpose ?? "", "Purpose for this case"));
    if (given) session.casePurposes.set(this.id, given);
    return given;
  }

  // A part that names people: there at once, or after a click that is recorded.
  later(title, name, data, shown) {
    const place = h("div", data ? shown(data) : h("button", { type: "button", "data-call": name, onclick: () => read() }, `Show the ${title.toLowerCase()} (recorded)`));
    const read = async () => {
      const purpose = await this.askPurpose();
      if (purpose) await attempt(async () => replace(place, shown((await call(name, { case_id: this.id }, { purpose })).data)));
    };
    return section(title, place);
  }

  facts() {
    const { data } = this;
    return section("Case", definition([
      ["Case", h("code", data.case_id)], ["Whose", who(data.assignee)], ["Safeguarding lead", data.lead && who(data.lead)],
      ["Typologies", data.typologies.map(words).join(", ")], ["Entity", data.entity], ["Mode", data.mode],
      ["Due", due(data)], ["Facts known since", data.facts_known_at && `${time(data.facts_known_at)}, says ${who(data.facts_known_by)}`],
      ["Put off until", time(data.snoozed_until)], ["Reason of the state", data.state_reason],
      ["Opened", `${time(data.created)} by ${who(data.created_by)}`], ["Changed", time(data.changed)], ["Version", data.version],
    ]), this.open && session.vault?.roles.includes("mlro") && h("div.bar", offer("Make a report", "POST /v1/vault/reports", () => go("reports", "new", data.case_id))));
  }

  parties() {
    const victims = session.vocabulary.victim_roles ?? [];
    const rows = table("Parties", [
      ["Who", (each) => [each.name ?? each.ref ?? h("span.quiet", "shown for a purpose"), each.name && h("span.quiet.under", each.ref)]],
      ["Kind", (each) => words(each.kind)],
      ["Role", (each) => [
        victims.includes(each.role) ? h("span.protect", icon("shield"), words(each.role)) : words(each.role), h("span.quiet.under", `${each.confidence} confidence`),
        victims.includes(each.role) && h("span.under", `safe channels: ${each.contact.join(", ") || "none known"}`),
      ]],
      ["Rests on", (each) => [each.basis ?? "", h("span.quiet.under", `by ${who(each.author)}`)]],
      ["", (each) => this.open && each.ref !== undefined && h("div.bar.tight", partyButtons(this, each, victims))],
    ], this.data.parties, { empty: "No party yet." });
    return section("Parties", rows);
  }

  alerts(known) {
    const rows = table("Alerts of the case", [
      ["Severity", (each) => severity(each.severity)],
      ["Alert", (each) => link(["alert", each.alert_id], each.subject_id ?? each.alert_id)],
      ["Why", (each) => each.rule_ids?.map(ruleTitle).join("; ")],
      ["Hits", (each) => number(each.hit_count), "num"],
      ["Last event", (each) => when(each.last_event_time)],
      ["", (each) => this.open && this.data.alerts.length > 1 && action("Take out", "POST /v1/cases/{case_id}/alerts:unlink", () => changes.unlink(this, each.alert_id))],
    ], known);
    return section("Alerts", rows, known.length < this.data.alerts.length && h("p.quiet", `and ${this.data.alerts.length - known.length} more`));
  }

  comments(read) {
    if (!read) return null;
    const said = read.items.filter((each) => each.what === "decision" && each.facts?.text !== undefined);
    return section("Comments", said.length ? h("ul.talk", said.map((each) => h("li", h("p", each.facts.text), h("span.quiet", `${who(each.by)}, ${time(each.at)}`)))) : h("p.quiet", "None yet."));
  }

  signs() {
    const answers = new Map(this.data.checklist.map((each) => [each.sign, each]));
    const known = session.vocabulary.signs ?? [];
    const seen = known.filter((each) => answers.get(each.id)?.answer === "seen");
    return section("Behavioural signs", seen.length ? h("ul", seen.map((each) => h("li", each.text))) : h("p.quiet", `${answers.size} of ${known.length} answered, none seen.`),
      this.open && h("div.bar", action("Answer the checklist", "POST /v1/cases/{case_id}/checklist", () => changes.checklist(this, known, answers))));
  }

  files() {
    const rows = table("Files", [
      ["File", (each) => [each.name ?? each.kind, h("span.quiet.under", `${each.kind}, ${number(each.size)} bytes`)]],
      ["", (each) => action("Save", "GET /v1/cases/{case_id}/files/{file_id}", () => changes.save(this, each))],
    ], this.data.files, { empty: "None." });
    return section("Files", rows, this.open && h("div.bar", action("Attach", "POST /v1/cases/{case_id}/files", () => changes.attach(this)),
      this.childrens && action("Keep a web address", "POST /v1/cases/{case_id}/addresses", () => changes.keepAddress(this))));
  }

  access() {
    if (!this.data.restriction) return null;
    return section("Who may know of it", h("ul", this.data.access.map((each) => h("li", who(each.person_id)))),
      h("div.bar", action("Let somebody in or out", "POST /v1/cases/{case_id}/access", () => changes.access(this))));
  }
}

const NEXT = { investigating: "Investigate", decided: "Decide", closed: "Close" };

function partyButtons(one, party, victims) {
  const victim = victims.includes(party.role);
  return [
    !victim && action("Possible victim", "POST /v1/cases/{case_id}/parties", () => changes.markVictim(one, party)),
    victim && action("Reach safely", "POST /v1/cases/{case_id}/parties/{party_id}/contact", () => changes.contact(one, party)),
    action("Change role", "PATCH /v1/cases/{case_id}/parties/{party_id}", () => changes.amend(one, party, victim)),
  ];
}

function plain(value) {
  return value !== null && typeof value === "object" ? Object.values(value).map(plain).join(" ") : String(value);
}

function timeline(data) {
  const kinds = { event: "Payment", alert: "Alert", decision: "Decision" };
  return table("Timeline", [
    ["Time", (each) => [when(each.at, true), local(each) && h("span.quiet.under", local(each))]],
    ["What", (each) => kinds[each.what]],
    ["", happened],
  ], [...data.items].reverse(), { most: 25, empty: "Nothing happened yet." });
}

function happened(each) {
  if (each.what === "event") {
    const end = (one) => `${one.account ?? "not named"}${one.jurisdiction ? ` (${one.jurisdiction})` : ""}`;
    return [minor(each.amount_minor, each.currency), ` ${end(each.from)} \u2192 ${end(each.to)}`, h("span.quiet.under", [each.kind, each.status, each.rail, each.cross_border && "across a border"].filter(Boolean).map(words).join(", "))];
  }
  if (each.what === "alert") return [link(["alert", each.alert_id], each.alert_id), ` ${each.severity}, ${words(each.state)}`];
  const facts = Object.entries(each.facts ?? {}).filter(([name, value]) => value !== null && !["case", "case_id"].includes(name));
  return [`${words(each.decision.replace(".", " "))} by ${who(each.by)}`, facts.length > 0 && h("span.quiet.under", facts.map(([name, value]) => `${words(name)}: ${Array.isArray(value) ? value.map(plain).join(", ") : plain(value)}`).join("; "))];
}
