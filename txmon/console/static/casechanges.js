// Changes of a case, each one decision with a reason, in the version that was read.

import { call, session } from "./api.js";
import { ask, reasonField } from "./dialog.js";
import { words } from "./format.js";
import { h } from "./dom.js";
import { attempt, note, route } from "./shell.js";

const CASE = "PATCH /v1/cases/{case_id}";
const PARTIES = "POST /v1/cases/{case_id}/parties";
const PARTY = "PATCH /v1/cases/{case_id}/parties/{party_id}";

async function send(one, name, body, more = {}) {
  const { data } = await call(name, { case_id: one.id, ...more }, { version: one.data.version, body });
  if (data.proposal_id) note(["Proposed; a second person decides. ", h("a", { href: `#/proposal/${data.proposal_id}` }, "The proposal")]);
  route();
  return data;
}

function people(role = null) {
  return [...session.people.values()].filter((each) => each.state === "active" && (!role || each.roles.includes(role))).map((each) => [each.person_id, each.name]);
}

export function move(one, state) {
  return ask({ title: `To ${state}`, button: "Move", call: CASE, fields: [reasonField()], submit: ({ reason }) => send(one, CASE, { state, reason }) });
}

export function comment(one) {
  return ask({
    title: "Comment", button: "Add", call: "POST /v1/cases/{case_id}/comments", fields: [{ name: "text", label: "Text", type: "area", required: true, rows: 5 }],
    submit: async ({ text }) => {
      await call("POST /v1/cases/{case_id}/comments", { case_id: one.id }, { body: { text } });
      route();
    },
  });
}

export function change(one) {
  const { restrictions } = session.vocabulary;
  const kinds = {
    severity: ["Severity (lowering it takes two)", session.vocabulary.severities.map((each) => [each, each]), one.data.severity],
    assignee: ["Whose", [["", "nobody"], ...people()], session.me.person_id],
    lead: ["Safeguarding lead", [["", "nobody"], ...people("safeguarding")], ""],
    restriction: ["Who may know of it (lifting it takes two)", [["", "everybody who may see its alerts"], ...Object.entries(restrictions)], one.data.restriction ?? ""],
    protect: ["Protection (lifting it takes two)", [["true", "somebody may be a victim"], ["false", "nobody"]], String(one.data.protect)],
  };
  return ask({
    title: "Change the case", button: "Next", fields: [{ name: "what", label: "What", type: "select", options: Object.entries(kinds).map(([key, [text]]) => [key, text]) }],
    submit: ({ what }) => { setTimeout(() => value(one, what, kinds[what])); },
  });
}

function value(one, what, [label, options, now]) {
  return ask({
    title: "Change the case", button: "Change", call: CASE, fields: [{ name: "to", label, type: "select", options, value: now }, reasonField()],
    submit: ({ to, reason }) => send(one, CASE, { [what]: what === "protect" ? to === "true" : to || null, reason }),
  });
}

export function factsKnown(one) {
  return ask({
    title: "Since when the facts are known", button: "Record", call: CASE,
    text: "A determination of yours, recorded with your name. Later corrections only move it earlier.",
    fields: [{ name: "at", label: "Known since (UTC)", type: "time", required: true, value: new Date().toISOString().slice(0, 16) }, reasonField()],
    submit: ({ at, reason }) => send(one, CASE, { facts_known_at: at, reason }),
  });
}

export function act(one) {
  const accounts = [...new Set(one.data.parties.map((each) => each.ref).filter(Boolean))];
  return ask({
    title: "Propose an account action", button: "Propose", call: "POST /v1/cases/{case_id}/actions",
    text: "A second person decides, and people carry it out. Nothing is done by itself.",
    fields: [
      { name: "ref", label: "Account", type: "select", options: accounts },
      { name: "action", label: "What", type: "select", options: Object.entries(session.vocabulary.actions) },
      reasonField(),
    ],
    submit: (values) => send(one, "POST /v1/cases/{case_id}/actions", values),
  });
}

// -- parties -----------------------------------------------------------------------------------------------

export function addParty(one) {
  const { party_kinds: kinds, roles, confidences } = session.vocabulary;
  return ask({
    title: "Add a party or a role", button: "Add", call: PARTIES,
    fields: [
      { name: "kind", label: "Kind", type: "select", options: kinds, value: "account" },
      { name: "ref", label: "Which one (account, id)", required: true },
      { name: "role", label: "Role", type: "select", options: Object.entries(roles).map(([key, text]) => [key, `${words(key)}: ${text}`]), value: "unknown" },
      { name: "confidence", label: "How sure", type: "select", options: confidences },
      { name: "basis", label: "What it rests on", type: "area", required: true },
      { name: "name", label: "Name" },
      { name: "user_id", label: "One of ours (shut out of the case from then on)", type: "select", options: [["", "no"], ...people()] },
    ],
    submit: (given) => send(one, PARTIES, { ...given, name: given.name || null, user_id: given.user_id || null }),
  });
}

export function markVictim(one, party) {
  return ask({
    title: "Mark as a possible victim", button: "Mark", call: PARTIES,
    text: "Protects the case: no automatic action, no contact but by a channel that safeguarding has named. Ends only by two people.",
    fields: [
      { name: "basis", label: `What it rests on for ${party.name ?? party.ref}`, type: "area", required: true },
      { name: "confidence", label: "How sure", type: "select", options: session.vocabulary.confidences, value: "medium" },
    ],
    submit: (given) => send(one, PARTIES, { kind: party.kind, ref: party.ref, name: party.name ?? null, role: "possible_victim", ...given }),
  });
}

