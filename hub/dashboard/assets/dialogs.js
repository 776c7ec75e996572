// Dialogs and brief messages. A dialog resolves to what was entered, or to null.

import { forgetToken, tryToken } from "./api.js";
import { h, unique } from "./dom.js";

/** toast shows a message for a moment; a failure stays until it is dismissed. */
export function toast(message, { bad = false } = {}) {
  const el = h("div", { className: "toast", "data-bad": bad, role: bad ? "alert" : "status" }, h("p", {}, message),
    h("button", { type: "button", className: "quiet", "aria-label": "Dismiss", onclick: () => el.remove() }, "×"));
  document.getElementById("toasts").append(el);
  if (!bad) setTimeout(() => el.remove(), 6000);
}

/**
 * ask opens a dialog around the given content. check returns what the dialog resolves
 * to; when it throws, the dialog stays and says why.
 */
export function ask({ title, lead, body = [], confirm, danger = false, check = async () => true }) {
  return new Promise((resolve) => {
    const id = unique("dialog");
    const failed = h("p", { className: "failed", role: "alert" });
    const ok = h("button", { type: "submit", className: danger ? "danger" : "primary" }, confirm);
    let result = null;
    const form = h("form", { method: "dialog", onsubmit: async (e) => {
      e.preventDefault();
      ok.disabled = true;
      failed.textContent = "";
      try {
        result = await check(form);
        dialog.close();
      } catch (err) {
        failed.textContent = err.message;
      } finally {
        ok.disabled = false;
      }
    } }, h("h2", { id }, title), lead ? h("p", { className: "lead-in" }, lead) : null, ...body, failed,
    h("div", { className: "buttons" }, h("button", { type: "button", onclick: () => dialog.close() }, "Close"), ok));
    const dialog = h("dialog", { "aria-labelledby": id, onclose: () => {
      dialog.remove();
      resolve(result);
    } }, form);
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** field makes a labelled control. */
export function field(label, control, hint) {
  const id = unique("field");
  control.id = id;
  const note = hint ? h("small", { id: `${id}-hint` }, hint) : null;
  if (note) control.setAttribute("aria-describedby", note.id);
  return h("div", { className: "field" }, h("label", { for: id }, label), control, note);
}

let asking = null;

/** askToken asks for the hub's token, once for all who wait for it. */
export function askToken() {
  asking ??= openTokenDialog().finally(() => { asking = null; });
  return asking;
}

async function openTokenDialog() {
  const input = h("input", { type: "password", autocomplete: "off", spellcheck: "false", required: true });
  const good = await ask({
    title: "The hub wants its token",
    lead: "What changes something needs the hub’s token. The hub showed it when it was first started; commshub token prints it again.",
    body: [field("Token", input, "Kept in this tab only, until it is closed.")],
    confirm: "Use this token",
    check: async () => {
      if (!(await tryToken(input.value.trim()))) {
        forgetToken();
        throw new Error("The hub does not take this token.");
      }
      return true;
    },
  });
  return good === true;
}
