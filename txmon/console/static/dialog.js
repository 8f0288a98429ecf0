// Questions to the user: a dialog with fields, one button that does it, and a place for what was refused.

import { h, replace } from "./dom.js";
import { Problem } from "./api.js";

let number = 0;

// fields: [{name, label, type: text|area|select|check|time|file|password, value, options, required, hint, max}]
// submit(values) does it; what it throws is shown and nothing is lost. Resolves to its result, or undefined.
export function ask({ title, text, fields = [], button = "Save", danger = false, submit, call }) {
  return new Promise((resolve) => {
    const id = `d${++number}`;
    const fault = h("div.fault", { role: "alert" });
    const inputs = new Map(fields.map((field) => [field.name, control(field, `${id}-${field.name}`)]));
    const done = h(`button.primary${danger ? ".danger" : ""}`, { type: "submit", "data-call": call }, button);
    const cancel = h("button", { type: "button", onclick: () => box.close() }, "Cancel");
    const form = h("form", { novalidate: true },
      h("h2", { id }, title), text && h("p.lead", text),
      fields.map((field) => labelled(field, inputs.get(field.name))),
      fault, h("div.buttons", done, cancel));
    const box = h("dialog.ask", { "aria-labelledby": id }, form);
    let result;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      replace(fault);
      const missing = fields.find((field) => field.required && !value(inputs.get(field.name), field));
      if (missing) {
        replace(fault, `${missing.label}: needed.`);
        inputs.get(missing.name).focus();
        return;
      }
      done.disabled = true;
      try {
        const values = {};
        for (const field of fields) values[field.name] = await read(inputs.get(field.name), field);
        result = (await submit(values)) ?? true;
        box.close();
      } catch (error) {
        replace(fault, problemText(error));
      } finally {
        done.disabled = false;
      }
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
    });
    box.addEventListener("close", () => {
      box.remove();
      resolve(result);
    });
    document.body.append(box);
    box.showModal();
    ([...inputs.values()][0] ?? done).focus();
  });
}

export function problemText(error) {
  if (!(error instanceof Problem)) throw error;
  const faults = error.faults.map((each) => h("li", `${each.in.filter((part) => part !== "body").join(".")}: ${each.message}`));
  return [
    h("strong", error.title ? `${error.title}. ` : ""), sentence(error.message),
    faults.length > 1 && h("ul", faults),
    error.request && h("span.quiet", ` Request ${error.request}.`),
  ];
}

function sentence(text) {
  return text ? text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".") : "";
}

export function control(field, id) {
  const common = { id, name: field.name, required: field.required, "aria-describedby": field.hint ? `${id}-hint` : null };
  if (field.type === "area") return h("textarea", { ...common, rows: field.rows ?? 3, maxlength: field.max ?? 2000, value: field.value ?? "" });
  if (field.type === "select") {
    const options = field.options.map((each) => (Array.isArray(each) ? each : [each, each]));
    return h("select", common, options.map(([key, text]) => h("option", { value: key, selected: key === field.value }, text)));
  }
  if (field.type === "check") return h("input", { ...common, type: "checkbox", checked: field.value });
  const type = { time: "datetime-local", file: "file", password: "password", number: "number" }[field.type] ?? "text";
  const more = field.type === "password" ? { autocomplete: "off", spellcheck: "false" } : {};
  return h("input", { ...common, ...more, type, accept: field.accept, maxlength: field.max ?? (type === "text" ? 200 : null), value: type === "file" ? null : field.value ?? "" });
}

export function labelled(field, input) {
  const label = h("label", { for: input.id }, field.label, field.required && h("span.quiet", " (needed)"));
  const hint = field.hint && h("p.hint", { id: `${input.id}-hint` }, field.hint);
  if (field.type === "check") return h("div.field.check", input, label, hint);
  return h("div.field", label, input, hint);
}

function value(input, field) {
  if (field.type === "check") return input.checked;
  if (field.type === "file") return input.files.length > 0;
  return input.value.trim();
}

async function read(input, field) {
  if (field.type === "file") return input.files[0] ?? null;
  if (field.type === "time") return input.value ? `${input.value}${input.value.length === 16 ? ":00" : ""}Z` : null;
  return value(input, field);
}

export function reasonField(label = "Reason", more = {}) {
  return { name: "reason", label, type: "area", required: true, ...more };
}
