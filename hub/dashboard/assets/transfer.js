// One update as a person wants to see it: how far it is, why it waits, when it will
// be done, what it costs; window by window and block by block.

import { attr, clear, h, list, say, show, text } from "./dom.js";
import { charge, count, countdown, dayAndTime, days, duration, eui, hourMinute, kindName, percent, plural, sameDay, stamp } from "./format.js";
import { hasEnded, isBridged, updateKey } from "./home.js";
import { Strip } from "./strip.js";
import { Windows, sentence } from "./windows.js";

const stages = ["Offered", "Transfer", "Verified", "Ordered", "Running"];
const stageOf = { pending: 0, downloading: 1, transferred: 2, activating: 3, dated: 3, activated: 4 };

const headings = {
  query: "Offered; the device has not asked yet", band: "The band's duty cycle is spent", heartbeat: "Asleep until its next heartbeat", overdue: "The heartbeat is overdue", session: "No session with the hub", broker: "The hub has no broker",
  unheard: "Not heard of yet", verifying: "The device checks the image", order: "Waiting for your order",
  mailbox: "The order waits in the mailbox", idle: "It woke, and did not go on", response: "The device has the order", date: "Will switch at a set time",
};

const endings = {
  activated: "The device runs this version", failed: "The update failed", cancelled: "The update was cancelled",
  superseded: "Another image took its place",
};

export const stateNames = {
  pending: "offered", downloading: "transfer", transferred: "verified", activating: "activation ordered", dated: "activation dated",
  activated: "running", failed: "failed", cancelled: "cancelled", superseded: "superseded",
};

/** stateName says how an update stands; one whose version the device runs no more is not running. */
export function stateName(update, device) {
  return isReplaced(update, device) ? "replaced since" : (stateNames[update.state] ?? update.state);
}

const isReplaced = (update, device) => Boolean(update.state === "activated" && device?.firmware_version && device.firmware_version !== update.version);

/** versionText says which version an update is about, and which the device runs. */
export function versionText(u, runs) {
  if (u.state === "activated") return runs && runs !== u.version ? `${u.version}, replaced since by ${runs}` : `Runs ${u.version}`;
  return runs && runs !== u.version ? `${runs} → ${u.version}` : `Version ${u.version}`;
}

/** silence says since when a meter is silent, and since when that is more than late. */
const silence = (since, due) => `Silent since ${dayAndTime(Date.parse(since))}; its heartbeat was due ${dayAndTime(Date.parse(due))} and did not come.`;

/** waitText says what an update waits for, and since when its meter is silent, in the person's own time zone. */
export function waitText(w) {
  const said = w.code === "overdue" ? "" : capital(w.text.split("; the meter is silent")[0]);
  const sentence = said && !/[.!?]$/.test(said) ? `${said}.` : said;
  return [sentence, w.overdue_since && silence(w.silent_since, w.overdue_since)].filter(Boolean).join(" ");
}

export class Transfer {
  #update = null;
  #selected = 0;
  #frozen = 0;

