// The staged transfer over time: one column per heartbeat window, built from cells of
// so many blocks each; what was sent again on top; the time the device was told to
// wait as a dotted line to the next column; windows still to come as outlines;
// a window in which the hub stopped hatched.

import { attr, h } from "./dom.js";
import { count, dayAndTime, dayOnly, duration, hourMinute, plural, sameDay } from "./format.js";
import { hatched, palette } from "./strip.js";

const height = 176;
const axis = 26;
const head = 16;
const cell = 6;
const cellGap = 1.5;
const floor = height - axis;

const steps = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080].map((m) => m * 60_000);

/** sentence says what happened in a window. */
export function sentence(w, what = "Window") {
  const parts = [`${what} ${w.number}, ${dayAndTime(Date.parse(w.opened_at))}: ${plural(w.blocks, "block")}`];
  if (w.bytes) parts.push(`bytes ${count(w.from)} to ${count(w.to)}`);
  if (w.repeats) parts.push(`${count(w.repeats)} sent again`);
  if (w.resumed_offset !== null && w.resumed_offset !== undefined) parts.push(`went on at byte ${count(w.resumed_offset)} after a break`);
  if (w.radio_on_s) parts.push(`radio on for ${w.radio_on_s.toFixed(2)} s`);
  if (w.interrupted) parts.push("interrupted: the rest is not recorded");
  if (w.wait_s) parts.push(`told to wait ${duration(w.wait_s * 1000)} (WAIT_FOR_DATA)`);
  else if (w.open) parts.push("open now");
  return parts.join(" · ");
}

export class Windows {
  #canvas = h("canvas", { "aria-hidden": "true" });
  #timeline = null;
  #update = null;
  #selected = 0;
  #columns = []; // what is where: {number, x, width}
  #period = 1_800_000;
  #drawn = "";
  #onSelect;

