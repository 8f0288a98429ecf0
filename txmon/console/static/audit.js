// Who read whose data, when and what for: searched by whoever may look into the record.

import { h, replace, table } from "./dom.js";
import { call, session } from "./api.js";
import { problemText } from "./dialog.js";
import { when, who, words } from "./format.js";
import { askPurpose, page } from "./shell.js";

page("audit", async () => {
  const found = h("div");
  const fields = {
    identity: pick("identity", "Who", [["", "anybody"], ...[...session.people.values()].map((each) => [`person:${each.person_id}`, each.name])]),
    action: field("action", "What was done", "alert.read"),
    subject: field("subject", "Whose data", "alert, case or account"),
    since: field("since", "From (UTC)", "", "datetime-local"),
    until: field("until", "Until (UTC)", "", "datetime-local"),
  };
  const form = h("form.filters", { "aria-label": "Search the record", role: "search" }, Object.values(fields), h("button.primary", { type: "submit", "data-call": "GET /v1/audit" }, "Search"));
  const search = async (cursor) => {
    const query = { limit: 100, cursor };
    for (const [name, each] of Object.entries(fields)) {
      const { value } = each.querySelector("input, select");
      if (value) query[name] = ["since", "until"].includes(name) ? `${value}:00Z` : value;
    }
    try {
      const { data } = await call("GET /v1/audit", {}, { query, purpose: session.purpose });
      replace(found, lines(data), data.next_cursor && h("button", { type: "button", "data-call": "GET /v1/audit", onclick: () => search(data.next_cursor) }, "Older"));
    } catch (error) {
      replace(found, h("p.fault", { role: "alert" }, problemText(error)));
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  await search();
  return [h("div.title", h("h1", "Record of reads"), h("p.quiet", "Each read of personal data, with its purpose.")),
    !session.purpose && h("p", h("button", { type: "button", onclick: askPurpose }, "Show whose data and what for")), form, found];
});

function lines(data) {
  return table("Reads", [
    ["When", (each) => when(each.at, true)],
    ["Who", (each) => who(each.identity)],
    ["What", (each) => words(each.action.replace(".", " "))],
    ["Whose data", (each) => each.subject ?? ""],
    ["What for", (each) => each.purpose ?? ""],
    ["Key", (each) => each.key_id && h("code", each.key_id)],
  ], data.items, { empty: "No read fits this." });
}

function field(name, label, placeholder, type = "text") {
  return h("span.filter", h("label", { for: `q-${name}` }, label), h("input", { id: `q-${name}`, name, type, placeholder, maxlength: type === "text" ? 200 : null }));
}

function pick(name, label, options) {
  return h("span.filter", h("label", { for: `q-${name}` }, label), h("select", { id: `q-${name}`, name }, options.map(([key, text]) => h("option", { value: key }, text))));
}
