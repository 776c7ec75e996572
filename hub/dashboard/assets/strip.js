// The image as a strip of blocks: each cell is one block, filling up from the left,
// column by column. Blocks of successive windows alternate in tone, so that one sees
// what came together; blocks that were sent again stand out; a notch marks where the
// device went on after a break; what was served while nobody could write it down is
// hatched.

import { h } from "./dom.js";

const pitches = [14, 12, 10, 9, 8, 7, 6, 5, 4, 3];
const notch = 7;
const narrow = 600;

/** layout finds the largest cells with which n of them fit. They are stretched to the whole width. */
export function layout(n, width, height) {
  for (const pitch of pitches) {
    const rows = Math.max(1, Math.floor(height / pitch));
    const columns = Math.ceil(n / rows);
    if (columns * pitch <= width) return { pitch, rows, columns, wide: width / columns };
  }
  // Too many for this height: it grows, of cells as small as can be told apart.
  const pitch = width < narrow ? 2 : pitches.at(-1);
  const rows = Math.ceil(n / Math.max(1, Math.floor(width / pitch)));
  const columns = Math.ceil(n / rows);
  return { pitch, rows, columns, wide: width / columns };
}

export class Strip {
  #canvas = h("canvas", { "aria-hidden": "true" });
  #grid = null;
  #drawn = "";
  #timeline = null;
  #selected = 0;

  /** onPoint gets the number of the window whose block the pointer is on, or 0. */
  constructor({ onPoint }) {
    this.el = h("div", { className: "strip" }, this.#canvas);
    this.el.addEventListener("pointermove", (e) => onPoint(this.#windowAt(e), this.#blockAt(e)));
    this.el.addEventListener("pointerleave", () => onPoint(0, -1));
    new ResizeObserver(() => this.#draw()).observe(this.el);
  }

  update(timeline, selected) {
    this.#timeline = timeline;
    this.#selected = selected;
    this.#draw();
  }

  /** redraw draws again, for instance in other colours. */
  redraw() {
    this.#drawn = "";
    this.#draw();
  }

  #blockAt(e) {
    const g = this.#grid;
    if (!g) return -1;
    const box = this.#canvas.getBoundingClientRect();
    const column = Math.floor((e.clientX - box.left) / g.wide);
    const row = Math.floor((e.clientY - box.top - notch) / g.pitch);
    if (column < 0 || column >= g.columns || row < 0 || row >= g.rows) return -1;
    const block = column * g.rows + row;
    return block < g.n ? block : -1;
  }

  #windowAt(e) {
    const block = this.#blockAt(e);
    if (block < 0) return 0;
    const at = block * this.#timeline.block_size;
    const w = this.#timeline.windows.findLast((w) => w.runs.some(([from, to]) => at >= from && at < to));
    return w?.number ?? 0;
  }

  #draw() {
    const t = this.#timeline;
    const width = this.el.clientWidth;
    if (!t || width === 0) return;
    const ratio = devicePixelRatio;
    const state = `${t.device} ${t.image} ${t.revision} ${width} ${ratio} ${this.#selected}`;
    if (state === this.#drawn) return;
    this.#drawn = state;
    const n = Math.max(1, Math.ceil(t.size / t.block_size));
    const g = { n, ...layout(n, width, width < narrow ? 120 : 84) };
    this.#grid = g;
    const height = g.rows * g.pitch + notch;
    this.#size(width, height, ratio);
    const c = this.#canvas.getContext("2d");
    c.setTransform(ratio, 0, 0, ratio, 0, 0);
    c.clearRect(0, 0, width, height);
    c.translate(0, notch);
    this.#paint(c, t, g, palette(this.el));
    this.#cut(c, g);
  }

  #size(width, height, ratio) {
    const canvas = this.#canvas;
    const w = Math.round(width * ratio);
    const h = Math.round(height * ratio);
    if (canvas.width !== w || canvas.height !== h) {
      canvas.width = w;
      canvas.height = h;
      canvas.style.height = `${height}px`;
      this.el.style.height = `${height}px`;
    }
  }

  #paint(c, t, g, colour) {
    c.fillStyle = colour.empty;
    fill(c, g, 0, g.n);
    const block = (offset) => Math.min(g.n, Math.ceil(offset / t.block_size));
    c.fillStyle = colour.served;
    for (const [from, to] of t.served ?? []) fill(c, g, Math.floor(from / t.block_size), block(to));
    c.fillStyle = hatched(c, colour);
    for (const [from, to] of t.not_recorded ?? []) fill(c, g, Math.floor(from / t.block_size), block(to));
    t.windows.forEach((w) => {
      const chosen = w.number === this.#selected;
      c.fillStyle = chosen ? colour.chosen : w.number % 2 ? colour.served : colour.servedToo;
      if (w.open && !chosen) c.fillStyle = colour.open;
      for (const [from, to] of w.runs) fill(c, g, Math.floor(from / t.block_size), block(to));
    });
    for (const w of t.windows) {
      c.fillStyle = colour.repeated;
      for (const offset of w.repeated ?? []) fill(c, g, Math.floor(offset / t.block_size), Math.floor(offset / t.block_size) + 1);
      if (w.resumed_offset === null || w.resumed_offset === undefined) continue;
      const x = Math.floor(Math.floor(w.resumed_offset / t.block_size) / g.rows) * g.wide;
      c.fillStyle = colour.resumed;
      c.beginPath();
      c.moveTo(x, -1);
      c.lineTo(x - 4, -notch);
      c.lineTo(x + 4, -notch);
      c.fill();
    }
  }