export function amend(one, party, victim) {
  const what = [["confidence", "how sure it is"], ["ended", "end this role"], ...(victim ? [["contact", "safe channels"]] : [])];
  return ask({
    title: "Change the role", button: "Next", fields: [{ name: "what", label: "What", type: "select", options: what }],
    submit: ({ what: chosen }) => { setTimeout(() => amendTo(one, party, chosen)); },
  });
}

function amendTo(one, party, what) {
  const { channels, confidences } = session.vocabulary;
  const fields = {
    confidence: [{ name: "confidence", label: "How sure", type: "select", options: confidences, value: party.confidence }],
    ended: [],
    contact: channels.map((each) => ({ name: each, label: `${each} is safe`, type: "check", value: party.contact.includes(each) })),
  }[what];
  return ask({
    title: what === "ended" ? `End the role ${words(party.role)}` : "Change the role", button: "Change", call: PARTY, fields: [...fields, reasonField()],
    submit: ({ reason, ...given }) => {
      const value = { confidence: given.confidence, ended: true, contact: channels.filter((each) => given[each]) }[what];
      return send(one, PARTY, { [what]: value, reason }, { party_id: party.party_id });
    },
  });
}

export function contact(one, party) {
  const name = "POST /v1/cases/{case_id}/parties/{party_id}/contact";
  if (!party.contact.length) {
    note("No channel is safe for this person yet; safeguarding names one under Change role.", true);
    return null;
  }
  const texts = Object.keys(session.vocabulary.texts ?? {});
  return ask({
    title: "Reach somebody safely", button: "Note it", call: name, text: "This notes what a human being will do, and shows the neutral text that was agreed. Nothing is sent.",
    fields: [
      { name: "channel", label: "Channel", type: "select", options: party.contact },
      { name: "text", label: "Neutral text", type: "select", options: texts.map((each) => [each, words(each)]) },
    ],
    submit: async (given) => {
      const { data } = await call(name, { case_id: one.id, party_id: party.party_id }, { version: one.data.version, body: given });
      note(["Noted. The text: ", h("q", data.text)]);
      route();
    },
  });
}

// -- alerts, signs, files, access ---------------------------------------------------------------------------

export function unlink(one, alert) {
  const name = "POST /v1/cases/{case_id}/alerts:unlink";
  return ask({ title: "Take the alert out", button: "Take out", call: name, fields: [reasonField()], submit: ({ reason }) => send(one, name, { alerts: [alert], reason }) });
}

export function checklist(one, known, answers) {
  const name = "POST /v1/cases/{case_id}/checklist";
  const options = session.vocabulary.answers.map((each) => [each, words(each)]);
  return ask({
    title: "Behavioural signs", button: "Save", call: name, text: "Who saw a sign is named once for all that were seen now.",
    fields: [
      ...known.map((each) => ({ name: each.id, label: each.text, type: "select", options, value: answers.get(each.id)?.answer ?? "unknown" })),
      { name: "witness", label: "Who saw it" },
    ],
    submit: ({ witness, ...given }) => {
      const changed = Object.entries(given).filter(([sign, answer]) => answer !== (answers.get(sign)?.answer ?? "unknown"));
      if (!changed.length) return route();
      return send(one, name, { answers: changed.map(([sign, answer]) => ({ sign, answer, witness: answer === "seen" ? witness || null : null })) });
    },
  });
}

export function attach(one) {
  const name = "POST /v1/cases/{case_id}/files";
  return ask({
    title: "Attach a file", button: "Attach", call: name,
    text: "PDF, CSV, text or e-mail. Images and video are never taken: whoever has such material reports it.",
    fields: [{ name: "file", label: "File", type: "file", required: true, accept: ".pdf,.csv,.txt,.eml" }],
    submit: async ({ file }) => send(one, name, { name: file.name, content: await base64(file) }),
  });
}

async function base64(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
}

export async function save(one, file) {
  const purpose = await one.askPurpose();
  if (!purpose) return;
  await attempt(async () => {
    const { data } = await call("GET /v1/cases/{case_id}/files/{file_id}", { case_id: one.id, file_id: file.file_id }, { purpose });
    keep(data.name, data.content);
  });
}

// Hands bytes to the browser to be saved; they are never opened here.
export function keep(name, content) {
  const bytes = Uint8Array.from(atob(content), (each) => each.charCodeAt(0));
  const address = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

export function keepAddress(one) {
  const name = "POST /v1/cases/{case_id}/addresses";
  return ask({
    title: "Keep a web address", button: "Keep", call: name, text: "Only a keyed hash is kept, with the hotline's reference. The address itself is stored nowhere.",
    fields: [{ name: "url", label: "Address", required: true, max: 2000 }, { name: "hotline", label: "Reference of the hotline" }],
    submit: ({ url, hotline }) => send(one, name, { url, hotline: hotline || null }),
  });
}

export function access(one) {
  const name = "POST /v1/cases/{case_id}/access";
  return ask({
    title: "Who may know of it", button: "Save", call: name,
    fields: [
      { name: "person_id", label: "Person", type: "select", options: people() },
      { name: "allowed", label: "May know of it", type: "check", value: true },
      reasonField(),
    ],
    submit: (given) => send(one, name, given),
  });
}
