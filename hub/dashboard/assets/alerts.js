// The supplier's inbox: alerts and responses, newest first.

import { get } from "./api.js";
import { attr, h, list, show, text } from "./dom.js";
import { dayAndTime, dayOnly, eui, kindName, stamp, timeOfDay } from "./format.js";

// How much an alert deserves attention. The hub's list of names is the source; this is
// only about colour.
const bad = new Set(["8F1C", "8F1F", "8F1B", "8F89", "81AD", "8F1E", "8F30", "8F3D", "8F53", "8F48", "8F84", "8F1D", "8F3F"]);
const good = new Set(["8F72", "8F43", "8F8A", "8183", "8F49", "8F69", "8154", "8F66"]);

const hash = /\b([0-9a-f]{12})[0-9a-f]{52}\b/g;

/** said is what an alert says besides its name, with hashes cut to what a person compares. */
function said(a) {
  const { name, text: all } = a;
  const rest = name && all.startsWith(name) ? all.slice(name.length).replace(/^[:,]?\s*/, "") : all;
  return rest.replace(hash, "$1…");
}

export function alertRow() {
  return h("li", {}, h("span", { className: "code" }), h("strong", {}), h("time", {}), h("span", { className: "what" }));
}

export function fillAlert(el, a, home) {
  const device = home.devices.get(a.device);
  text(el.children[0], a.code ?? a.message ?? "–");
  attr(el.children[0], "data-is", bad.has(a.code) ? "bad" : good.has(a.code) ? "good" : "plain");
  text(el.children[1], a.name ?? a.message_name ?? "Response");
  stamp(el.children[2], Date.parse(a.at), dayAndTime);
  const from = device ? kindName(device.kind) : a.device ? eui(a.device) : "Hub";
  const rest = said(a);
  text(el.children[3], rest ? `${from}: ${rest}` : from);
  attr(el.children[3], "title", a.text);
}

const alertTime = (at) => `${dayOnly(at)}, ${timeOfDay(at)}`;

export class Alerts {
  title = "Alerts";
  #device = "";
  #words = "";
  #older = [];
  #end = false;

  constructor(home) {
    this.home = home;
    this.rows = h("tbody", {});
    this.device = h("select", { id: "alert-device", onchange: (e) => this.#filter(e.target.value, this.#words) });
    this.words = h("input", { id: "alert-words", type: "search", placeholder: "code, name or text", oninput: (e) => this.#filter(this.#device, e.target.value) });
    this.nothing = h("p", { className: "nothing" });
    this.more = h("button", { type: "button", onclick: () => this.#readOlder() }, "Older");
    this.el = h("div", { className: "page" },
      h("header", { className: "head" }, h("h1", {}, "Alerts"),
        h("p", {}, "What the devices and the hub told the supplier: GBCS alerts, and responses to the supplier’s orders. The hub keeps the newest 10,000.")),
      h("div", { className: "filters" },
        h("span", { className: "pair" }, h("label", { for: "alert-device" }, "From"), this.device), h("span", { className: "pair" }, h("label", { for: "alert-words" }, "Find"), this.words)),
      h("div", { className: "scroll", tabindex: "0", role: "region", "aria-label": "Alerts" }, h("table", { className: "alert-table" },
        h("thead", {}, h("tr", {}, ["At", "From", "Code", "What", "Said"].map((t) => h("th", { scope: "col" }, t)))), this.rows)),
      this.nothing, this.more);
  }

  #filter(device, words) {
    this.#device = device;
    this.#words = words.toLowerCase();
    this.update();
  }

  async #readOlder() {
    const oldest = this.#older.at(-1)?.sequence ?? this.home.alerts.at(-1)?.sequence;
    if (!oldest) return;
    this.more.disabled = true;
    const from = Math.max(0, oldest - 101);
    const page = await get(`/v1/alerts?order=oldest&after=${from}&limit=${oldest - from - 1 || 1}`).catch(() => null);
    this.more.disabled = false;
    if (!page) return;
    const older = page.alerts.filter((a) => a.sequence < oldest).reverse();
    this.#older.push(...older);
    this.#end = older.length === 0;
    this.update();
  }

  update() {
    const { home } = this;
    list(this.device, [{ eui64: "" }, ...home.devices.values()], (d) => d.eui64,
      (d) => h("option", { value: d.eui64 }, d.eui64 ? `${kindName(d.kind)} ${d.eui64.slice(-4)}` : "everybody"));
    const known = home.alerts;
    const everything = [...known, ...this.#older.filter((a) => a.sequence < (known.at(-1)?.sequence ?? Infinity))];
    const wanted = everything.filter((a) => (!this.#device || a.device === this.#device)
      && (!this.#words || `${a.code ?? ""} ${a.name ?? ""} ${a.message ?? ""} ${a.message_name ?? ""} ${a.text}`.toLowerCase().includes(this.#words)));
    list(this.rows, wanted, (a) => a.sequence, row, (el, a) => fill(el, a, home));
    show(this.nothing, wanted.length === 0);
    text(this.nothing, everything.length === 0
      ? "None yet. Add a device, or distribute an image: what comes of it is told here."
      : "None of them fits. Clear the filters to see all.");
    const first = everything.at(-1)?.sequence ?? 1;
    show(this.more, !this.#end && first > 1 && everything.length >= 200);
  }
}

function row() {
  return h("tr", {}, h("td", {}, h("time", {})), h("td", {}), h("td", {}, h("span", { className: "code" })), h("td", {}), h("td", {}));
}

function fill(el, a, home) {
  const c = el.children;
  const device = home.devices.get(a.device);
  stamp(c[0].firstChild, Date.parse(a.at), alertTime);
  text(c[1], device ? kindName(device.kind) : a.device ? eui(a.device) : "Hub");
  text(c[2].firstChild, a.code ?? a.message ?? "–");
  attr(c[2].firstChild, "data-is", bad.has(a.code) ? "bad" : good.has(a.code) ? "good" : "plain");
  text(c[3], a.name ?? a.message_name ?? "Response");
  text(c[4], said(a));
  attr(c[4], "title", a.text);
}
