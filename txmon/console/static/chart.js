// Pictures of money over time, drawn as SVG; the numbers stand in a table beside each.

import { add, h, s, table } from "./dom.js";
import { minor, time, when } from "./format.js";

const WIDE = 720;

// Weeks, the oldest on the left: received above the line, paid below; the last one is the alert's own.
export function weekChart(weeks, currency) {
  const high = 150, top = 14;
  const ordered = [...weeks].reverse();
  const [received, paid] = ["received_amount", "paid_amount"].map((name) => Math.max(...ordered.map((each) => Number(each[name]))));
  const most = Math.max(1, received, paid);
  const middle = paid === 0 ? high - 6 : received === 0 ? top : high / 2; // the half that nothing is in takes no room
  const step = WIDE / ordered.length;
  const scale = (Math.max(middle, high - middle) - top) / most;
  const chart = s("svg.chart", { viewBox: `0 0 ${WIDE} ${high + 20}`, role: "img", "aria-label": `Money received and paid in ${ordered.length} weeks; the table below has the numbers` });
  ordered.forEach((week, at) => {
    const last = at === ordered.length - 1;
    const x = at * step + step * 0.15, width = step * 0.7;
    const up = Number(week.received_amount) * scale, down = Number(week.paid_amount) * scale;
    chart.append(s(`rect.in${last ? ".now" : ""}`, { x, width, y: middle - up, height: up }));
    chart.append(s(`rect.out${last ? ".now" : ""}`, { x, width, y: middle, height: down }));
  });
  chart.append(s("line.axis", { x1: 0, x2: WIDE, y1: middle, y2: middle }));
  if (received) chart.append(s("text", { x: 2, y: 10 }, `received, up to ${minor(received, currency)} a week`));
  if (paid) chart.append(s("text", { x: 2, y: high + 4 }, `paid, up to ${minor(paid, currency)} a week`));
  chart.append(s("text.end", { x: WIDE - 2, y: high + 17 }, `week to ${time(ordered.at(-1).until)}`));
  chart.append(s("text", { x: 2, y: high + 17 }, `week to ${time(ordered[0].until)}`));
  const rows = table("Weeks", [
    ["Week to", (each) => when(each.until)],
    ["Received", (each) => minor(each.received_amount, currency), "num"],
    ["from", (each) => each.received, "num"],
    ["Paid", (each) => minor(each.paid_amount, currency), "num"],
    ["in", (each) => each.paid, "num"],
    ["Counterparties", (each) => each.counterparties, "num"],
  ], weeks);
  return h("figure", chart, h("figcaption.legend", h("span.key.in"), "received", h("span.key.out"), "paid", h("span.key.now"), "week of the alert"),
    h("details", h("summary", "The weeks as a table"), rows));
}

// Where a number lies: the usual range as a band, the middle as a line, the value as a mark.
export function rangeChart({ value, low, middle, high }) {
  const [v, l, m, u] = [value, low, middle, high].map(Number);
  const most = Math.max(v, u, 1) * 1.05;
  const at = (each) => 4 + (each / most) * 152;
  const out = v > u ? "above" : v < l ? "below" : "within";
  return h("span.range", add(s("svg", { viewBox: "0 0 160 16", "aria-hidden": "true" }),
    s("line.axis", { x1: 4, x2: 156, y1: 8, y2: 8 }),
    s("rect.band", { x: at(l), width: Math.max(2, at(u) - at(l)), y: 4, height: 8 }),
    s("line.middle", { x1: at(m), x2: at(m), y1: 3, y2: 13 }),
    s(`path.mark.${out}`, { d: `M${at(v)} 1l4 7-4 7-4-7z` })), out);
}

// Events of an alert by time and amount: what came in as a triangle upwards, what went out downwards.
export function eventChart(events, isIn, hit) {
  const dated = events.filter((each) => each.amount_base_minor !== undefined || each.amount_minor !== undefined);
  if (dated.length < 2) return null;
  const amount = (each) => Math.abs(Number(each.amount_base_minor ?? each.amount_minor));
  const times = dated.map((each) => Date.parse(each.event_time));
  const [from, to] = [Math.min(...times), Math.max(...times)];
  const most = Math.max(1, ...dated.map(amount));
  const high = 130;
  const chart = s("svg.chart", { viewBox: `0 0 ${WIDE} ${high + 22}`, role: "img", "aria-label": `${dated.length} events by time and amount; the table below lists them` });
  chart.append(s("line.axis", { x1: 0, x2: WIDE, y1: high, y2: high }));
  dated.forEach((each, at) => {
    const x = 10 + ((times[at] - from) / Math.max(1, to - from)) * (WIDE - 20);
    const y = high - 8 - (amount(each) / most) * (high - 30);
    const way = isIn(each) ? ["in", `M${x} ${y - 5}l5 9h-10z`] : ["out", `M${x} ${y + 5}l5-9h-10z`];
    if (hit(each)) chart.append(s("circle.hit", { cx: x, cy: y, r: 8 }));
    chart.append(s(`path.dot.${way[0]}`, { d: way[1] }));
  });
  chart.append(s("text", { x: 2, y: 11 }, `up to ${minor(most, dated[0].base_currency ?? dated[0].currency)}`));
  chart.append(s("text", { x: 2, y: high + 17 }, time(dated[times.indexOf(from)].event_time)));
  chart.append(s("text.end", { x: WIDE - 2, y: high + 17 }, time(dated[times.indexOf(to)].event_time)));
  return h("figure", chart, h("figcaption.legend", h("span.key.in"), "came in (upwards)", h("span.key.out"), "went out (downwards)", h("span.key.ring"), "a rule fired"));
}