  constructor(home, actions) {
    this.home = home;
    this.actions = actions;
    this.strip = new Strip({ onPoint: (window, block) => this.#select(window, block) });
    this.windows = new Windows({ clock: home.clock, onSelect: (n) => this.#select(n, -1) });
    this.el = this.#build();
  }

  #build() {
    const p = (this.parts = {
      title: h("h1", {}), id: h("span", { className: "id" }), versions: h("p", { className: "versions" }),
      big: h("span", { className: "big" }), of: h("span", { className: "of" }),
      whyHead: h("strong", {}), whyText: h("span", {}), left: h("span", { className: "countdown" }),
      stages: h("ol", { className: "stages", "aria-label": "Stages of the update" }, stages.map((s) => h("li", {}, h("span", {}, s)))),
      caption: h("p", { className: "caption" }), legend: h("ul", { className: "legend", "aria-label": "Legend" }),
      actions: h("div", { className: "actions" }), rows: h("tbody", {}), facts: h("dl", { className: "facts" }),
    });
    this.why = h("div", { className: "why" }, h("i", { className: "lamp", "aria-hidden": "true" }), h("p", {}, p.whyHead, " ", p.whyText), p.left);
    this.#buildFacts();
    this.#buildLegend();
    this.table = h("details", { className: "table-of", ontoggle: () => this.#fillTable() },
      h("summary", {}, "Windows as a table"), h("div", { className: "scroll", tabindex: "0", role: "region", "aria-label": "Windows as a table" }, h("table", {},
        h("thead", {}, h("tr", {}, ["Window", "Opened", "Blocks", "Sent again", "Bytes", "Radio on", "Told to wait", "Went on at"].map((t) => h("th", { scope: "col" }, t)))), p.rows)));
    this.bar = h("div", { className: "unseen", role: "progressbar", "aria-label": "Bytes served", "aria-valuemin": 0, "aria-valuemax": 100 });
    this.drawing = h("div", { className: "drawing" },
      h("h2", {}, "The image, block by block"), this.strip.el, h("h2", {}, "Heartbeat windows"), this.windows.el,
      h("div", { className: "under" }, p.caption, p.legend), this.table);
    return h("section", { className: "hero", "aria-label": "Staged transfer" },
      h("div", { className: "lead" },
        h("div", { className: "lead-text" }, h("div", { className: "who" }, p.title, p.id), p.versions,
          h("p", { className: "figure" }, p.big, p.of), this.bar),
        p.facts),
      this.why, p.stages, this.drawing, p.actions);
  }

  #buildFacts() {
    const fact = (name) => {
      const value = h("dd", {});
      this.parts.facts.append(h("div", {}, h("dt", {}, name), value));
      return value;
    };
    this.fact = {
      windows: fact("Windows"), blocks: fact("Blocks"), again: fact("Sent again"),
      done: fact("Complete"), next: fact("Next heartbeat"), cost: fact("Cost so far"),
    };
    this.time = { done: h("time", {}), doneIn: h("small", {}), next: h("time", {}), nextIn: h("small", {}) };
    this.fact.done.append(this.time.done, this.time.doneIn);
    this.fact.next.append(this.time.next, this.time.nextIn);
  }

  #buildLegend() {
    const item = (name, what) => h("li", {}, h("i", { className: `key ${name}`, "aria-hidden": "true" }), what);
    this.parts.unit = h("span", {});
    this.parts.legend.append(
      h("li", {}, h("i", { className: "key served", "aria-hidden": "true" }), h("i", { className: "key served-too", "aria-hidden": "true" }), this.parts.unit),
      item("again", "sent again"), item("waits", "told to wait (WAIT_FOR_DATA)"), item("resumed", "went on after a break"), item("coming", "expected"),
      (this.parts.missing = item("missing", "not recorded")));
  }

  show(update) {
    const before = this.#update;
    this.#update = update;
    if (!before || updateKey(before) !== updateKey(update)) {
      this.#selected = 0;
      this.table.open = false;
      clear(this.parts.rows);
    } else if (before.state !== update.state) say(`${kindName(update.kind)}: ${stateName(update, this.home.devices.get(update.device))}`);
    this.#showHead(update);
    this.#showFacts(update);
    this.#showStages(update);
    this.#showActions(update);
    this.#showDrawing();
    this.tick();
  }

  #showHead(u) {
    const p = this.parts;
    const device = this.home.devices.get(u.device);
    text(p.title, kindName(u.kind));
    text(p.id, eui(u.device));
    text(p.versions, versionText(u, device?.firmware_version));
    const known = u.offset !== undefined || ["transferred", "activating", "dated", "activated"].includes(u.state);
    const got = ["transferred", "activating", "dated", "activated"].includes(u.state) ? u.size : (u.offset ?? 0);
    text(p.big, known ? `${percent(got, u.size)} %` : "– %");
    text(p.of, known ? `${count(got)} of ${count(u.size)} bytes` : `of ${count(u.size)} bytes; the hub was interrupted, and the device has not asked since`);
    attr(this.bar, "aria-valuenow", known ? percent(got, u.size) : null);
    attr(this.bar, "aria-valuetext", p.of.textContent);
    attr(this.el, "data-state", u.state);
  }

  #showFacts(u) {
    const f = this.fact;
    const open = !hasEnded(u) && stageOf[u.state] < 2;
    const total = Math.ceil(u.size / (u.block_size || this.home.hub.block_size));
    text(f.windows, u.windows_left && open ? `${count(u.windows)}, about ${count(u.windows_left)} to go` : count(u.windows));
    text(f.blocks, open ? `${count(u.blocks)} of ${count(total)}` : count(u.blocks));
    text(f.again, count(u.repeats));
    attr(f.again, "class", u.repeats ? "amber" : null);
    const b = this.home.battery(u.device);
    const cost = b?.update && (b.update.image ?? u.image) === u.image && b.update.version === u.version ? b.update : null;
    const soFar = cost ? charge(cost.charge_uah) + (cost.cost_days === undefined ? "" : `, ${days(cost.cost_days)} of life`) : u.kind === "ESME" ? "mains" : "not known to the hub";
    const more = u.expected && !u.expected.never ? `, about ${charge(u.expected.charge_uah)} to come` : "";
    text(f.cost, soFar + more);
  }

