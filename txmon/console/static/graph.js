// Who is connected with whom: a picture that is read from left to right, and the same as a table.

import { h, replace, s, table } from "./dom.js";
import { minor, plural, when, words } from "./format.js";

const MOST = 24; // nodes in the picture; the table has all
const WIDE = 720, ROW = 32, BOX = 170;

// Events as the API's network of a case has them: nodes and edges.
export function networkOf(events) {
  const nodes = new Map(), edges = new Map();
  const node = (kind, ref, country) => {
    if (!ref) return null;
    const id = `${kind}:${ref}`;
    if (!nodes.has(id)) nodes.set(id, { id, kind, ref, countries: [], roles: [], protect: false });
    const found = nodes.get(id);
    if (country && !found.countries.includes(country)) found.countries.push(country);
    return id;
  };
  for (const event of events) {
    const from = node("account", event.payer, event.payer_country);
    const to = node("account", event.payee, event.payee_country) ?? node("merchant", event.merchant, event.merchant_country);
    if (!from || !to) continue;
    const key = [from, to, event.currency].join(" ");
    if (!edges.has(key)) edges.set(key, { kind: "money", from, to, currency: event.currency, count: 0, amount_minor: 0n, first: event.event_time, last: event.event_time });
    const edge = edges.get(key);
    edge.count += 1;
    edge.amount_minor += BigInt(event.amount_minor ?? 0);
    if (event.event_time < edge.first) edge.first = event.event_time;
    if (event.event_time > edge.last) edge.last = event.event_time;
  }
  return { nodes: [...nodes.values()], edges: [...edges.values()], truncated: false };
}

export function graph(network, subject) {
  const { nodes, edges } = network;
  if (!edges.length) return h("p.quiet", "No payments between two named parties.");
  const shown = strongest(nodes, edges, subject);
  const places = layout(shown, edges, subject);
  const said = h("p.hint", { role: "status" }, "Choose a party to see its payments alone.");
  const picture = draw(shown, edges, places, (node) => choose(picture, said, node, edges));
  const left = nodes.length - shown.length;
  return h("figure", h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Picture of the network" }, picture), said,
    left > 0 && h("p.quiet", `${plural(left, "party", "parties")} with less money are in the table only.`),
    network.truncated && h("p.quiet", "Older events are left out."),
    h("details", h("summary", "The network as a table"), edgeTable(nodes, edges)));
}

function strongest(nodes, edges, subject) {
  const weight = new Map();
  for (const edge of edges) {
    for (const id of [edge.from, edge.to]) weight.set(id, (weight.get(id) ?? 0) + Number(edge.amount_minor ?? 0) + 1);
  }
  const rank = (node) => (node.ref === subject ? Infinity : (weight.get(node.id) ?? 0) + (node.roles.length ? 1e15 : 0));
  return [...nodes].sort((a, b) => rank(b) - rank(a)).slice(0, MOST);
}

// Three columns: who only pays, who does both, who only receives; what is only used lies on the right.
function layout(nodes, edges, subject) {
  const money = edges.filter((each) => each.kind === "money");
  const pays = new Set(money.map((each) => each.from)), receives = new Set(money.map((each) => each.to));
  const columns = [[], [], []];
  for (const node of nodes) {
    const both = pays.has(node.id) && receives.has(node.id);
    columns[node.ref === subject || both ? 1 : pays.has(node.id) ? 0 : 2].push(node);
  }
  const tallest = Math.max(...columns.map((each) => each.length));
  const places = new Map();
  columns.forEach((column, at) => column.forEach((node, row) => {
    const y = 20 + (row + (tallest - column.length) / 2) * ROW;
    places.set(node.id, { x: [4, (WIDE - BOX) / 2, WIDE - BOX - 4][at], y });
  }));
  places.height = 24 + tallest * ROW;
  return places;
}

function draw(nodes, edges, places, chosen) {
  const picture = s("svg.network", { viewBox: `0 0 ${WIDE} ${places.height}`, role: "group", "aria-label": "Who pays whom" });
  const most = Math.max(1, ...edges.map((each) => Number(each.amount_minor ?? 0)));
  for (const edge of edges) {
    const from = places.get(edge.from), to = places.get(edge.to);
    if (!from || !to || edge.from === edge.to) continue;
    picture.append(line(edge, from, to, most));
  }
  for (const node of nodes) picture.append(box(node, places.get(node.id), chosen));
  return picture;
}

