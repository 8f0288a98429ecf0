// The list of cases.

import { h, icon, severity, table, badge } from "./dom.js";
import { call, session } from "./api.js";
import { age, capital, time, who, words } from "./format.js";
import { go, link, page, route } from "./shell.js";
import { here } from "./keys.js";

const chosen = { state: "", assignee: "" };

page("cases", async () => {
  const { data } = await call("GET /v1/cases", {}, { query: { ...chosen, limit: 200 }, purpose: session.purpose });
  const list = table("Cases", [
    ["Severity", (each) => severity(each.severity)],
    ["Case", (each) => [link(["case", each.case_id], each.title ?? each.case_id), each.title && h("span.quiet.under", each.case_id)]],
    ["About", (each) => each.typologies.map((one) => capital(words(one))).join(", ")],
    ["State", (each) => capital(each.state)],
    ["Whose", (each) => who(each.assignee)],
    ["", (each) => [each.protect && h("span.protect", icon("shield"), "may be a victim"), each.restriction && h("span.badge", icon("lock"), words(each.restriction)), each.mode === "test" && badge("test", "test")]],
    ["Due", due],
    ["Opened", (each) => [`${age(each.created)} ago`, h("span.quiet.under", time(each.created))]],
  ], data.items, { row: (line, each) => { line.tabIndex = -1; line.dataset.open = each.case_id; }, empty: "No case is in this list." });
  const move = (by) => {
    const lines = [...list.querySelectorAll("[data-open]")];
    lines[Math.max(0, Math.min(lines.length - 1, lines.indexOf(document.activeElement) + by))]?.focus();
  };
  here("j", "Next case", () => move(1));
  here("k", "Case before", () => move(-1));
  here("Enter", "Open the case", () => document.activeElement.dataset.open && go("case", document.activeElement.dataset.open));
  return [h("div.title", h("h1", "Cases"), h("p.quiet", data.next_cursor ? "the newest 200" : "")), filters(), list];
});

export function due(each) {
  const moment = each.due.look ?? each.due.decide;
  if (!moment) return "";
  const late = Date.parse(moment) < Date.now();
  return [h("span" + (late ? ".late" : ""), `${each.due.look ? "first look" : "decision"} ${late ? "overdue by " + age(moment) : age(moment)}`), h("span.quiet.under", time(moment))];
}

function filters() {
  const select = (name, label, options) => {
    const made = h("select", { id: `f-${name}` }, options.map(([key, text]) => h("option", { value: key, selected: chosen[name] === key }, text)));
    made.addEventListener("change", () => {
      chosen[name] = made.value;
      route();
    });
    return h("span.filter", h("label", { for: `f-${name}` }, label), made);
  };
  const states = Object.keys(session.vocabulary.states ?? {});
  return h("form.filters", { "aria-label": "Which cases" },
    select("state", "State", [["", "all"], ...states.map((each) => [each, each])]),
    select("assignee", "Whose", [["", "anybody's"], ["me", "mine"], ["none", "nobody's"]]));
}
