// The device log, and of each meter its firmware slots, its readings and what waits
// for it.

import { attr, h, list, show, text } from "./dom.js";
import { ago, bytes, dayAndTime, eui, kindName, percent, plural, stamp } from "./format.js";
import { isBridged, isMeter, takesFirmware } from "./home.js";
import { linkState, linkText } from "./overview.js";

export class Meters {
  title = "Meters";

  constructor(home, actions) {
    this.home = home;
    this.actions = actions;
    this.room = h("span", { className: "room" });
    this.cards = h("div", { className: "cards" });
    this.nothing = h("p", { className: "nothing" }, "The device log is empty. Add a device, then start it, for example with commshub meter gsme.");
    this.el = h("div", { className: "page" },
      h("header", { className: "head" }, h("h1", {}, "Meters and devices"),
        h("p", {}, "The device log says who may join the home. ", this.room),
        h("button", { type: "button", onclick: () => actions.addDevice() }, "Add a device")),
      this.cards, this.nothing);
  }

  update() {
    const devices = [...this.home.devices.values()];
    const order = ["GSME", "ESME", "PPMID", "IHD"];
    const rank = (d) => (order.indexOf(d.kind) + 10) % 10;
    devices.sort((a, b) => rank(a) - rank(b) || (a.eui64 < b.eui64 ? -1 : 1));
    text(this.room, `${devices.filter((d) => !isBridged(d)).length} of ${this.home.deviceLogSize} places are taken.`);
    list(this.cards, devices, (d) => d.eui64, (d) => new Card(d, this.home, this.actions).el, (el, d) => el.card.update(d));
    show(this.nothing, devices.length === 0);
  }

  tick() {
    const now = this.home.clock.now();
    for (const el of this.cards.children) el.card.tick(now);
  }
}

class Card {
  constructor(d, home, actions) {
    this.home = home;
    this.actions = actions;
    this.device = d;
    this.state = h("span", { className: "state" });
    this.firmware = h("p", { className: "firmware" });
    this.slots = h("div", { className: "slots" });
    this.notInside = h("p", { className: "nothing" });
    this.readings = h("tbody", {});
    this.readAt = h("time", {});
    this.readAge = h("p", { className: "age" }, d.kind === "GSME" ? "Left with the hub " : "Reported ", this.readAt);
    this.noReadings = h("p", { className: "nothing" });
    this.doubts = h("ol", { className: "doubts", "aria-label": "Readings that are not believed" });
    this.trend = h("div", { className: "trend" });
    this.mail = h("ol", { className: "mail" });
    this.noMail = h("p", { className: "nothing" }, "Nothing waits.");
    const meter = isMeter(d);
    const part = (title, ...children) => h("section", {}, h("h3", {}, title), ...children);
    this.el = h("article", { className: "card", "aria-label": `${kindName(d.kind)} ${d.eui64}` },
      h("header", {}, h("i", { className: "wire", "aria-hidden": "true" }), h("h2", {}, kindName(d.kind)), h("span", { className: "id" }, eui(d.eui64)), this.state),
      takesFirmware(d) ? part("Firmware", this.firmware, meter ? this.slots : null, meter ? this.notInside : null) : null,
      meter ? part(d.kind === "GSME" ? "Readings in the mirror" : "Readings", this.readAge, this.trend, h("table", {}, h("thead", { className: "unseen" }, h("tr", {}, h("th", { scope: "col" }, "Attribute"), h("th", { scope: "col" }, "Value"))), this.readings), this.noReadings, this.doubts) : null,
      meter ? part("Mailbox", this.mail, this.noMail) : null,
      h("footer", {},
        meter ? h("button", { type: "button", onclick: () => actions.readVersion(this.device) }, "Ask for its version") : null,
        h("button", { type: "button", className: "quiet", onclick: () => actions.removeDevice(this.device) }, "Remove…")));
    this.el.card = this;
    if (meter) home.readHistory(d.eui64);
  }

  update(d) {
    this.device = d;
    attr(this.el, "data-link", linkState(d));
    text(this.firmware, d.firmware_version ? `Reported ${d.firmware_version}.` : "It has not reported its version yet.");
    if (isMeter(d)) {
      this.#showSlots(d);
      this.#showMail(d);
      this.#showReadings(d);
    }
    this.tick(this.home.clock.now());
  }

