// What is done with alerts, one or many: taken up, given to somebody, put off, made a case of, dismissed.

import { call, session } from "./api.js";
import { ask, reasonField } from "./dialog.js";
import { plural, words } from "./format.js";
import { attempt, go, note } from "./shell.js";

export function seen(alerts) {
  return alerts.map(({ alert_id, version }) => ({ alert_id, version }));
}

async function work(alerts, more, after) {
  const { data } = await call("POST /v1/queue:work", {}, { body: { alerts: seen(alerts), ...more } });
  const done = data.results.filter((each) => each.result === "done").length;
  const left = data.results.filter((each) => each.result !== "done");
  const why = { conflict: "changed since they were read", transition: "in another state", not_found: "not there", too_long: "put off for too long" };
  const causes = [...new Set(left.map((each) => why[each.result]))].join(", ");
  note(`${plural(done, "alert")} done${left.length ? `; ${plural(left.length, "alert")} left as they are: ${causes}` : ""}.`, done === 0);
  after();
}

export function takeUp(alerts, after) {
  return attempt(() => work(alerts, { action: "take_up", reason: "taken up from the queue" }, after));
}

export function assign(alerts, after) {
  const people = [...session.people.values()].filter((each) => each.state === "active" && each.roles.some((role) => ["analyst", "approver", "safeguarding"].includes(role)));
  return ask({
    title: `Assign ${plural(alerts.length, "alert")}`, button: "Assign", call: "POST /v1/queue:work",
    fields: [
      { name: "person", label: "To", type: "select", options: [["", "nobody"], ...people.map((each) => [each.person_id, each.name])], value: session.me.person_id },
      reasonField(),
    ],
    submit: ({ person, reason }) => work(alerts, { action: "assign", person_id: person || null, reason }, after),
  });
}

export function putOff(alerts, after) {
  const longest = Math.min(...alerts.map((each) => session.vocabulary.snooze_days?.[each.severity] ?? 1));
  const options = [[1, "a day"], [3, "3 days"], [7, "7 days"], [30, "30 days"]].filter(([days]) => days <= longest);
  return ask({
    title: `Put off ${plural(alerts.length, "alert")}`, button: "Put off", call: "POST /v1/queue:work",
    text: "New evidence ends this at once.",
    fields: [{ name: "days", label: "For", type: "select", options: options.map(([days, text]) => [String(days), text]), value: "1" }, reasonField()],
    submit: ({ days, reason }) => {
      const until = new Date(Date.now() + Number(days) * 86400000 - 60000).toISOString();
      return work(alerts, { action: "snooze", until, reason }, after);
    },
  });
}

export function openCase(alerts) {
  const { restrictions } = session.vocabulary;
  return ask({
    title: `Open a case of ${plural(alerts.length, "alert")}`, button: "Open case", call: "POST /v1/cases",
    fields: [
      { name: "title", label: "Title", required: true },
      reasonField("Why these belong together", { rows: 2 }),
      { name: "restriction", label: "Who may know of it", type: "select", options: [["", "everybody who may see these alerts"], ...Object.entries(restrictions).map(([key, text]) => [key, `those on its list: ${text}`])] },
    ],
    submit: async ({ title, reason, restriction }) => {
      const { data } = await call("POST /v1/cases", {}, { body: { alerts: seen(alerts), title, reason, restriction: restriction || null } });
      go("case", data.case_id);
    },
  });
}

export async function linkToCase(alert) {
  const { data } = await call("GET /v1/cases", {}, { query: { limit: 200, state: ["open", "investigating"], entity: alert.entity, mode: alert.mode }, purpose: session.purpose });
  if (!data.items.length) {
    note("There is no open case to link it to.");
    return;
  }
  await ask({
    title: "Link to a case", button: "Link", call: "POST /v1/cases/{case_id}/alerts",
    fields: [{ name: "target", label: "Case", type: "select", options: data.items.map((each) => [each.case_id, each.title ? `${each.title} (${each.case_id})` : each.case_id]) }, reasonField()],
    submit: async ({ target, reason }) => {
      const { version } = data.items.find((each) => each.case_id === target);
      await call("POST /v1/cases/{case_id}/alerts", { case_id: target }, { version, body: { alerts: seen([alert]), reason } });
      go("case", target);
    },
  });
}

export function dismiss(alert, tag, after) {
  const { dismissals } = session.vocabulary;
  const two = alert.severity === "critical";
  return ask({
    title: "Dismiss the alert", button: two ? "Propose to dismiss" : "Dismiss", call: "PATCH /v1/alerts/{alert_id}",
    text: two ? "It is critical: a second person decides." : null,
    fields: [
      { name: "code", label: "What kind of reason", type: "select", options: Object.entries(dismissals).map(([key, text]) => [key, `${words(key)}: ${text}`]) },
      reasonField(),
    ],
    submit: async ({ code, reason }) => {
      const { data } = await call("PATCH /v1/alerts/{alert_id}", { alert_id: alert.alert_id }, { version: tag, body: { state: "dismissed", code, reason } });
      note(data.proposal_id ? "Proposed; a second person decides." : "Dismissed.");
      after();
    },
  });
}

