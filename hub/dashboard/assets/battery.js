// What a battery meter's charge went into, what this update costs, and how long the
// rest will last.

import { attr, h, list, show, text } from "./dom.js";
import { ago, charge, days, dayAndTime, eui, isLow, kindName, plural, stamp } from "./format.js";

const causeNames = {
  sleep: "Sleeping", base: "Metrology, clock, display", "self-discharge": "The cell’s own loss", transmit: "Radio, sending", listen: "Radio, listening",
  receive: "Radio, receiving", processor: "Processor", flash: "Flash memory", hash: "Hashing", signature: "Signature checks", reboot: "Restarts", drained: "Drained by hand", check: "Memory checks",
};
const baseLoad = new Set(["sleep", "base", "self-discharge"]);
const everyday = 365.25;
const rates = [["a year", 1], ["a quarter", 4], ["a month", 12]];

export class Battery {
  title = "Battery";

  constructor(home) {
    this.home = home;
    this.meters = h("div", { className: "cells" });
    this.nothing = h("p", { className: "nothing" }, "No meter with a battery is known yet. Add a gas meter under Meters; at its first heartbeat it says how its battery is.");
    this.el = h("div", { className: "page" },
      h("header", { className: "head" }, h("h1", {}, "Battery"),
        h("p", {}, "Charge is reckoned per operation from the radio model, not measured, so that it is the same at every speed of the clock.")),
      this.meters, this.nothing);
  }

  update() {
    const meters = [...this.home.batteries.keys()].map((eui64) => this.home.battery(eui64)).filter((b) => b.battery_left_percent !== undefined);
    list(this.meters, meters, (b) => b.device, () => new Cell().el, (el, b) => el.cell.update(b, this.home));
    show(this.nothing, meters.length === 0);
  }

  tick() {
    for (const el of this.meters.children) el.cell.tick(this.home.clock.now());
  }
}

class Cell {
  constructor() {
    this.name = h("h2", {});
    this.id = h("span", { className: "id" });
    this.percent = h("span", { className: "big" });
    this.left = h("span", { className: "of" });
    this.age = h("time", {});
    this.bar = h("div", { className: "cell", role: "img" }, h("i", {}));
    this.update1 = h("div", { className: "cost" });
    this.causes = h("tbody", {});
    this.work = h("div", { className: "shares", role: "img" });
    this.causesPart = h("section", {}, h("h3", {}, "What the charge went into"), this.work,
      h("div", { className: "scroll", tabindex: "0", role: "region", "aria-label": "Charge by cause" }, h("table", {}, h("thead", {}, h("tr", {}, ["Cause", "Charge", "Share"].map((t) => h("th", { scope: "col" }, t)))), this.causes)));
    this.unknown = h("p", { className: "nothing" }, "This meter reports its percentage and the days left, but not what the charge went into.");
    this.projection = h("section", {}, h("h3", {}, "Projection"));
    this.line = h("div", { className: "projection" });
    this.ifs = h("dl", { className: "facts" });
    this.projection.append(this.line, this.ifs);
    this.el = h("article", { className: "card wide" },
      h("header", {}, this.name, this.id),
      h("div", { className: "two" }, h("div", {}, h("p", { className: "figure" }, this.percent, this.left), this.bar, h("p", { className: "age" }, "As of ", this.age)), this.update1),
      h("div", { className: "halves" }, this.causesPart, this.unknown, this.projection));
    this.el.cell = this;
  }

  update(b, home) {
    const device = home.devices.get(b.device);
    this.at = b.at ? Date.parse(b.at) : null;
    text(this.name, kindName(device?.kind ?? "GSME"));
    text(this.id, eui(b.device));
    text(this.percent, b.left_text);
    text(this.left, `${isLow(b) ? "Low. " : ""}${b.battery_left_days === undefined ? "" : `${b.lasts_text} left at an ordinary day’s use`}`);
    this.bar.firstChild.style.width = `${b.battery_left_percent}%`;
    attr(this.bar, "aria-label", `${b.left_text} left`);
    attr(this.bar, "data-low", isLow(b));
    this.#showCost(b);
    this.#showCauses(b);
    this.#showProjection(b, home.clock.now());
    this.tick(home.clock.now());
  }

