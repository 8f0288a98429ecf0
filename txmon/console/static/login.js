// The door: an API key, or the issuer that the operator has set.

import { h, replace } from "./dom.js";
import { problemText } from "./dialog.js";
import { Problem, session, signIn } from "./api.js";

export function login(why, issuer, entered) {
  const fault = h("div.fault", { role: "alert" }, why);
  const key = h("input", { id: "key", type: "password", autocomplete: "off", spellcheck: "false", maxlength: "400", required: true });
  const purpose = h("input", { id: "for", maxlength: "200", "aria-describedby": "for-hint" });
  const button = h("button.primary", { type: "submit", "data-call": "GET /auth/me" }, "Sign in");
  const form = h("form", { novalidate: true },
    h("div.field", h("label", { for: "key" }, "API key"), key, h("p.hint", "Kept in the memory of this page: a reload forgets it.")),
    h("div.field", h("label", { for: "for" }, "Purpose of this session"), purpose,
      h("p.hint", { id: "for-hint" }, "Names and texts about people are shown for a purpose, which is recorded with each look. You can say it later.")),
    fault, h("div.buttons", button));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = key.value.trim();
    if (!text) {
      replace(fault, "Paste a key.");
      key.focus();
      return;
    }
    button.disabled = true;
    try {
      await signIn(text);
      session.purpose = purpose.value.trim() || null;
      key.value = "";
      entered();
    } catch (error) {
      const exchange = error instanceof Problem && error.status === 403;
      replace(fault, problemText(error), exchange && h("p", "A key that somebody else made for you must be exchanged for your own first: txmon keys rotate."));
    } finally {
      button.disabled = false;
    }
  });
  const door = issuer && h("p", h("a.button", { href: "/auth/login" }, "Sign in at your organisation"));
  replace(document.getElementById("shell"),
    h("main.door", { id: "main", tabindex: "-1" }, h("h1", "txmon"), h("p.quiet", "Console for analysts"), door, form));
  document.title = "Sign in \u2013 txmon";
  key.focus();
}
