// The first view: the staged transfer above, the home below it.

import { attr, h, list, show, text } from "./dom.js";
import { ago, charge, countdown, dayAndTime, days, eui, isLow, kindName, percent, plural, stamp } from "./format.js";
import { hasEnded, isBridged, takesFirmware } from "./home.js";
import { alertRow, fillAlert } from "./alerts.js";
import { Transfer, stateName } from "./transfer.js";

export class Overview {
  title = "Overview";
  #chosen = "";

  constructor(home, actions) {
    this.home = home;
    this.actions = actions;
    this.transfer = new Transfer(home, actions);
    this.tabs = h("div", { className: "tabs", role: "group", "aria-label": "Updates" });
    this.empty = h("section", { className: "hero empty" });
    this.devices = h("ul", { className: "devices" });
    this.readings = h("ul", { className: "readings" });
    this.alerts = h("ol", { className: "alerts" });
    this.noAlerts = h("p", { className: "nothing" }, "None yet. What the meters and the hub report to the supplier stands here.");
    this.noReadings = h("p", { className: "nothing" }, "None yet. A gas meter leaves its readings with the hub at each heartbeat.");
    this.noDevices = h("div", { className: "nothing" });
    const panel = (className, title, href, more, ...children) => h("section", { className: `panel ${className}` },
      h("header", {}, h("h2", {}, title), h("a", { href }, more)), ...children);
    this.el = h("div", { className: "overview" }, this.tabs, this.empty, this.transfer.el,
      h("div", { className: "panels" },
        panel("home", "The home", "#/meters", "Meters and devices", this.devices, this.noDevices),
        panel("latest", "Readings and battery", "#/battery", "Battery", this.readings, this.noReadings),
        panel("inbox", "Alerts", "#/alerts", "All alerts", this.alerts, this.noAlerts)));
  }

  update() {
    const { home } = this;
    const updates = home.currentUpdates();
    const chosen = this.#choose(updates);
    this.#showTabs(updates, chosen);
    show(this.transfer.el, Boolean(chosen));
    show(this.empty, !chosen);
    if (chosen) this.transfer.show(chosen);
    else this.#showEmpty();
    this.#showDevices();
    this.#showReadings();
    list(this.alerts, home.alerts.slice(0, 6), (a) => a.sequence, alertRow, (el, a) => fillAlert(el, a, home));
    show(this.noAlerts, home.alerts.length === 0);
    this.tick();
  }

  // choose prefers a gas meter's update in hand, then any. What is shown stays until
  // the person chooses another device: a page that jumps is read by nobody.
  #choose(updates) {
    const rank = (u) => (hasEnded(u) ? 0 : 2) + (u.kind === "GSME" ? 1 : 0);
    const u = updates.find((x) => x.device === this.#chosen) ?? [...updates].sort((a, b) => rank(b) - rank(a))[0];
    this.#chosen = u?.device ?? "";
    return u;
  }

