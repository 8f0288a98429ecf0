// Alerts that wait, the gravest and oldest first. Pages are read as they come into sight.

import { badge, h, icon, replace, severity } from "./dom.js";
import { call, listen, session } from "./api.js";
import { age, capital, group, plural, ruleTitle, score, time, who, words } from "./format.js";
import { action, attempt, go, note, onLeave, page, route } from "./shell.js";
import { here } from "./keys.js";
import { assign, openCase, putOff, takeUp } from "./work.js";

const PAGE = 100;
const LEVELS = ["critical", "high", "medium", "low"];
// what was chosen stays chosen while one is signed in
const chosen = { order: "severity", severity: "", typology: "", assignee: "", protect: "", snoozed: "" };

page("queue", async () => {
  const rows = new Rows();
  const first = await rows.next();
  const counts = h("ul.tiles", { "aria-label": "How many wait" });
  const bar = h("div.bar", { hidden: true });
  const news = h("div.news", { role: "status" });
  rows.onChoice = () => choice(bar, rows);
  replace(counts, tiles(first.counts));
  watch(news);
  keys(rows);
  const list = h("table.queue", { role: "table", "aria-label": "Alerts that wait", "aria-rowcount": total(first.counts) === null ? -1 : total(first.counts) + 1 }, heading(), rows.body);
  const end = h("p.quiet.end");
  rows.watch(end, total(first.counts));
  return [
    h("div.title", h("h1", "Queue"), h("p.quiet", summary(first.counts))),
    counts, filters(), news, bar,
    first.items.length ? list : h("p.quiet.panel", "Nothing waits here."), end,
  ];
});

class Rows {
  constructor() {
    this.body = h("tbody", { role: "rowgroup" });
    this.alerts = new Map();
    this.cursor = undefined;
    this.busy = null;
    this.picked = new Set();
    this.onChoice = () => {};
  }

  async next() {
    const query = { ...chosen, limit: PAGE, cursor: this.cursor };
    const { data } = await call("GET /v1/queue", {}, { query, purpose: session.purpose });
    this.cursor = data.next_cursor;
    for (const alert of data.items) {
      if (this.alerts.has(alert.alert_id)) continue;
      this.alerts.set(alert.alert_id, alert);
      this.body.append(this.row(alert));
    }
    return data;
  }

  row(alert) {
    const box = h("input", { type: "checkbox", "aria-label": `Choose ${alert.alert_id}` });
    const line = h("tr", { role: "row", tabindex: "-1", "data-alert": alert.alert_id }, CELLS.map(([, cell, kind]) => h(`td.${kind}`, { role: "cell" }, kind === "pick" ? box : cell(alert))));
    box.addEventListener("change", () => {
      if (box.checked) this.picked.add(alert.alert_id);
      else this.picked.delete(alert.alert_id);
      line.classList.toggle("picked", box.checked);
      this.onChoice();
    });
    line.addEventListener("click", (event) => {
      if (!event.target.closest("input, a, button, td.pick") && !String(getSelection())) go("alert", alert.alert_id);
    });
    return line;
  }

  get chosen() {
    return [...this.picked].map((id) => this.alerts.get(id));
  }

  get current() {
    return document.activeElement?.closest("tr[data-alert]");
  }

  move(by) {
    const lines = [...this.body.children];
    const at = lines.indexOf(this.current);
    const to = lines[Math.max(0, Math.min(lines.length - 1, at + by))];
    to?.focus();
    to?.scrollIntoView({ block: "nearest" });
  }

  watch(end, all) {
    const told = () => {
      const so = all === null ? (this.cursor ? " shown, more below" : " shown") : ` of ${group(String(all))} shown`;
      replace(end, this.alerts.size ? group(String(this.alerts.size)) + so : "");
    };
    told();
    const seen = new IntersectionObserver(async ([entry]) => {
      if (!entry.isIntersecting || !this.cursor || this.busy) return;
      this.busy = attempt(() => this.next());
      await this.busy;
      this.busy = null;
      told();
      seen.unobserve(end);
      seen.observe(end); // still in sight: on
    }, { rootMargin: "1200px" });
    seen.observe(end);
    onLeave(() => seen.disconnect());
  }
}

// heading, cell, class; the first is the box that chooses
const CELLS = [
  ["Choose", () => null, "pick"],
  ["Severity", (each) => severity(each.severity), "level"],
  ["Score", (each) => score(each.score), "num"],
  ["Subject", subject, "subject"],
  ["Why", why, "why"],
  ["State", state, "state"],
  ["Whose", (each) => who(each.assignee), "whose"],
  ["Hits", (each) => group(String(each.hit_count)), "num"],
  ["Opened", (each) => h("time", { datetime: each.created }, age(each.created) + " ago", h("span.quiet", time(each.created))), "when"],
];

function heading() {
  return h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, CELLS.map(([name, , kind]) =>
    h(`th.${kind}`, { role: "columnheader", scope: "col" }, kind === "pick" ? h("span.hidden", name) : name))));
}