  /** onSelect gets the number of a window, or 0 for none. */
  constructor({ onSelect, clock }) {
    this.#onSelect = onSelect;
    this.clock = clock;
    this.el = h("div", {
      className: "windows", role: "slider", tabindex: "0", "aria-label": "Heartbeat windows; arrow keys go from one to the next",
      "aria-valuemin": 0, "aria-valuemax": 0, "aria-valuenow": 0, "aria-valuetext": "none chosen",
      onpointermove: (e) => onSelect(this.#at(e)), onpointerleave: () => onSelect(0),
      onpointerdown: (e) => onSelect(this.#at(e)),
      onkeydown: (e) => this.#key(e), onblur: () => onSelect(0),
    }, this.#canvas);
    new ResizeObserver(() => this.redraw()).observe(this.el);
  }

  update(timeline, update, selected, period) {
    this.#timeline = timeline;
    this.#update = update;
    this.#selected = selected;
    this.#period = period || 1_800_000;
    const last = timeline.windows.at(-1)?.number ?? 0;
    const chosen = timeline.windows.find((w) => w.number === selected);
    attr(this.el, "aria-valuemin", timeline.windows[0]?.number ?? 0);
    attr(this.el, "aria-valuemax", last);
    attr(this.el, "aria-valuenow", selected || last);
    attr(this.el, "aria-valuetext", chosen ? sentence(chosen) : `${plural(timeline.windows.length, "window")}, none chosen`);
    this.#draw();
  }

  redraw() {
    this.#drawn = "";
    this.#draw();
  }

  /** tick moves the line of the present, twice a second at most. */
  tick() { this.#draw(); }

  #at(e) {
    const x = e.clientX - this.#canvas.getBoundingClientRect().left;
    let best = 0;
    let distance = 24;
    for (const c of this.#columns) {
      const d = Math.abs(x - c.x - c.width / 2);
      if (d < distance) [best, distance] = [c.number, d];
    }
    return best;
  }

  #key(e) {
    const numbers = this.#timeline?.windows.map((w) => w.number) ?? [];
    if (numbers.length === 0) return;
    const i = numbers.indexOf(this.#selected);
    const to = {
      ArrowRight: i < 0 ? 0 : i + 1, ArrowUp: i + 1, ArrowLeft: i < 0 ? numbers.length - 1 : i - 1, ArrowDown: i - 1,
      Home: 0, End: numbers.length - 1,
    }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    this.#onSelect(numbers[Math.max(0, Math.min(numbers.length - 1, to))]);
  }

  // scale returns the span of time shown, and where an instant is in it.
  #scale(width) {
    const t = this.#timeline;
    const now = this.clock.now();
    const first = t.windows.length ? Date.parse(t.windows[0].opened_at) : now;
    const lastWindow = t.windows.length ? Date.parse(t.windows.at(-1).opened_at) : now;
    const expected = this.#update?.expected_at ? Date.parse(this.#update.expected_at) : 0;
    const waiting = this.#update?.waiting?.until ? Date.parse(this.#update.waiting.until) : 0;
    const open = this.#update && !["activated", "failed", "cancelled", "superseded", "transferred", "activating", "dated"].includes(this.#update.state);
    const from = first - this.#period * 0.5;
    let to = Math.max(lastWindow + this.#period * 0.75, expected + (expected ? this.#period * 0.5 : 0));
    if (open) to = Math.max(to, now + this.#period * 0.25, Math.min(waiting, now + this.#period * 2) + this.#period * 0.25);
    to = Math.max(to, from + this.#period * 5);
    return { from, to, now, open, x: (at) => ((at - from) / (to - from)) * width };
  }

  #draw() {
    const width = this.el.clientWidth;
    const t = this.#timeline;
    if (!t || width === 0) return;
    const s = this.#scale(width);
    const ratio = devicePixelRatio;
    const nowX = Math.round(s.x(s.now));
    const state = `${t.device} ${t.image} ${t.revision} ${width} ${ratio} ${this.#selected} ${this.#update?.expected_at} ${this.#update?.state} ${s.open ? nowX : ""} ${Math.round(s.to / 60_000)}`;
    if (state === this.#drawn) return;
    this.#drawn = state;
    const canvas = this.#canvas;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const c = canvas.getContext("2d");
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, width, height);
    const colour = palette(this.el);
    c.font = `12px ${getComputedStyle(this.el).fontFamily}`;
    this.#axis(c, s, width, colour);
    this.#windows(c, s, width, colour);
    if (s.open && nowX <= width) this.#present(c, nowX, colour);
  }

  #axis(c, s, width, colour) {
    const room = Math.max(2, Math.floor(width / 84));
    const step = steps.find((v) => (s.to - s.from) / v <= room) ?? steps.at(-1);
    c.fillStyle = colour.line;
    c.fillRect(0, floor + 0.5, width, 1);
    const offset = new Date(s.from).getTimezoneOffset() * 60_000;
    let previous = 0;
    for (let at = Math.ceil((s.from - offset) / step) * step + offset; at < s.to; at += step) {
      const x = Math.round(s.x(at));
      if (x < 18 || x > width - 18) continue;
      c.fillStyle = colour.line;
      c.fillRect(x, floor + 1, 1, 5);
      c.fillStyle = colour.label;
      c.textAlign = "center";
      const newDay = previous && !sameDay(previous, at);
      c.fillText(newDay || step >= 86_400_000 ? dayOnly(at) : hourMinute(at), x, height - 5);
      previous = at;
    }
  }

  #windows(c, s, width, colour) {
    const list = this.#timeline.windows;
    const pitch = ((width * this.#period) / (s.to - s.from));
    const w = Math.max(3, Math.min(30, Math.floor(pitch * 0.62)));
    const most = Math.max(1, ...list.map((x) => x.blocks + x.repeats));
    const room = Math.floor((floor - head) / (cell + cellGap));
    const unit = unitFor(most / room);
    this.unit = unit;
    this.#columns = [];
    for (const x of list) {
      const left = Math.round(s.x(Date.parse(x.opened_at)) - w / 2);
      this.#columns.push({ number: x.number, x: left, width: w });
      if (x.wait_s) {
        const until = Math.min(width, s.x(Date.parse(x.opened_at) + x.wait_s * 1000) - w / 2 - 3);
        dots(c, left + w + 3, until, colour.wait);
      }
      this.#column(c, x, left, w, unit, colour);
    }
    if (s.open) this.#coming(c, s, w, unit, colour);
  }

  #column(c, x, left, w, unit, colour) {
    const cells = Math.ceil(x.blocks / unit);
    const again = x.repeats ? Math.max(1, Math.round(x.repeats / unit)) : 0;
    const chosen = x.number === this.#selected;
    for (let i = 0; i < cells + again; i++) {
      const y = floor - (i + 1) * (cell + cellGap);
      const part = i === cells - 1 ? (x.blocks - (cells - 1) * unit) / unit : 1;
      c.fillStyle = i >= cells ? colour.repeated : chosen ? colour.chosen : x.open ? colour.open : x.number % 2 ? colour.served : colour.servedToo;
      c.fillRect(left, y + (i < cells ? cell * (1 - Math.max(0.25, part)) : 0), w, i < cells ? cell * Math.max(0.25, part) : cell);
    }
    if (x.interrupted) {
      c.fillStyle = hatched(c, colour);
      c.fillRect(left, floor - (cells + again + 2) * (cell + cellGap), w, 2 * (cell + cellGap) - cellGap);
    }
    if (x.resumed_offset !== null && x.resumed_offset !== undefined) {
      c.fillStyle = colour.resumed;
      c.beginPath();
      c.moveTo(left + w / 2, floor + 3);
      c.lineTo(left + w / 2 - 4, floor + 9);
      c.lineTo(left + w / 2 + 4, floor + 9);
      c.fill();
    }
    if (chosen) {
      c.fillStyle = colour.label;
      c.textAlign = "center";
      c.fillText(String(x.number), left + w / 2, Math.max(11, floor - (cells + again) * (cell + cellGap) - 5));
    }
  }

  // coming outlines the windows that the hub expects.
  #coming(c, s, w, unit, colour) {
    const u = this.#update;
    const full = this.#timeline.windows.filter((x) => !x.open && x.blocks > 0);
    if (!u?.windows_left || full.length === 0) return;
    const left = Math.ceil((u.size - (u.offset ?? 0)) / this.#timeline.block_size);
    const perWindow = Math.ceil(left / u.windows_left);
    const last = Date.parse(u.expected_at);
    c.strokeStyle = colour.line;
    c.lineWidth = 1;
    for (let i = 0; i < u.windows_left; i++) {
      const at = last - i * this.#period;
      if (at < s.now) break;
      const x = Math.round(s.x(at) - w / 2) + 0.5;
      const blocks = i === 0 ? left - perWindow * (u.windows_left - 1) : perWindow;
      const tall = Math.max(cell, Math.ceil(Math.max(1, blocks) / unit) * (cell + cellGap) - cellGap);
      c.strokeRect(x, Math.round(floor - cellGap - tall) + 0.5, w - 1, Math.round(tall) - 1);
    }
  }

  #present(c, x, colour) {
    c.fillStyle = colour.now;
    c.fillRect(x, head - 4, 1, floor - head + 8);
    c.beginPath();
    c.arc(x + 0.5, head - 4, 3, 0, 2 * Math.PI);
    c.fill();
  }
}

/** unitFor returns a round number of blocks per cell. */
export function unitFor(least) {
  for (let power = 1; ; power *= 10) {
    for (const m of [1, 2, 3, 4, 5, 6, 8]) if (m * power >= least) return m * power;
  }
}

function dots(c, from, to, colour) {
  c.fillStyle = colour;
  for (let x = from; x <= to; x += 5) c.fillRect(x, floor - 4, 2, 2);
}