  #showTabs(updates, chosen) {
    show(this.tabs, updates.length > 1);
    list(this.tabs, [...updates].sort((a, b) => (a.kind === b.kind ? (a.device < b.device ? -1 : 1) : a.kind === "GSME" ? -1 : 1)), (u) => u.device,
      (u) => h("button", { type: "button", className: "tab", onclick: () => {
        this.#chosen = u.device;
        this.update();
      } }, h("span", {}), h("small", {})),
      (el, u) => {
        text(el.children[0], kindName(u.kind) + (updates.filter((x) => x.kind === u.kind).length > 1 ? ` ${u.device.slice(-4)}` : ""));
        text(el.children[1], u.state === "downloading" ? `${percent(u.offset ?? 0, u.size)} %` : stateName(u, this.home.devices.get(u.device)));
        attr(el, "aria-pressed", String(u.device === chosen.device));
      });
  }

  #showEmpty() {
    const { home } = this;
    const meters = [...home.devices.values()].filter(takesFirmware);
    const step = meters.length === 0
      ? ["No meter is in the device log", "A device may join the home once it is in the log. Then give it firmware.", "Add a device", () => this.actions.addDevice()]
      : home.images.size === 0
        ? ["No update is under way", "Upload a firmware image, then distribute it to a meter. A gas meter takes it in, window by window, over its next heartbeats.", "Upload an image", () => { location.hash = "#/firmware"; }]
        : ["No update is under way", `${plural(home.images.size, "image")} in the cache. Distribute one to a meter, and its transfer shows here.`, "Distribute…", () => this.actions.distribute()];
    const key = step[0] + step[2];
    if (this.empty.dataset.key === key) return;
    this.empty.dataset.key = key;
    this.empty.replaceChildren(h("h1", {}, step[0]), h("p", {}, step[1]), h("button", { type: "button", className: "primary", onclick: step[3] }, step[2]));
  }

  #showDevices() {
    const devices = [...this.home.devices.values()];
    list(this.devices, devices, (d) => d.eui64, deviceRow, (el, d) => {
      attr(el, "data-link", linkState(d));
      text(el.parts.name, kindName(d.kind));
      text(el.parts.id, eui(d.eui64));
      text(el.parts.version, d.firmware_version ?? "");
    });
    show(this.noDevices, devices.length === 0);
    if (devices.length === 0 && !this.noDevices.firstChild) {
      this.noDevices.append(h("p", {}, "The device log is empty, so nothing may join. Add the first device:"),
        h("button", { type: "button", onclick: () => this.actions.addDevice() }, "Add a device"));
    }
  }

  #showReadings() {
    const meters = [...this.home.devices.values()].filter((d) => this.home.mirrors.get(d.eui64)?.attributes?.length || this.home.batteries.has(d.eui64));
    show(this.noReadings, meters.length === 0);
    list(this.readings, meters, (d) => d.eui64, () => {
      const el = h("li", {}, h("strong", { className: "value" }), h("span", { className: "what" }), h("time", { className: "age" }),
        h("div", { className: "cell", role: "img" }, h("i", {})), h("span", { className: "battery" }));
      return el;
    }, (el, d) => {
      const m = this.home.mirrors.get(d.eui64);
      const register = m?.attributes.find((a) => a.name === "CurrentSummationDelivered");
      const b = this.home.battery(d.eui64);
      text(el.children[0], register?.text ?? register?.value ?? kindName(d.kind));
      const doubted = m?.quarantine?.some((q) => !q.over);
      text(el.children[1], register ? `${kindName(d.kind)}${doubted ? "; later readings are not believed" : ""}` : "no readings yet");
      const known = b?.battery_left_percent !== undefined;
      show(el.children[3], known);
      show(el.children[4], known);
      if (!known) return;
      el.children[3].firstChild.style.width = `${b.battery_left_percent}%`;
      attr(el.children[3], "aria-label", `Battery ${b.left_text}`);
      attr(el.children[3], "data-low", isLow(b));
      const life = b.update?.cost_days;
      const cost = b.update ? `; this update ${charge(b.update.charge_uah)}${life === undefined ? "" : `, ${days(life)} of life`}` : "";
      text(el.children[4], `${isLow(b) ? "Low: " : ""}${b.left_text}${b.battery_left_days === undefined ? "" : `, ${b.lasts_text} left`}${cost}`);
    });
  }

  tick() {
    const { home } = this;
    const now = home.clock.now();
    if (!this.transfer.el.hidden) this.transfer.tick();
    for (const d of home.devices.values()) {
      const el = this.devices.keyed?.get(d.eui64);
      if (el) text(el.parts.state, linkText(d, now, home.broker));
      const reading = this.readings.keyed?.get(d.eui64);
      const m = home.mirrors.get(d.eui64);
      if (reading) {
        const read = m?.register_at ?? m?.updated_at;
        stamp(reading.children[2], read ? Date.parse(read) : null, (at) => ago(now - at));
      }
    }
  }

  redraw() { this.transfer.redraw(); }
}

function deviceRow() {
  const parts = { name: h("strong", {}), id: h("span", { className: "id" }), version: h("span", { className: "version" }), state: h("span", { className: "state" }) };
  const el = h("li", {}, h("i", { className: "wire", "aria-hidden": "true" }), parts.name, parts.version, parts.id, parts.state);
  el.parts = parts;
  return el;
}

/** linkState is how a device is reachable, for the drawing of its wire. */
export function linkState(d) {
  if (isBridged(d)) return "bridged";
  if (!d.connected) return "none";
  return d.sleeps && !d.awake ? "asleep" : "awake";
}

/** linkText says how a device is reachable. */
export function linkText(d, now, broker = true) {
  if (isBridged(d)) return d.last_heard ? `Through a bridge; heard ${ago(now - Date.parse(d.last_heard))}` : "Through a bridge; not heard of yet";
  if (d.overdue && !d.awake) return `${d.connected ? "Overdue" : broker ? "No session; overdue" : "No broker; overdue"} by ${countdown(now - Date.parse(d.overdue_since))}, silent since ${dayAndTime(Date.parse(d.last_heard))}`;
  if (!d.connected && !broker) return "The hub has no broker";
  if (!d.connected) return d.last_heard ? `No session; last heard ${ago(now - Date.parse(d.last_heard))}` : "Not joined yet";
  if (!d.sleeps) return "Connected";
  if (d.awake) return "Awake, window open";
  if (!d.next_heartbeat) return "Connected; its heartbeat is not known yet";
  const left = Date.parse(d.next_heartbeat) - now;
  return left >= 0 ? `Asleep; wakes in ${countdown(left)}` : "Asleep; due to wake";
}

