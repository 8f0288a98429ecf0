// Four eyes: what waits for a second person, and what one has proposed oneself.

import { definition, h, section, table } from "./dom.js";
import { call, may, session } from "./api.js";
import { ask } from "./dialog.js";
import { age, capital, time, who, words } from "./format.js";
import { action, attempt, go, link, note, page, purposeDialog, route } from "./shell.js";
import { here } from "./keys.js";

let state = "pending";

page("inbox", async () => {
  const { data } = await call("GET /v1/proposals", {}, { query: { state, limit: 200 } });
  const states = h("select", { id: "f-state" }, ["pending", "approved", "rejected", "withdrawn"].map((each) => h("option", { value: each, selected: each === state }, each)));
  states.addEventListener("change", () => {
    state = states.value;
    route();
  });
  const others = data.items.filter((each) => each.author !== session.me.identity);
  const mine = data.items.filter((each) => each.author === session.me.identity);
  const columns = [
    ["What", (each) => [link(["proposal", each.proposal_id], capital(words(each.kind))), h("span.quiet.under", each.proposal_id)]],
    ["About", about],
    ["By", (each) => who(each.author)],
    ["Since", (each) => [`${age(each.created)} ago`, h("span.quiet.under", time(each.created))]],
    ["Decided", (each) => (each.decided ? [who(each.decided_by), h("span.quiet.under", time(each.decided))] : "")],
  ];
  return [
    h("div.title", h("h1", "Four eyes"), h("p.quiet", "What one person proposed and another decides.")),
    h("form.filters", { "aria-label": "Which proposals" }, h("span.filter", h("label", { for: "f-state" }, "State"), states)),
    section("Of others", table("Proposals of others", columns, others, { empty: "Nothing waits for you." })),
    section("Of mine", table("My proposals", columns, mine, { empty: "Nothing of yours." })),
  ];
});

function about(each) {
  const body = each.body;
  if (!body) return "shown for a purpose";
  if (body.case_id) return link(["case", body.case_id], body.case_id);
  if (body.alert_id) return link(["alert", body.alert_id], body.alert_id);
  if (body.rule_id) return link(["rule", body.rule_id], body.rule_id);
  if (body.alerts) return `${body.alerts.length} alerts`;
  return who(body.person_id ?? body.person ?? "") === "nobody" ? "" : who(body.person_id ?? body.person);
}

page("proposal", async (id) => {
  let { data: one } = await call("GET /v1/proposals/{proposal_id}", { proposal_id: id }, { purpose: session.purpose });
  const mine = one.author === session.me.identity || one.editors.includes(session.me.identity);
  const waits = one.state === "pending";
  const decide = (approve) => decision(one, approve);
  if (waits && !mine && may("POST /v1/proposals/{proposal_id}/decision")) {
    here("y", "Approve", () => decide(true));
    here("n", "Reject", () => decide(false));
  }
  const body = h("div", one.body ? contents(one.body) : h("button", { type: "button", onclick: () => show() }, "Show what is proposed (recorded)"));
  const show = async () => {
    const purpose = await purposeDialog(session.purpose ?? "");
    if (!purpose) return;
    await attempt(async () => {
      one = (await call("GET /v1/proposals/{proposal_id}", { proposal_id: id }, { purpose })).data;
      body.replaceChildren(contents(one.body));
    });
  };
  return [
    h("div.title", h("h1", capital(words(one.kind))), h("p.quiet", capital(one.state))),
    h("div.bar", waits && !mine && [
      action("Approve", "POST /v1/proposals/{proposal_id}/decision", () => decide(true), { kind: "primary", key: "y" }),
      action("Reject", "POST /v1/proposals/{proposal_id}/decision", () => decide(false), { key: "n" }),
    ], waits && one.author === session.me.identity && action("Withdraw", "POST /v1/proposals/{proposal_id}/withdrawal", () => withdraw(one)),
    waits && mine && h("span.quiet", "Another person decides.")),
    section("What is proposed", definition([
      ["By", who(one.author)], ["Since", time(one.created)], ["Edited by", one.editors.map(who).join(", ")],
      ["Decided by", one.decided_by && who(one.decided_by)], ["Decided", time(one.decided)], ["Reason of the decision", one.reason],
    ]), body),
  ];
});

function contents(value) {
  return definition(Object.entries(value).map(([name, each]) => [capital(words(name)), shown(name, each)]));
}

function shown(name, value) {
  if (value === null || value === undefined) return "none";
  if (name === "case_id") return link(["case", value], value);
  if (name === "alert_id") return link(["alert", value], value);
  if (["person_id", "person", "subject"].includes(name) && session.people.has(value)) return who(value);
  if (Array.isArray(value)) return value.length ? h("ul", value.map((each) => h("li", typeof each === "object" ? contents(each) : String(each)))) : "none";
  if (typeof value === "object") return contents(value);
  return String(value);
}

function decision(one, approve) {
  return ask({
    title: approve ? "Approve" : "Reject", button: approve ? "Approve" : "Reject", danger: !approve, call: "POST /v1/proposals/{proposal_id}/decision",
    fields: [{ name: "reason", label: "What you looked at", type: "area", required: !approve }],
    submit: async ({ reason }) => {
      const { data } = await call("POST /v1/proposals/{proposal_id}/decision", { proposal_id: one.proposal_id }, { body: { approve, reason: reason || null, version: one.version } });
      note(approve ? `Approved${data.outcome?.state ? `: ${words(data.outcome.state)}` : ""}.` : "Rejected.");
      go("inbox");
    },
  });
}

function withdraw(one) {
  return attempt(async () => {
    await call("POST /v1/proposals/{proposal_id}/withdrawal", { proposal_id: one.proposal_id });
    go("inbox");
  });
}
