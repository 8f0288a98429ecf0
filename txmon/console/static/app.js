// Begins: signs in, then shows the page that the address names.

import { issuerKnown, onSignedOut, Problem, resume, session } from "./api.js";
import { login } from "./login.js";
import { close, frame, route } from "./shell.js";
import "./queue.js";
import "./alert.js";
import "./cases.js";
import "./case.js";
import "./inbox.js";
import "./reports.js";
import "./rules.js";
import "./quarantine.js";
import "./audit.js";
import "./settings.js";
import "./find.js";

let issuer = false;

function enter() {
  frame();
  route();
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main")?.focus();
});
addEventListener("hashchange", route);
onSignedOut((why) => {
  close();
  login(why, issuer, enter);
});

issuer = await issuerKnown();
try {
  if (issuer) await resume();
} catch (error) {
  if (!(error instanceof Problem)) throw error;
}
if (session.me) enter();
else login("", issuer, enter);
