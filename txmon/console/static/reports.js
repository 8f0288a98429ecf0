// Reports to authorities, for those whom the vault lets in: list, form with its findings, signature, release.

import { badge, definition, h, replace, section, table } from "./dom.js";
import { call, Problem, session } from "./api.js";
import { ask, problemText, reasonField } from "./dialog.js";
import { capital, number, plural, time, when, who, words } from "./format.js";
import { keep } from "./casechanges.js";
import { attempt, go, link, note, offer, page, purposeDialog, route } from "./shell.js";
import { here } from "./keys.js";
import { editor } from "./reportform.js";

const REPORT = "/v1/vault/reports/{report_id}";
const FORMATS = ["goaml", "fincen", "fintrac", "uk", "cybertip", "html"];

async function purposeOf() {
  session.purpose ??= (await purposeDialog("", "Purpose of reading reports")) ?? null;
  return session.purpose;
}

page("reports", async (step, caseId) => {
  const purpose = await purposeOf();
  if (!purpose) return h("div.panel", h("h1", "Reports"), h("p", "Reports are read for a purpose, which is recorded in the vault."));
  if (step === "new") setTimeout(() => draft(caseId));
  const [reports, reminders] = await Promise.all([
    call("GET /v1/vault/reports", {}, { query: { limit: 100 }, purpose }),
    session.vault.roles.some((each) => each !== "examiner") ? call("GET /v1/vault/reminders", {}, { purpose }) : null,
  ]);
  const soon = (reminders?.data.items ?? []).filter((each) => each.state !== "running");
  return [
    h("div.title", h("h1", "Reports"), h("p.quiet", "Nobody outside the vault sees that any of these exist.")),
    soon.length > 0 && section("Due", table("Reminders", [
      ["Report", (each) => link(["report", each.report_id], each.report_id)], ["Clock", (each) => words(each.clock)],
      ["State", (each) => badge(each.state, each.state)], ["Due", (each) => when(each.due) || `${each.age_days} days since the facts are known`],
    ], soon)),
    section("All reports", table("Reports", [
      ["Report", (each) => [link(["report", each.report_id], each.report_id), each.mark && badge(each.mark, "test")]],
      ["State", (each) => capital(words(each.state))], ["Case", (each) => link(["case", each.case_id], each.case_id)],
      ["Formats", (each) => each.formats.join(", ")], ["Drafted by", (each) => who(each.drafted_by)],
      ["Due", (each) => each.clocks.map((one) => (one.due ? `${words(one.clock)} ${time(one.due)}` : `${words(one.clock)}: ${one.age_days} days`)).join("; ")],
      ["Changed", (each) => when(each.changed)],
    ], reports.data.items, { empty: "No report." })),
  ];
});

function draft(caseId) {
  return ask({
    title: "Draft a report", button: "Draft", call: "POST /v1/vault/reports", text: "Drafted from what the case has recorded, and from nothing else.",
    fields: FORMATS.map((each) => ({ name: each, label: each, type: "check", value: each === "goaml" })),
    submit: async (given) => {
      const formats = FORMATS.filter((each) => given[each]);
      const { data } = await call("POST /v1/vault/reports", {}, { body: { case_id: caseId, formats }, purpose: session.purpose });
      go("report", data.report_id);
    },
  });
}

page("report", async (id) => {
  const purpose = await purposeOf();
  if (!purpose) return h("div.panel", h("h1", "Report"), h("p", "Reports are read for a purpose."));
  const { data: report, tag } = await call(`GET ${REPORT}`, { report_id: id }, { purpose });
  const comments = (await call(`GET ${REPORT}/comments`, { report_id: id }, { purpose })).data;
  const one = { report, tag, id, purpose };
  const findings = h("div.findings", { role: "status" });
  const form = editor(report.model, { editable: report.actions.includes("edit"), check: (model) => check(one, model, findings, form), save: (model) => save(one, model) });
  check(one, null, findings, form);
  return [
    h("div.title", h("h1", `Report ${report.kind}, ${report.jurisdiction}`), h("p.quiet", badge(capital(words(report.state))), report.mark && badge(report.mark, "test"))),
    buttons(one, form),
    h("div.two", h("div", section("Findings", findings), section("The report", form.element)),
      h("aside", { "aria-label": "Facts" }, facts(report), files(one), answers(report), talk(one, comments.items))),
  ];
});

function buttons(one, form) {
  const { report } = one;
  const can = (name) => report.actions.includes(name);
  const reason = (required) => [{ ...reasonField(), required }];
  const step = (name, title, button, part, fields, more = {}) => can(name) && offer(button, `POST ${REPORT}/${part}`, () => ask({
    title, button, call: `POST ${REPORT}/${part}`, fields, ...more,
    submit: (given) => change(one, part, trimmed(given)),
  }), { kind: more.kind });
  if (can("release")) here("y", "Release", () => document.querySelector("[data-call$='/release']").click());
  return h("div.bar",
    step("release", "Release the report", "Release", "release", reason(false), { kind: "primary", text: "It is checked, written in each of its formats and kept as it was written. It cannot be edited any more." }),
    step("return", "Return the report", "Return", "return", reason(true)),
    can("edit") && offer("Save", `PUT ${REPORT}`, () => save(one, form.model()), { kind: "primary" }),
    step("sign", "Sign the narrative", "Sign", "signature", [], { text: "You answer for what it says. Editing takes the signature away." }),
    step("submit", "Submit for release", "Submit", "submission", reason(false)),
    step("withdraw", "Take it back", "Take back", "withdrawal", reason(true)),
    step("propose_no_file", "Propose to make no report", "No report", "no-file", reason(true)),
    step("withdraw_no_file", "Take the proposal back", "Take the proposal back", "no-file/withdrawal", reason(true)),
    step("decide_no_file", "Decide that no report is made", "Decide on no report", "no-file/decision", [{ name: "approve", label: "No report is made", type: "check" }, ...reason(true)]),
    can("acknowledge") && offer("Acknowledgement", `POST ${REPORT}/acknowledgement`, () => acknowledge(one)),
    step("correct", "Correct the report", "Correct", "correction", reason(true)),
    step("continue", "Report continuing activity", "Continue", "continuation", reason(true)),
    step("review", "No continuing activity was found", "Reviewed", "review", reason(true)),
    offer("Comment", `POST ${REPORT}/comments`, () => ask({
      title: "Comment", button: "Add", call: `POST ${REPORT}/comments`, fields: [{ name: "text", label: "Text", type: "area", required: true }],
      submit: async ({ text }) => {
        await call(`POST ${REPORT}/comments`, { report_id: one.id }, { body: { text }, purpose: one.purpose });
        route();
      },
    })));
}

