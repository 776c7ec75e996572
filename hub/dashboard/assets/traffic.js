// What goes over the HAN, decoded, as it happens.

import { get } from "./api.js";
import { attr, h, show, text } from "./dom.js";
import { count, eui, kindName, stamp, timeOfDay } from "./format.js";
import { Stream } from "./stream.js";

const kept = 2000; // frames in memory
const shown = 300; // rows on the page

export class Traffic {
  title = "Traffic";
  #frames = []; // oldest first
  #stream = null;
  #paused = false;
  #skipped = 0;
  #dirty = false;
  #rows = new Map();
  #filter = { words: "", device: "", cluster: "", direction: "" };

  constructor(home) {
    this.home = home;
    this.rows = h("tbody", {});
    this.pause = h("button", { type: "button", "aria-pressed": "false", onclick: () => this.#togglePause() }, "Pause");
    this.save = h("a", { className: "button", href: "/v1/capture", download: "" }, "Save for Wireshark");
    this.said = h("p", { className: "age", role: "status" });
    this.nothing = h("p", { className: "nothing" });
    const pair = (label, control) => h("span", { className: "pair" }, label, control);
    const select = (id, label, options, name) => {
      const el = h("select", { id, onchange: (e) => this.#set(name, e.target.value) }, options.map(([value, what]) => h("option", { value }, what)));
      return [pair(h("label", { for: id }, label), el), el];
    };
    const [deviceFilter, device] = select("frames-device", "Device", [["", "all"]], "device");
    this.device = device;
    this.cluster = h("select", { id: "frames-cluster", onchange: (e) => this.#set("cluster", e.target.value) }, h("option", { value: "" }, "all"));
    this.el = h("div", { className: "page" },
      h("header", { className: "head" }, h("h1", {}, "HAN traffic"),
        h("p", {}, "Every frame that passes the hub, decoded. The hub keeps the newest 2,000; they can be saved for Wireshark, of one device or of all.")),
      h("div", { className: "filters" },
        pair(h("label", { for: "frames-words" }, "Find"), h("input", { id: "frames-words", type: "search", placeholder: "command, detail or hex", oninput: (e) => this.#set("words", e.target.value.toLowerCase()) })),
        deviceFilter, pair(h("label", { for: "frames-cluster" }, "Cluster"), this.cluster),
        select("frames-direction", "Way", [["", "both"], ["up", "to the hub"], ["down", "from the hub"]], "direction")[0], this.pause, this.save),
      this.said,
      h("div", { className: "scroll traffic", tabindex: "0", role: "region", "aria-label": "Frames, newest first" }, h("table", {},
        h("thead", {}, h("tr", {}, ["At", "Device", "Way", "Cluster", "Command", "Detail", "Bytes"].map((t) => h("th", { scope: "col" }, t)))), this.rows)),
      this.nothing);
  }

  /** open is called when the view is shown, close when another one is. */
  async open() {
    const page = await get(`/v1/traffic?limit=${shown}`).catch(() => null);
    if (page) this.#take(page.frames);
    this.#stream ??= new Stream("traffic", { onEvent: (type, data) => {
      if (type === "traffic") {
        this.#skipped += data.skipped ?? 0;
        this.#take(data.frames);
      } else if (type === "lost") this.#skipped += data.missed ?? 0;
    } });
  }

  close() {
    this.#stream?.close();
    this.#stream = null;
  }

  #take(frames) {
    const newest = this.#frames.at(-1)?.id ?? 0;
    if (frames.length && frames.at(-1).id < newest) this.#frames = []; // the hub was restarted and counts anew
    const last = this.#frames.at(-1)?.id ?? 0;
    for (const f of frames) if (f.id > last) this.#frames.push(f);
    if (this.#frames.length > kept) this.#frames.splice(0, this.#frames.length - kept);
    for (const f of frames) this.#addCluster(f);
    this.#dirty = true;
  }

  #addCluster(f) {
    if ([...this.cluster.options].some((o) => o.value === f.cluster)) return;
    this.cluster.append(h("option", { value: f.cluster }, f.cluster_name || f.cluster));
  }

  #set(name, value) {
    this.#filter[name] = value;
    if (name === "device") attr(this.save, "href", `/v1/capture${value ? `?device=${value}` : ""}`);
    this.#fill();
  }

  #togglePause() {
    this.#paused = !this.#paused;
    attr(this.pause, "aria-pressed", String(this.#paused));
    text(this.pause, this.#paused ? "Go on" : "Pause");
    if (!this.#paused) this.#fill();
    this.#say();
  }

  #fits(f) {
    const { words, device, cluster, direction } = this.#filter;
    return (!device || f.device === device) && (!cluster || f.cluster === cluster) && (!direction || f.direction === direction)
      && (!words || `${f.name} ${f.detail} ${f.cluster_name} ${f.hex} ${f.error ?? ""}`.toLowerCase().includes(words));
  }

  update() {
    const options = [...this.home.devices.values()];
    if (this.device.options.length !== options.length + 1) {
      this.device.replaceChildren(h("option", { value: "" }, "all"), ...options.map((d) => h("option", { value: d.eui64 }, `${kindName(d.kind)} ${d.eui64.slice(-4)}`)));
      this.device.value = this.#filter.device;
    }
    this.tick();
  }

  tick() {
    if (!this.#dirty) return;
    this.#dirty = false;
    if (!this.#paused) this.#fill();
    this.#say();
  }

  #say() {
    const parts = [`${count(this.#frames.length)} frames here`];
    if (this.#skipped) parts.push(`${count(this.#skipped)} passed too fast to be sent to this page`);
    if (this.#paused) parts.push("paused; frames go on being collected");
    text(this.said, `${parts.join("; ")}.`);
  }

  #fill() {
    const wanted = [];
    for (let i = this.#frames.length - 1; i >= 0 && wanted.length < shown; i--) if (this.#fits(this.#frames[i])) wanted.push(this.#frames[i]);
    const keep = new Set(wanted.map((f) => f.id));
    for (const [id, el] of this.#rows) {
      if (keep.has(id)) continue;
      el.remove();
      this.#rows.delete(id);
    }
    let at = this.rows.firstElementChild;
    for (const f of wanted) {
      let el = this.#rows.get(f.id);
      if (el && el === at) {
        at = at.nextElementSibling;
        continue;
      }
      el ??= this.#row(f);
      this.rows.insertBefore(el, at);
    }
    show(this.nothing, wanted.length === 0);
    text(this.nothing, this.#frames.length ? "No frame fits the filters." : "Nothing yet. A mains meter speaks at once, a gas meter at its next heartbeat.");
  }

  #row(f) {
    const device = this.home.devices.get(f.device);
    const at = h("time", {});
    stamp(at, Date.parse(f.at), timeOfDay);
    const name = f.name || "not decoded";
    const hex = h("code", { className: "hex", hidden: true }, f.hex.replace(/(..)(?=.)/g, "$1 "));
    const fields = h("dl", { className: "fields", hidden: true });
    const open = h("button", { type: "button", className: "quiet open", "aria-expanded": "false", "aria-label": `${count(f.size)} bytes of ${name}`, onclick: async () => {
      show(hex, hex.hidden);
      show(fields, !hex.hidden);
      attr(open, "aria-expanded", String(!hex.hidden));
      if (fields.childElementCount) return;
      const frame = await get(`/v1/traffic/${f.id}`).catch(() => null); // an old frame is not kept; its bytes are here
      if (frame && frame.hex === f.hex) fields.replaceChildren(...lines(frame.fields, 0));
    } }, count(f.size));
    const row = h("tr", { "data-way": f.direction, "data-bad": Boolean(f.error) },
      h("td", {}, at), h("td", { title: eui(f.device) }, device ? kindName(device.kind) : eui(f.device)),
      h("td", {}, f.direction === "up" ? "→ hub" : "← hub"), h("td", {}, f.cluster_name || f.cluster), h("td", {}, name),
      h("td", { className: "long" }, f.error ? `${f.detail ? `${f.detail}; ` : ""}${f.error}` : f.detail, hex, fields), h("td", {}, open));
    this.#rows.set(f.id, row);
    return row;
  }
}

/** lines are fields of a frame, one in a line, each in a deeper column than what it is part of. */
function lines(fields, depth) {
  return fields.flatMap((f) => [
    h("dt", { "data-depth": depth, title: f.start === f.end ? "" : `bytes ${f.start} to ${f.end - 1}` }, f.name), h("dd", {}, f.value ?? ""),
    ...lines(f.fields ?? [], depth + 1),
  ]);
}
