// Calls of the public API, by the names of its routes, and who makes them.
// A key is kept in this module's memory and nowhere else: a reload forgets it. A browser's session is a cookie
// that no script can read; what it changes repeats the session's own token.

export const session = {
  me: null, csrf: null, purpose: null, vocabulary: null, vault: null,
  people: new Map(), rules: new Map(), access: new Map(), casePurposes: new Map(),
};
let key = null;
const listeners = new Set();

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? body.title ?? "the service gave no reason");
    Object.assign(this, { status, code: body.code ?? "unreachable", title: body.title ?? "", faults: body.faults ?? [] });
    this.request = (body.instance ?? "").replace("urn:txmon:request:", "");
    this.body = body;
  }
}

export function onSignedOut(listener) {
  listeners.add(listener);
}

// call("PATCH /v1/cases/{case_id}", {case_id}, {body, version, purpose, query}) -> {data, status, tag}
export async function call(route, parameters = {}, { query, body, version, purpose, signal } = {}) {
  const [method, pattern] = route.split(" ");
  const path = pattern.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(parameters[name]));
  const headers = { accept: "application/json" };
  if (key) headers.authorization = `Bearer ${key}`;
  else if (session.csrf && method !== "GET") headers["x-csrf-token"] = session.csrf;
  if (body !== undefined) headers["content-type"] = "application/json";
  if (version !== undefined) headers["if-match"] = typeof version === "number" ? `"v${version}"` : version;
  if (purpose) headers["x-purpose"] = bytes(purpose);
  const request = { method, headers, signal, cache: "no-store", redirect: "error", credentials: "same-origin" };
  if (body !== undefined) request.body = JSON.stringify(body);
  let answer;
  try {
    answer = await fetch(path + asked(query), request);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { title: "No answer", detail: "the service cannot be reached; nothing is known of what became of this" });
  }
  const data = parsed(await answer.text());
  if (answer.ok) return { data, status: answer.status, tag: answer.headers.get("etag") };
  if (answer.status === 401 && session.me) signedOut(data?.detail);
  throw new Problem(answer.status, data ?? {});
}

// A stream of server-sent events, read by hand since the browser's own cannot send a key.
export async function listen(route, onEvent, signal) {
  const headers = key ? { authorization: `Bearer ${key}` } : {};
  const answer = await fetch(route.split(" ")[1], { headers, signal, cache: "no-store", credentials: "same-origin" });
  if (!answer.ok) return;
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let waiting = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    waiting += value;
    const parts = waiting.split("\n\n");
    waiting = parts.pop();
    for (const part of parts) {
      const name = /^event: ?(.+)$/m.exec(part)?.[1];
      if (name) onEvent(name);
    }
  }
}

function asked(query) {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === null || value === undefined || value === "" || value === false) continue;
    for (const each of [value].flat()) found.append(name, each);
  }
  const text = found.toString();
  return text ? `?${text}` : "";
}

function bytes(text) {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

// Whole numbers beyond what a double holds stay exact.
function parsed(text) {
  if (!text) return null;
  try {
    return JSON.parse(text, (_, value, context) =>
      typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? "") ? BigInt(context.source) : value);
  } catch {
    return null;
  }
}

export function may(route) {
  const wanted = session.access.get(route);
  if (!wanted) return false;
  const { scopes, roles, kind } = session.me;
  return wanted.scopes.some((each) => scopes.includes(each)) && (kind === "person" || !wanted.people) &&
    (!wanted.roles.length || wanted.roles.some((each) => roles.includes(each)));
}

export async function signIn(text) {
  key = text;
  try {
    await begin();
  } catch (error) {
    forget();
    throw error;
  }
}

export async function resume() {
  await begin();
  session.csrf = session.me.session?.csrf_token ?? null;
}

async function begin() {
  const [me, contract] = await Promise.all([call("GET /auth/me"), call("GET /openapi.json")]);
  session.me = me.data;
  const vault = letIn();
  for (const [path, methods] of Object.entries(contract.data.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      if (operation["x-access"]) session.access.set(`${method.toUpperCase()} ${path}`, operation["x-access"]);
    }
  }
  const words = may("GET /v1/vocabulary") ? call("GET /v1/vocabulary") : null;
  const people = may("GET /v1/colleagues") ? call("GET /v1/colleagues") : null;
  const rules = may("GET /v1/rules") ? call("GET /v1/rules") : null;
  session.vault = await vault;
  session.vocabulary = (await words)?.data ?? {};
  session.people = new Map(((await people)?.data.items ?? []).map((each) => [each.person_id, each]));
  session.rules = new Map(((await rules)?.data.items ?? []).map((each) => [each.rule_id, each]));
}

// What one may do in the vault of reports; to everybody else it answers what any unknown path answers.
async function letIn() {
  try {
    return (await call("GET /v1/vault/me")).data;
  } catch (error) {
    if (error instanceof Problem) return null;
    throw error;
  }
}

export async function signOut() {
  const bySession = !key && session.me?.session;
  const answer = bySession ? await call("POST /auth/logout") : null;
  signedOut("You are signed out.");
  return answer?.data?.issuer_logout ?? null;
}

function forget() {
  key = null;
  Object.assign(session, { me: null, csrf: null, purpose: null, vocabulary: null, vault: null });
  for (const each of [session.people, session.rules, session.access, session.casePurposes]) each.clear();
}

function signedOut(why) {
  forget();
  for (const listener of listeners) listener(why);
}

// Whether people may sign in at an issuer here; the way there is only looked at, not taken.
export async function issuerKnown() {
  try {
    const answer = await fetch("/auth/login", { redirect: "manual", cache: "no-store" });
    return answer.type === "opaqueredirect";
  } catch {
    return false;
  }
}