function trimmed(given) {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== ""));
}

async function change(one, part, body) {
  const { data } = await call(`POST ${REPORT}/${part}`, { report_id: one.id }, { version: one.report.version, body, purpose: one.purpose });
  note(`The report is ${words(data.state)}.`);
  if (data.report_id !== one.id) go("report", data.report_id);
  else route();
}

function save(one, model) {
  return attempt(async () => {
    await call(`PUT ${REPORT}`, { report_id: one.id }, { version: one.report.version, body: { model }, purpose: one.purpose });
    note("Saved.");
    route();
  });
}

// What stands in the way of a release, at its field; null: the report as it is stored.
async function check(one, model, place, form) {
  if (!session.vault.roles.some((each) => each !== "examiner")) return;
  try {
    const { data } = await call(`POST ${REPORT}/check`, { report_id: one.id }, { body: model ? { model } : {}, purpose: one.purpose });
    const all = data.formats.flatMap((each) => each.findings.map((found) => ({ ...found, format: each.format })));
    form.mark(all);
    replace(place, h("p", data.ready ? "Nothing stands in the way." : `In the way of a release: ${plural(all.filter((each) => each.level === "error").length, "error")}.`), all.map((found) => finding(found, form)));
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    replace(place, h("p.fault", problemText(error)));
  }
}

function finding(found, form) {
  return h(`p.finding.${found.level}`, badge(found.level, found.level), h("span", `${found.format}: `,
    h("button.quiet-button", { type: "button", onclick: () => form.focus(found.path) }, found.path || "the report"), ` ${found.message}; ${found.remedy}`));
}

function facts(report) {
  const by = (person, at) => person && `${who(person)}, ${time(at)}`;
  return section("Report", definition([
    ["Report", h("code", report.report_id)], ["Case", link(["case", report.case_id], report.case_id)], ["Formats", report.formats.join(", ")],
    ["Drafted by", who(report.drafted_by)], ["Edited by", report.editors.map(who).join(", ")],
    ["Signed", by(report.signed_by, report.signed)], ["Submitted", by(report.submitted_by, report.submitted)], ["Released", by(report.released_by, report.released)],
    ["Returned", report.returned && `${report.returned.reason} (${who(report.returned.by)}, ${time(report.returned.at)})`],
    ["No report", report.no_file && `${words(report.no_file.state)} by ${who(report.no_file.proposed_by)}: ${report.no_file.reason}`],
    ["Authority's id", report.authority_id], ["Version", report.version],
    ...report.clocks.map((each) => [capital(words(each.clock)), [badge(each.state, each.state), each.due ? ` ${time(each.due)}, ${each.left_days} days left` : ` known for ${each.age_days} days`]]),
  ]));
}

function files(one) {
  return section("Files as released", table("Files", [
    ["File", (each) => [each.filename, h("span.quiet.under", `${each.format}, ${number(each.size)} bytes`)]],
    ["", (each) => offer("Save", `GET ${REPORT}/files/{format}`, () => attempt(async () => {
      const { data } = await call(`GET ${REPORT}/files/{format}`, { report_id: one.id, format: each.format }, { purpose: one.purpose });
      keep(data.filename, data.content);
    }))],
  ], one.report.files, { empty: "Not released yet." }));
}

function answers(report) {
  if (!report.acknowledgements.length) return null;
  return section("Answers of the authority", h("ul", report.acknowledgements.map((each) => h("li", `${each.format}: ${each.accepted ? "accepted" : "rejected"} ${each.authority_id ?? ""}, ${time(each.at)}`,
    each.errors.length > 0 && h("ul", each.errors.map((error) => h("li", `${error.path}: ${error.message}`)))))));
}

function talk(one, items) {
  return section("Comments", items.length ? h("ul.talk", items.map((each) => h("li", h("p", each.text), h("span.quiet", `${who(each.author)}, ${time(each.at)}`)))) : h("p.quiet", "None yet."));
}

function acknowledge(one) {
  return ask({
    title: "Answer of the authority", button: "Record", call: `POST ${REPORT}/acknowledgement`,
    fields: [
      { name: "format", label: "Format", type: "select", options: one.report.formats },
      { name: "accepted", label: "Accepted", type: "check", value: true },
      { name: "authority_id", label: "The authority's id" },
      { name: "errors", label: "Errors, one a line: field, colon, message", type: "area" },
    ],
    submit: ({ errors, authority_id: id, ...given }) => {
      const listed = errors.split("\n").filter((each) => each.trim()).map((each) => {
        const [path, ...message] = each.split(":");
        return { path: path.trim(), message: message.join(":").trim() || path.trim() };
      });
      return change(one, "acknowledgement", { ...given, authority_id: id || null, errors: listed });
    },
  });
}