function subject(alert) {
  const name = alert.personal ? alert.subject_id : alert.alert_id;
  return [
    h("a", { href: `#/alert/${encodeURIComponent(alert.alert_id)}` }, name), " ",
    h("span.quiet", words(alert.subject_type)), " ",
    alert.protect && h("span.protect", icon("shield"), "may be a victim"),
    alert.mode === "test" && badge("test", "test"),
  ];
}

function why(alert) {
  const [first, ...others] = alert.rule_ids;
  return [
    h("span", ruleTitle(first)), others.length > 0 && h("span.quiet", ` and ${plural(others.length, "more rule")}`),
    h("span.quiet.under", alert.typologies.map((each) => capital(words(each))).join(", ")),
  ];
}

function state(alert) {
  return [capital(words(alert.state)), alert.snoozed_until && h("span.quiet.under", `until ${time(alert.snoozed_until)}`)];
}

// How many there are in all; null where the counts do not tell, since they are of everything that waits.
function total(counts) {
  if (chosen.typology || chosen.assignee || chosen.protect || chosen.snoozed) return null;
  const all = Object.entries(counts.severity).filter(([name]) => !chosen.severity || name === chosen.severity);
  return all.reduce((sum, [, count]) => sum + count, 0);
}

function summary(counts) {
  return `${group(String(counts.unassigned))} nobody's, ${group(String(counts.protect))} may concern a victim, ${group(String(counts.snoozed))} put off`;
}

function tiles(counts) {
  return LEVELS.map((name) => {
    const count = counts.severity[name] ?? 0;
    const oldest = counts.oldest[name];
    const button = h("button.tile", { type: "button", "aria-pressed": String(chosen.severity === name), "data-call": "GET /v1/queue" },
      severity(name), h("strong", group(String(count))), h("span.quiet", oldest ? `oldest ${age(oldest)}` : "none"));
    button.addEventListener("click", () => choose("severity", chosen.severity === name ? "" : name));
    return h("li", button);
  });
}

function choose(name, value) {
  chosen[name] = value;
  route();
}

function filters() {
  const typologies = [...new Set([...session.rules.values()].map((each) => each.typology))].sort();
  const people = [...session.people.values()].filter((each) => each.state === "active");
  return h("form.filters", { "aria-label": "Which alerts" },
    select("order", "Order", [["severity", "gravest, then oldest"], ["age", "oldest"], ["score", "highest score"]]),
    select("assignee", "Whose", [["", "anybody's"], ["me", "mine"], ["none", "nobody's"], ...people.map((each) => [each.person_id, each.name])]),
    select("typology", "Typology", [["", "all"], ...typologies.map((each) => [each, words(each)])]),
    select("protect", "Victims", [["", "all"], ["true", "may be a victim"]]),
    select("snoozed", "Put off", [["", "not put off"], ["true", "put off"]]));
}

function select(name, label, options) {
  const id = `f-${name}`;
  const made = h("select", { id }, options.map(([key, text]) => h("option", { value: key, selected: key === chosen[name] }, text)));
  made.addEventListener("change", () => choose(name, made.value));
  return h("span.filter", h("label", { for: id }, label), made);
}

function choice(bar, rows) {
  const alerts = rows.chosen;
  bar.hidden = alerts.length === 0;
  const after = () => route();
  replace(bar, h("strong", `${plural(alerts.length, "alert")} chosen`),
    action("Open case", "POST /v1/cases", () => openCase(alerts), { kind: "primary", key: "c" }),
    action("Take up", "POST /v1/queue:work", () => takeUp(alerts, after), { key: "t" }),
    action("Assign", "POST /v1/queue:work", () => assign(alerts, after), { key: "a" }),
    action("Put off", "POST /v1/queue:work", () => putOff(alerts, after), { key: "z" }));
}

function keys(rows) {
  const these = () => {
    if (rows.picked.size) return rows.chosen;
    const alert = rows.current && rows.alerts.get(rows.current.dataset.alert);
    return alert ? [alert] : [];
  };
  const work = (run) => () => {
    const alerts = these();
    if (alerts.length) run(alerts, () => route());
    else note("Choose an alert first: j and k move, x chooses.");
  };
  here("j", "Next alert", () => rows.move(1));
  here("k", "Alert before", () => rows.move(-1));
  here("Enter", "Open the alert", () => rows.current && go("alert", rows.current.dataset.alert));
  here("x", "Choose the alert", () => rows.current?.querySelector("input").click());
  here("c", "Open a case of what is chosen", work(openCase));
  here("t", "Take up", work(takeUp));
  here("a", "Assign", work(assign));
  here("z", "Put off", work(putOff));
}

// Alerts that open meanwhile are told, not mixed in under one's hands.
function watch(news) {
  const stop = new AbortController();
  let count = 0;
  onLeave(() => stop.abort());
  listen("GET /v1/alerts/stream", (name) => {
    if (name !== "alert.opened") return;
    count += 1;
    replace(news, h("button.quiet-button", { type: "button", onclick: () => route(), "data-call": "GET /v1/queue" }, `${plural(count, "new alert")}: show`));
  }, stop.signal).catch((error) => {
    if (error.name !== "AbortError" && error.name !== "TypeError") throw error; // a stream that breaks off tells nothing more
  });
}
