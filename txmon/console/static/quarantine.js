// Rows that are no events: looked at, tried again, corrected by two people, or given up.

import { definition, h, section, table } from "./dom.js";
import { call, session } from "./api.js";
import { ask, reasonField } from "./dialog.js";
import { capital, time, when, words } from "./format.js";
import { action, askPurpose, attempt, go, link, note, page, route } from "./shell.js";

let state = "open";

page("quarantine", async () => {
  const { data } = await call("GET /v1/quarantine", {}, { query: { state, limit: 200 } });
  const states = h("select", { id: "f-state" }, ["open", "fixed", "dropped"].map((each) => h("option", { value: each, selected: each === state }, each)));
  states.addEventListener("change", () => {
    state = states.value;
    route();
  });
  return [
    h("div.title", h("h1", "Quarantine"), h("p.quiet", data.next_cursor ? "the newest 200" : "")),
    h("form.filters", { "aria-label": "Which rows" }, h("span.filter", h("label", { for: "f-state" }, "State"), states)),
    table("Rows that are no events", [
      ["Row", (each) => link(["row", String(each.id)], `${each.feed} ${each.id}`)],
      ["Reason", (each) => capital(words(each.reason))],
      ["Field", (each) => each.field && h("code", each.field)],
      ["Line", (each) => each.line, "num"],
      ["Tries", (each) => each.tries, "num"],
      ["Received", (each) => when(each.received)],
    ], data.items, { empty: `No row is ${state}.` }),
  ];
});

page("row", async (id) => {
  const { data: row } = await call("GET /v1/quarantine/{row_id}", { row_id: id }, { purpose: session.purpose });
  const named = row.raw !== undefined;
  return [
    h("div.title", h("h1", `Row ${row.id} of ${row.feed}`), h("p.quiet", capital(row.state))),
    h("div.bar", !named && h("button", { type: "button", onclick: askPurpose }, "Show the row as it came"),
      row.state === "open" && [
        action("Try again", "POST /v1/quarantine/{row_id}/resubmit", () => again(row), { kind: "primary" }),
        named && action("Correct", "POST /v1/quarantine/{row_id}/fix", () => fix(row)),
        action("Give up", "POST /v1/quarantine/{row_id}/drop", () => drop(row)),
      ]),
    section("Why it is here", definition([
      ["Reason", capital(words(row.reason))], ["Field", row.field], ["Value", row.value], ["Message", row.message], ["Line", row.line],
      ["Tries", row.tries], ["Received", time(row.received)], ["Became", row.resubmitted_as],
    ])),
    named && section("As it came", h("div.scroll", { tabindex: "0", role: "region", "aria-label": "The row as it came" }, h("pre", row.raw))),
  ];
});

function again(row) {
  return attempt(async () => {
    const { data } = await call("POST /v1/quarantine/{row_id}/resubmit", { row_id: row.id });
    note(data.state === "fixed" ? "It is an event now." : "It is still no event.", data.state !== "fixed");
    route();
  });
}

function fix(row) {
  return ask({
    title: "Correct the row", button: "Propose", call: "POST /v1/quarantine/{row_id}/fix", text: "A changed value takes a second person.",
    fields: [{ name: "raw", label: "As it should have come", type: "area", rows: 8, required: true, value: row.raw, max: 65536 }, reasonField()],
    submit: async ({ raw, reason }) => {
      await call("POST /v1/quarantine/{row_id}/fix", { row_id: row.id }, { body: { raw, tries: row.tries, reason } });
      note("Proposed; a second person decides.");
      route();
    },
  });
}

function drop(row) {
  return ask({
    title: "Give the row up", button: "Give up", danger: true, call: "POST /v1/quarantine/{row_id}/drop", fields: [reasonField()],
    submit: async ({ reason }) => {
      await call("POST /v1/quarantine/{row_id}/drop", { row_id: row.id }, { body: { reason } });
      go("quarantine");
    },
  });
}