  // cut draws the gaps between the cells, which is less work than drawing each cell.
  #cut(c, g) {
    const gap = g.pitch >= 6 ? 1.5 : g.pitch >= 4 ? 1 : g.pitch >= 3 ? 0.75 : 0.4;
    c.globalCompositeOperation = "destination-out";
    c.fillStyle = "#000";
    for (let x = 1; x <= g.columns; x++) c.fillRect(x * g.wide - gap, 0, gap, g.rows * g.pitch);
    for (let y = 1; y <= g.rows; y++) c.fillRect(0, y * g.pitch - gap, g.columns * g.wide, gap);
    c.globalCompositeOperation = "source-over";
  }
}

// fill paints the cells [from, to), at most three rectangles whatever their number.
function fill(c, g, from, to) {
  if (to <= from) return;
  const first = Math.floor(from / g.rows);
  const last = Math.floor((to - 1) / g.rows);
  const column = (x, a, b) => c.fillRect(x * g.wide, a * g.pitch, g.wide, (b - a) * g.pitch);
  if (first === last) return column(first, from % g.rows, ((to - 1) % g.rows) + 1);
  column(first, from % g.rows, g.rows);
  c.fillRect((first + 1) * g.wide, 0, (last - first - 1) * g.wide, g.rows * g.pitch);
  return column(last, 0, ((to - 1) % g.rows) + 1);
}

/** hatched returns what is drawn for what is not recorded. */
export function hatched(c, colour) {
  const tile = h("canvas", { width: 6, height: 6 });
  const p = tile.getContext("2d");
  p.fillStyle = colour.empty;
  p.fillRect(0, 0, 6, 6);
  p.strokeStyle = colour.wait;
  p.lineWidth = 1.5;
  p.beginPath();
  for (const x of [-6, 0, 6]) {
    p.moveTo(x - 1, 7);
    p.lineTo(x + 7, -1);
  }
  p.stroke();
  return c.createPattern(tile, "repeat");
}

/** palette reads the colours of drawings from the style sheet. */
export function palette(el) {
  const style = getComputedStyle(el);
  const colour = (name) => style.getPropertyValue(`--draw-${name}`).trim();
  return {
    empty: colour("empty"), served: colour("served"), servedToo: colour("served-too"), open: colour("open"), chosen: colour("chosen"),
    repeated: colour("repeated"), resumed: colour("resumed"), line: colour("line"), label: colour("label"), now: colour("now"), wait: colour("wait"),
  };
}