  #showSlots(d) {
    const inside = this.home.insides.get(d.eui64);
    show(this.slots, Boolean(inside?.slots?.length));
    show(this.notInside, !inside?.slots?.length);
    text(this.notInside, inside?.bricked ? "The meter does not start: no slot holds an image it trusts."
      : inside && !inside.power ? "Its power is off."
        : d.in_process ? "Its slots are not known at the moment." : "It runs in a process of its own, so the hub sees no more of its slots than what it reports.");
    list(this.slots, inside?.slots ?? [], (s) => s.name,
      () => h("div", { className: "slot" }, h("strong", {}), h("span", { className: "version" }), h("span", { className: "tag" }), h("span", { className: "fill", role: "img" }, h("i", {})), h("small", {})),
      (el, s) => {
        const c = el.children;
        text(c[0], `Slot ${s.name}`);
        text(c[1], s.version ?? "");
        text(c[2], s.running ? (s.trial ? "runs on trial" : "runs, confirmed") : s.state);
        attr(el, "data-is", s.running ? (s.trial ? "trial" : "running") : s.state);
        c[3].firstChild.style.width = `${s.size ? percent(s.stored ?? 0, s.size) : 0}%`;
        attr(c[3], "aria-label", s.size ? `${percent(s.stored ?? 0, s.size)} percent stored` : "nothing stored");
        text(c[4], s.size ? (s.stored < s.size ? `${bytes(s.stored)} of ${bytes(s.size)}` : bytes(s.size)) : "nothing stored");
      });
  }

  #showMail(d) {
    const waiting = (this.home.messages.get(d.eui64) ?? []).filter((m) => m.state === "queued");
    show(this.noMail, waiting.length === 0);
    list(this.mail, waiting, (m) => m.sequence, () => h("li", {}, h("span", { className: "code" }), h("span", {}), h("time", {})), (el, m) => {
      text(el.children[0], m.code);
      text(el.children[1], m.name ?? "message");
      stamp(el.children[2], Date.parse(m.queued_at), dayAndTime);
    });
  }

  #showReadings(d) {
    const m = this.home.mirrors.get(d.eui64);
    const attributes = m?.attributes ?? [];
    show(this.readAge, attributes.length > 0);
    show(this.noReadings, attributes.length === 0);
    text(this.noReadings, d.kind === "GSME" ? "None yet. It leaves them with the hub at its first heartbeat." : "None yet.");
    list(this.readings, attributes, (a) => a.id, () => h("tr", {}, h("th", { scope: "row" }), h("td", {})), (el, a) => {
      text(el.children[0], words(a.name) || a.id);
      el.children[0].title = `attribute ${a.id}, ZCL type ${a.type}`;
      text(el.children[1], a.text ?? a.value);
    });
    const doubts = (m?.quarantine ?? []).filter((q) => !q.over);
    show(this.doubts, doubts.length > 0);
    list(this.doubts, doubts, (q) => q.attribute.id, () => {
      const el = h("li", {}, h("strong", {}), h("span", {}), h("time", {}),
        h("button", { type: "button", onclick: () => this.actions.acceptReading(this.device, el.attribute) }, "Accept…"));
      return el;
    }, (el, q) => {
      el.attribute = q.attribute; // of the newest one, not of that which made the row
      const shown = q.attribute.text || q.attribute.value;
      text(el.children[0], `Not believed: ${words(q.attribute.name) || q.attribute.id} ${shown}`);
      text(el.children[1], `${q.reason}; ${plural(q.count, "reading")} since`);
      stamp(el.children[2], Date.parse(q.since), dayAndTime);
      show(el.children[3], q.acceptable);
    });
    sparkline(this.trend, this.home.histories.get(d.eui64)?.points ?? []);
  }

  tick(now) {
    const d = this.device;
    text(this.state, linkText(d, now, this.home.broker));
    const m = this.home.mirrors.get(d.eui64);
    const read = m?.register_at ?? m?.updated_at;
    if (read) stamp(this.readAt, Date.parse(read), (at) => ago(now - at));
  }
}

// words turns an attribute's name into words: CurrentSummationDelivered.
const words = (name) => (name ?? "").replace(/([a-z0-9])([A-Z])/g, "$1 $2").replace(/^(.)(.*)$/, (_, a, b) => a + b.toLowerCase());

const fewSteps = 12;
const maxSteps = 120;

// sparkline draws how the register rose: one step a report.
function sparkline(el, points) {
  points = points.filter((p) => p.register !== undefined); // one in quarantine is no step
  show(el, points.length >= fewSteps);
  if (points.length < fewSteps || el.dataset.points === `${points.length} ${points.at(-1).at}`) return;
  el.dataset.points = `${points.length} ${points.at(-1).at}`;
  const shown = points.slice(-maxSteps);
  const width = 240;
  const height = 40;
  const rates = shown.slice(1).map((p, i) => Math.max(0, p.register - shown[i].register));
  const top = Math.max(1, ...rates);
  const w = width / rates.length;
  el.replaceChildren(h("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": `Consumption between the last ${rates.length} reports` },
    h("title", {}, `Consumption between the last ${rates.length} reports`),
    ...rates.map((r, i) => h("rect", { x: (i * w).toFixed(2), y: (height - (r / top) * height).toFixed(2), width: Math.max(0.5, w - 1).toFixed(2), height: ((r / top) * height).toFixed(2) }))));
}