function line(edge, from, to, most) {
  const forward = to.x > from.x;
  const x1 = forward ? from.x + BOX : from.x, x2 = forward ? to.x : to.x + BOX;
  const [y1, y2] = [from.y + 12, to.y + 12];
  const bend = from.x === to.x ? 60 : (x2 - x1) / 2;
  const [a, b] = from.x === to.x ? [from.x + BOX, to.x + BOX] : [x1, x2];
  const width = edge.kind === "money" ? 1 + 5 * Math.sqrt(Number(edge.amount_minor) / most) : 1;
  const end = from.x === to.x || !forward ? `M${b + 7} ${y2 - 4}l-7 4 7 4` : `M${b - 7} ${y2 - 4}l7 4-7 4`;
  const shape = from.x === to.x
    ? `M${a} ${y1}C${a + bend} ${y1} ${b + bend} ${y2} ${b} ${y2}`
    : `M${a} ${y1}C${a + bend} ${y1} ${b - bend} ${y2} ${b} ${y2}`;
  return s(`g.edge.${edge.kind}`, { "data-from": edge.from, "data-to": edge.to },
    s("path", { d: shape, "stroke-width": width }), s("path.tip", { d: end }));
}

function box(node, place, chosen) {
  const roles = node.roles.map((each) => words(each.role)).join(", ");
  const label = `${node.kind} ${node.ref}${node.countries.length ? `, ${node.countries.join(", ")}` : ""}${roles ? `, ${roles}` : ""}`;
  const made = s(`g.node.${node.kind}${node.protect ? ".protected" : ""}`, { role: "button", tabindex: "0", "aria-pressed": "false", "aria-label": label, "data-node": node.id, transform: `translate(${place.x} ${place.y})` },
    s("title", label), s("rect", { width: BOX, height: 26, rx: node.kind === "account" ? 4 : 12 }),
    s("text", { x: 8, y: 17 }, short(node)));
  const run = () => chosen(node);
  made.addEventListener("click", run);
  made.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      run();
    }
  });
  return made;
}

function short(node) {
  const more = node.countries.length ? ` ${node.countries[0]}` : "";
  const mark = node.protect ? "\u26e8 " : node.roles.length ? "\u2022 " : "";
  const room = 21 - more.length - mark.length;
  return mark + (node.ref.length > room ? `${node.ref.slice(0, room - 5)}\u2026${node.ref.slice(-4)}` : node.ref) + more;
}

function choose(picture, said, node, edges) {
  const already = picture.querySelector(`[data-node="${CSS.escape(node.id)}"]`).getAttribute("aria-pressed") === "true";
  for (const each of picture.querySelectorAll("[data-node]")) each.setAttribute("aria-pressed", String(!already && each.dataset.node === node.id));
  for (const each of picture.querySelectorAll(".edge")) each.classList.toggle("dim", !already && each.dataset.from !== node.id && each.dataset.to !== node.id);
  const its = edges.filter((each) => each.kind === "money" && (each.from === node.id || each.to === node.id));
  replace(said, already ? "Choose a party to see its payments alone." : `${node.ref}: ${its.map((each) => `${each.from === node.id ? "paid" : "received"} ${minor(each.amount_minor, each.currency)} in ${plural(each.count, "payment")}`).join("; ") || "no payments"}`);
}

function edgeTable(nodes, edges) {
  const refs = new Map(nodes.map((each) => [each.id, each]));
  const name = (id) => `${refs.get(id)?.ref ?? id}${refs.get(id)?.countries.length ? ` (${refs.get(id).countries.join(", ")})` : ""}`;
  return table("Connections", [
    ["From", (each) => name(each.from)],
    ["To", (each) => name(each.to)],
    ["What", (each) => (each.kind === "money" ? minor(each.amount_minor, each.currency) : "used it"), "num"],
    ["Payments", (each) => each.count, "num"],
    ["First", (each) => when(each.first)],
    ["Last", (each) => when(each.last)],
  ], edges);
}