  #showCost(b) {
    const u = b.update;
    show(this.update1, Boolean(u));
    if (!u) return;
    const key = JSON.stringify(u);
    if (this.update1.dataset.key === key) return;
    this.update1.dataset.key = key;
    this.update1.replaceChildren(h("h3", {}, `The update to ${u.version}`),
      u.cost_days === undefined
        ? h("p", { className: "figure" }, h("span", { className: "big" }, charge(u.charge_uah)), h("span", { className: "of" }, "How many days of life that is can be told after a heartbeat without an update."))
        : h("p", { className: "figure" }, h("span", { className: "big" }, days(u.cost_days)), h("span", { className: "of" }, "of battery life")),
      h("p", {}, `${charge(u.charge_uah)} over ${plural(u.windows, "window")}, with the radio on for ${u.radio_on_s.toFixed(1)} s.`),
      b.heartbeat_uah ? h("p", { className: "age" }, `An ordinary heartbeat costs ${charge(b.heartbeat_uah)}.`) : "");
  }

  #showCauses(b) {
    const causes = (b.causes ?? []).filter((c) => c.charge_uah > 0).sort((x, y) => y.charge_uah - x.charge_uah);
    show(this.causesPart, causes.length > 0);
    show(this.unknown, causes.length === 0);
    const total = causes.reduce((sum, c) => sum + c.charge_uah, 0);
    const name = (c) => causeNames[c.cause] ?? c.cause;
    list(this.causes, causes, (c) => c.cause, (c) => h("tr", {}, h("th", { scope: "row" }, h("i", { className: baseLoad.has(c.cause) ? "key base" : "key work", "aria-hidden": "true" }), name(c)), h("td", {}), h("td", {})), (el, c) => {
      text(el.children[1], charge(c.charge_uah));
      text(el.children[2], share(c.charge_uah, total));
    });
    list(this.work, causes, (c) => c.cause, (c) => h("i", { "data-cause": baseLoad.has(c.cause) ? "base" : "work" }), (el, c) => {
      el.style.flexGrow = String(c.charge_uah / total);
      el.title = `${name(c)}: ${share(c.charge_uah, total)}`;
    });
    attr(this.work, "aria-label", `Spent ${charge(total)}: ${causes.slice(0, 4).map((c) => `${name(c)} ${share(c.charge_uah, total)}`).join(", ")}`);
  }

  // The projection is arithmetic on what the hub says: days left at an ordinary day's
  // use, and how many such days one update like this costs.
  #showProjection(b, now) {
    show(this.projection, b.battery_left_days !== undefined);
    if (b.battery_left_days === undefined) return;
    const years = b.battery_left_days / everyday;
    const cost = b.update?.cost_days ?? 0;
    const key = `${b.battery_left_days} ${cost.toFixed(2)} ${new Date(now).getFullYear()}`;
    if (this.projection.dataset.key === key) return;
    this.projection.dataset.key = key;
    this.line.replaceChildren(projectionChart(b.battery_left_percent, years, cost, now));
    const row = (name, value) => h("div", {}, h("dt", {}, name), h("dd", {}, value));
    const end = (y) => `${y.toFixed(1)} years, to ${new Date(now + y * everyday * 86_400_000).getFullYear()}`;
    this.ifs.replaceChildren(row("Without further updates", end(years)),
      ...(cost > 0 ? rates.map(([name, n]) => {
        const y = withUpdates(years, cost, n);
        return row(`With one like this ${name}`, `${y.toFixed(1)} years, ${days((years - y) * everyday)} less`);
      }) : []));
  }

  tick(now) { stamp(this.age, this.at, (at) => `${dayAndTime(at)}, ${ago(now - at)}`); }
}

const withUpdates = (years, cost, perYear) => years / (1 + (cost * perYear) / everyday);

function share(part, total) {
  const p = (part / total) * 100;
  return p >= 10 ? `${Math.round(p)} %` : p >= 0.1 ? `${p.toFixed(1)} %` : "< 0.1 %";
}

// projectionChart draws what is left of the charge over the years to come.
function projectionChart(percent, years, cost, now) {
  const width = 520;
  const height = 190;
  const base = height - 24;
  const span = Math.max(1, Math.ceil(years / 5) * 5);
  const x = (y) => 46 + (y / span) * (width - 72);
  const y = (p) => base - (p / 100) * (base - 12);
  const thisYear = new Date(now).getFullYear();
  const fraction = (now - Date.UTC(thisYear, 0, 1)) / (everyday * 86_400_000);
  const step = span > 10 ? 5 : span > 5 ? 2 : 1;
  const marks = [];
  for (let i = 1; i <= span; i++) {
    if ((thisYear + i) % step === 0) marks.push([i - fraction, thisYear + i]);
  }
  const month = withUpdates(years, cost, 12);
  return h("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `Charge left: ${percent} percent now, none in ${years.toFixed(1)} years` },
    ...[0, 50, 100].flatMap((p) => [h("line", { x1: 46, x2: width - 26, y1: y(p), y2: y(p), className: "grid" }), h("text", { x: 38, y: y(p) + 4, "text-anchor": "end" }, p === 100 ? "100 %" : String(p))]),
    ...marks.map(([at, label]) => h("text", { x: x(at), y: height - 5, "text-anchor": "middle" }, String(label))),
    cost > 0 ? h("line", { x1: x(0), y1: y(percent), x2: x(month), y2: y(0), className: "with" }) : h("g", {}),
    h("line", { x1: x(0), y1: y(percent), x2: x(years), y2: y(0), className: "without" }),
    h("circle", { cx: x(0), cy: y(percent), r: 3.5, className: "here" }));
}