  #showStages(u) {
    const failed = u.state === "failed" || u.state === "cancelled" || u.state === "superseded";
    const at = failed ? ((u.offset ?? 0) < u.size ? 1 : 2) : stageOf[u.state];
    [...this.parts.stages.children].forEach((li, i) => {
      const done = i < at || u.state === "activated";
      attr(li, "data-is", done ? "done" : i === at ? (failed ? "failed" : "now") : "coming");
      attr(li, "aria-current", i === at && !failed ? "step" : null);
    });
  }

  #showActions(u) {
    const offered = u.state === "pending" || u.state === "downloading";
    const ordered = u.state === "transferred" && u.kind !== "BRIDGED"; // bridged devices switch by themselves
    const want = [
      ordered && ["Activate now", "primary", () => this.actions.activate(u)],
      ordered && ["Activate at a time…", "", () => this.actions.activateAt(u)],
      (u.state === "dated" || (u.state === "activating" && u.waiting?.code === "date")) && ["Cancel the activation", "", () => this.actions.cancelActivation(u)],
      offered && ["Cancel the update", "", () => this.actions.cancelUpdate(u)],
      hasEnded(u) && u.state !== "activated" && ["Distribute again…", "", () => this.actions.distribute(u.image)],
    ].filter(Boolean);
    list(this.parts.actions, want, ([name]) => `${updateKey(u)} ${name}`, ([name, className, onclick]) => h("button", { type: "button", className, onclick }, name));
    show(this.parts.actions, want.length > 0);
  }

  #select(n, block) {
    if (this.#frozen) cancelAnimationFrame(this.#frozen);
    this.#frozen = requestAnimationFrame(() => {
      this.#frozen = 0;
      if (n === this.#selected && block === this.block) return;
      this.#selected = n;
      this.block = block;
      this.#showDrawing();
    });
  }

  #showDrawing() {
    const u = this.#update;
    const t = this.home.timelines.get(updateKey(u));
    attr(this.drawing, "data-empty", t ? null : true);
    if (!t) {
      text(this.parts.caption, "The windows of this update are not known.");
      return;
    }
    const device = this.home.devices.get(u.device);
    this.windows.update(t, u, this.#selected, (device?.period_s ?? 1800) * 1000);
    this.strip.update(t, this.#selected);
    show(this.parts.missing, Boolean(t.not_recorded?.length) || t.windows.some((w) => w.interrupted));
    text(this.parts.unit, this.windows.unit > 1 ? `served; a cell of a column is ${count(this.windows.unit)} blocks, tones alternate by window` : "served, tones alternate by window");
    const w = t.windows.find((x) => x.number === this.#selected);
    text(this.parts.caption, w ? (this.block >= 0 ? `Block ${count(this.block + 1)} · ` : "") + sentence(w) : this.#caption(t, u));
    if (this.table.open) this.#fillTable();
  }

  #caption(t, u) {
    const of = `${plural(Math.ceil(t.size / t.block_size), "block")} of ${t.block_size} bytes`;
    if (t.earlier?.windows) return `${of}; ${plural(t.earlier.windows, "earlier window")} with ${plural(t.earlier.blocks, "block")} not shown one by one`;
    const missing = (t.not_recorded ?? []).reduce((sum, [from, to]) => sum + Math.ceil((to - from) / t.block_size), 0);
    if (missing) return `${of}; ${plural(missing, "block")} not recorded: the hub was interrupted`;
    if (t.windows.at(-1)?.interrupted) return `${of}; interrupted in window ${t.windows.at(-1).number}: what the hub served in it is not recorded`;
    if (t.windows.length === 0) return `${of}; none asked for yet`;
    return u.kind === "GSME" ? `${of}. Point at a window or a block to see what happened.` : `${of}. A meter on mains takes them at once.`;
  }

  #fillTable() {
    if (!this.table.open || !this.#update) return;
    const t = this.home.timelines.get(updateKey(this.#update));
    list(this.parts.rows, [...(t?.windows ?? [])].reverse(), (w) => w.number, () => h("tr", {}, Array.from({ length: 8 }, () => h("td", {}))), (row, w) => {
      const cells = row.children;
      text(cells[0], w.open ? `${w.number} (open)` : w.interrupted ? `${w.number} (interrupted: not recorded)` : w.number);
      if (!cells[1].firstChild) cells[1].append(h("time", {}));
      stamp(cells[1].firstChild, Date.parse(w.opened_at));
      text(cells[2], count(w.blocks));
      text(cells[3], count(w.repeats));
      text(cells[4], w.bytes ? `${count(w.from)} – ${count(w.to)}` : "–");
      text(cells[5], w.radio_on_s ? `${w.radio_on_s.toFixed(2)} s` : "–");
      text(cells[6], w.wait_s ? duration(w.wait_s * 1000) : "–");
      text(cells[7], w.resumed_offset === null || w.resumed_offset === undefined ? "–" : count(w.resumed_offset));
    });
  }

  /** tick brings what depends on the clock up to date. */
  tick() {
    const u = this.#update;
    if (!u) return;
    const now = this.home.clock.now();
    this.#tickWhy(u, now);
    this.#tickFacts(u, now);
    if (!this.home.stale && this.home.timelines.has(updateKey(u))) this.windows.tick();
  }

  #tickWhy(u, now) {
    const p = this.parts;
    const wait = u.waiting;
    if (hasEnded(u)) {
      text(p.whyHead, isReplaced(u, this.home.devices.get(u.device)) ? "Another version replaced this one." : `${endings[u.state]}.`);
      text(p.whyText, u.outcome ? capital(u.outcome) : "");
      text(p.left, "");
    } else if (wait) {
      text(p.whyHead, `${headings[wait.code] ?? capital(wait.text)}.`);
      text(p.whyText, this.#reason(u, wait));
      const until = wait.until ? Date.parse(wait.until) - now : 0;
      text(p.left, until > 0 ? this.#both(until) : "");
    } else {
      text(p.whyHead, u.state === "downloading" ? "Blocks are being served." : `${capital(stateNames[u.state])}.`);
      text(p.whyText, u.kind === "GSME" && u.state === "downloading" ? "The window is open." : (u.outcome ?? ""));
      text(p.left, "");
    }
    attr(this.why, "data-is", hasEnded(u) ? u.state : wait ? wait.code : "flowing");
  }

  #reason(u, wait) {
    const last = this.home.timelines.get(updateKey(u))?.windows.at(-1);
    if (wait.code === "heartbeat" && last?.wait_s) return "The last window's share is used up: the hub answered WAIT_FOR_DATA, and the meter saves its battery.";
    const said = waitText(wait);
    return headings[wait.code] === said.replace(/\.$/, "") ? "" : said;
  }

  #tickFacts(u, now) {
    const device = this.home.devices.get(u.device);
    const open = !hasEnded(u) && stageOf[u.state] < 2;
    const expected = open && u.expected_at ? Date.parse(u.expected_at) : NaN;
    attr(this.fact.done, "class", open && (u.expected?.late || u.expected?.never) ? "amber" : null);
    if (open && u.expected?.never) {
      stamp(this.time.done, null);
      text(this.time.done, "never at this pacing");
      text(this.time.doneIn, "");
    } else if (Number.isNaN(expected)) {
      const end = !open && u.changed_at ? Date.parse(u.changed_at) : null;
      stamp(this.time.done, end);
      if (end === null) text(this.time.done, !open ? "–" : ["overdue", "session", "broker"].includes(u.waiting?.code) ? "not foreseeable: nothing flows" : "not foreseeable yet");
      text(this.time.doneIn, "");
    } else {
      stamp(this.time.done, expected, sameDay(expected, now) ? hourMinute : dayAndTime);
      const when = expected > now ? ` in ${duration(expected - now)}${this.#real(expected - now)}${u.expected?.late ? ", after the deadline" : ""}` : " any moment";
      text(this.time.doneIn, u.expected?.doubt ? `${when}; ${u.expected.doubt}` : when);
    }
    const next = device?.next_heartbeat ? Date.parse(device.next_heartbeat) : NaN;
    if (!device?.sleeps) {
      text(this.time.next, !device ? "not in the device log" : isBridged(device) ? "a bridge speaks for it" : "always reachable");
      text(this.time.nextIn, "");
    } else if (device.awake) {
      text(this.time.next, "awake now");
      text(this.time.nextIn, "");
    } else if (device.overdue) {
      text(this.time.next, `overdue since ${dayAndTime(Date.parse(device.overdue_since))}`);
      text(this.time.nextIn, "");
    } else if (Number.isNaN(next)) {
      text(this.time.next, "not known yet");
      text(this.time.nextIn, "");
    } else {
      stamp(this.time.next, next, hourMinute);
      text(this.time.nextIn, next >= now ? ` in ${countdown(next - now)}` : " due");
    }
  }

  #real(ms) {
    const { speed } = this.home.clock;
    return speed === 1 ? "" : ` (${duration(this.home.clock.wall(ms))} real)`;
  }

  #both(ms) { return `${countdown(ms)}${this.#real(ms)}`; }

  /** redraw draws again, for instance in other colours. */
  redraw() {
    this.strip.redraw();
    this.windows.redraw();
  }
}

export const capital = (s) => (s ? s[0].toUpperCase() + s.slice(1) : "");
