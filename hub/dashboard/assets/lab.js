// Faults on purpose, for a hub that was started with --lab.

import { change } from "./api.js";
import { field, toast } from "./dialogs.js";
import { attr, h, list, show, text } from "./dom.js";
import { count, eui, kindName } from "./format.js";
import { isMeter } from "./home.js";

export class Lab {
  title = "Lab";

  constructor(home) {
    this.home = home;
    this.cards = h("div", { className: "cards" });
    this.nothing = h("p", { className: "nothing" }, "The device log is empty: there is nothing to break. Add a device under Meters.");
    this.el = h("div", { className: "page" },
      h("header", { className: "head" }, h("h1", {}, "Lab"),
        h("p", {}, "Break things on purpose. Faults of a link act on the frames between the hub and one device, both ways, until they are healed.")),
      this.cards, this.nothing);
  }

  update() {
    const devices = [...this.home.devices.values()];
    list(this.cards, devices, (d) => d.eui64, (d) => new Bench(d).el, (el, d) => el.bench.update(d, this.home));
    show(this.nothing, devices.length === 0);
  }
}

const percentInput = () => h("input", { type: "number", min: 0, max: 100, step: "any", value: 0, required: true });

class Bench {
  constructor(d) {
    this.device = d;
    this.said = h("p", { className: "state", role: "status" });
    this.loss = percentInput();
    this.corruption = percentInput();
    this.delay = h("input", { type: "number", min: 0, max: 5000, step: 1, value: 0, required: true });
    this.heal = h("button", { type: "button", onclick: () => this.#send("DELETE", "link", undefined, "The link is healed.") }, "Heal");
    this.level = h("input", { type: "number", min: 0, max: 100, step: 1, value: 3, required: true });
    const faults = h("form", { onsubmit: (e) => {
      e.preventDefault();
      this.#send("PUT", "link", { loss_percent: Number(this.loss.value), corruption_percent: Number(this.corruption.value), delay_s: Number(this.delay.value) / 1000 }, "The fault is on.");
    } }, h("h3", {}, "Link"), h("div", { className: "row" }, field("Lost, %", this.loss), field("Corrupt, %", this.corruption), field("Delay, ms", this.delay)),
    h("div", { className: "buttons" }, this.heal, h("button", { type: "submit", className: "danger" }, "Break the link")));
    this.inside = h("div", {}, h("h3", {}, "Power"), h("p", { className: "age" }, "In the middle of whatever it does; it starts again by itself."),
      h("div", { className: "buttons" }, h("button", { type: "button", className: "danger", onclick: () => this.#send("POST", "power-cut", {}, "Its power was cut. It starts again by itself.") }, "Cut its power")));
    this.drain = h("form", { onsubmit: (e) => {
      e.preventDefault();
      this.#send("POST", "battery", { battery_left_percent: Number(this.level.value) }, "The battery is drained.");
    } }, h("h3", {}, "Battery"), h("div", { className: "row" }, field("Drain it to, %", this.level)),
    h("div", { className: "buttons" }, h("button", { type: "submit", className: "danger" }, "Drain it")));
    this.elsewhere = h("p", { className: "nothing" }, "It runs in a process of its own: to cut its power, kill that.");
    this.el = h("article", { className: "card", "aria-label": `${kindName(d.kind)} ${d.eui64}` },
      h("header", {}, h("h2", {}, kindName(d.kind)), h("span", { className: "id" }, eui(d.eui64))), this.said, faults, this.inside, this.drain, this.elsewhere);
    this.el.bench = this;
  }

  async #send(method, what, body, done) {
    try {
      await change(method, `/lab/devices/${this.device.eui64}/${what}`, body);
      toast(done);
    } catch (err) {
      toast(err.message, { bad: true });
    }
  }

  update(d, home) {
    this.device = d;
    const f = home.faults.find((x) => x.device === d.eui64);
    const on = f && (f.loss_percent || f.duplication_percent || f.reordering_percent || f.corruption_percent || f.delay_s);
    text(this.said, on ? `Losing ${f.loss_percent} %, corrupting ${f.corruption_percent} %, delaying ${f.delay_s * 1000} ms. So far ${count(f.struck.loss ?? 0)} lost, ${count(f.struck.corruption ?? 0)} corrupted, ${count(f.struck.delay ?? 0)} delayed.` : "The link is sound.");
    attr(this.el, "data-broken", Boolean(on));
    this.heal.disabled = !on;
    show(this.inside, Boolean(d.in_process));
    show(this.drain, Boolean(d.in_process) && d.kind === "GSME");
    show(this.elsewhere, !d.in_process && isMeter(d));
  }
}
