// What the page knows of the home. It is filled from the REST interface once, and
// kept true by events; whoever shows something is told which topics changed.

import { all, get } from "./api.js";
import { Clock } from "./clock.js";
import { SharedStream } from "./shared.js";

const types = "device,device-removed,image,image-removed,update,window,alert,messages,mirror,battery,clock,broker,lab,record";
const keptAlerts = 500;
const keptRecords = 200;
const historyPoints = 1500;
const patience = 6000; // ms without events after which the hub is asked instead
export const pollEvery = 3000;

const ended = new Set(["activated", "failed", "cancelled", "superseded"]);
export const hasEnded = (update) => ended.has(update.state);
export const updateKey = (u) => `${u.device} ${u.image}`;

export class Home {
  clock = new Clock();
  /** connection is what the page knows about the hub: connecting, live, polled (it answers, but its events cannot be had) or lost. */
  connection = { state: "connecting", since: Date.now(), everLive: false };
  /** trouble is why the hub could not be read, although it answers. */
  trouble = "";
  hub = null;
  deviceLogSize = 16;
  broker = true;
  brokerSince = undefined;
  devices = new Map();
  images = new Map();
  updates = new Map();
  timelines = new Map();
  messages = new Map();
  mirrors = new Map();
  histories = new Map();
  batteries = new Map();
  insides = new Map();
  alerts = []; // newest first
  records = []; // newest first
  faults = [];

  #changed;
  #buffer = null; // events that came while everything is being read
  #instance = "";
  #stream = null;
  #streaming = false;
  #reading = 0;
  #poll = 0;

  /** changed gets the name of each topic that changed. */
  constructor(changed) { this.#changed = changed; }

  start() {
    this.#stream = new SharedStream(types, {
      onEvent: (type, data) => this.#onEvent(type, data),
      onState: (state) => this.#onState(state),
    });
    this.#pollIn(patience);
  }

  /** retry asks for a connection now rather than in a moment. */
  retry() { this.#stream.retry(); }

  #onState(state) {
    if (this.#streaming && state !== "live") this.#pollIn(patience);
    this.#streaming = state === "live";
    if (state === "away") this.#instance = ""; // what happens meanwhile is read at the next hello
    if (this.connection.state === state) return;
    // Live only when what is shown is true, which is after reading: see #readAll.
    if (state === "lost" && this.connection.state !== "polled") this.#lose();
  }

  #lose() {
    if (this.connection.state === "lost") return;
    const { everLive } = this.connection;
    this.connection = { state: "lost", since: Date.now(), everLive };
    this.#changed("connection");
  }

  // pollIn asks the hub for everything, in a moment and then again and again, as long as its
  // events cannot be had: more tabs are open than the browser has connections for, or
  // something between page and hub holds a stream back, or refuses it.
  #pollIn(pause) {
    clearTimeout(this.#poll);
    this.#poll = setTimeout(async () => {
      if (this.#streaming) return;
      if (!document.hidden) await this.#readAll();
      if (!this.#streaming) this.#pollIn(pollEvery);
    }, pause);
  }

  #onEvent(type, data) {
    if (type === "hello") {
      this.clock.set(data.clock);
      const restarted = this.#instance !== "" && this.#instance !== data.instance;
      const fresh = this.#instance !== data.instance || this.connection.state !== "live";
      this.#instance = data.instance;
      if (restarted) this.#changed("restarted");
      if (fresh) this.#readAll();
      return;
    }
    if (type === "lost") this.#readAll();
    else if (this.#buffer) this.#buffer.push([type, data]);
    else this.#apply(type, data);
  }

  // readAll reads everything. Events that come meanwhile are applied afterwards:
  // they may be older than what was read, but then a newer one follows.
  async #readAll() {
    const turn = ++this.#reading;
    this.#buffer ??= [];
    try {
      const [hub, clock, log, images, updates, alerts, messages, mirrors] = await Promise.all([
        get("/v1/hub"), get("/v1/clock"), get("/v1/devices"), all("/v1/images", "images"), all("/v1/updates", "updates"),
        get("/v1/alerts?order=newest&limit=200"), all("/v1/messages", "messages"), all("/v1/mirror", "mirrors"),
      ]);
      if (turn !== this.#reading) return;
      this.hub = hub;
      this.broker = hub.broker_connected !== false;
      this.brokerSince = hub.broker_since_wall;
      this.clock.set(clock);
      const { devices } = log;
      this.deviceLogSize = log.max_entries;
      this.devices = new Map(devices.map((d) => [d.eui64, d]));
      this.images = new Map(images.map((im) => [im.sha256, im]));
      this.updates = new Map(updates.map((u) => [updateKey(u), u]));
      this.alerts = alerts.alerts;
      this.messages = Map.groupBy ? Map.groupBy(messages, (m) => m.device) : groupBy(messages, (m) => m.device);
      this.mirrors = new Map(mirrors.map((m) => [m.device, m]));
      this.histories.clear();
      this.timelines.clear();
      this.insides.clear();
      await Promise.all([
        ...this.currentUpdates().map((u) => this.readTimeline(u)),
        ...devices.filter((d) => d.sleeps).map((d) => this.#readBattery(d.eui64)),
        ...devices.filter((d) => d.in_process && isMeter(d)).map((d) => this.readInside(d.eui64)),
        hub.lab ? get("/lab/faults").then((f) => { this.faults = f?.faults ?? []; }) : null,
      ]);
    } catch (err) {
      this.trouble = err.message;
      if (turn === this.#reading && !this.#streaming && this.connection.state === "polled") this.#lose();
      this.#changed("connection");
      // A hub that went away says hello when it is back; one that is merely in trouble is asked again.
      setTimeout(() => { if (turn === this.#reading && this.#streaming) this.#readAll(); }, 1000);
      return;
    }
    if (turn !== this.#reading) return;
    const buffered = this.#buffer ?? [];
    this.#buffer = null;
    for (const [type, data] of buffered) this.#apply(type, data);
    this.trouble = "";
    if (!this.#streaming) {
      if (this.#instance !== "" && this.#instance !== this.hub.instance) this.#changed("restarted");
      this.#instance = this.hub.instance;
    }
    this.connection = { state: this.#streaming ? "live" : "polled", since: Date.now(), everLive: true };
    for (const topic of ["connection", "hub", "devices", "images", "updates", "timelines", "alerts", "messages", "mirrors", "batteries", "insides", "lab"]) {
      this.#changed(topic);
    }
  }

  #apply(type, data) {
    switch (type) {
      case "device": return this.#takeDevice(data);
      case "device-removed": return this.#dropDevice(data.eui64);
      case "image": this.images.set(data.sha256, data); return this.#changed("images");
      case "image-removed": this.images.delete(data.sha256); return this.#changed("images");
      case "update": return this.#takeUpdate(data);
      case "window": return this.#takeWindow(data);
      case "alert":
        this.alerts.unshift(data);
        this.alerts.length = Math.min(this.alerts.length, keptAlerts);
        return this.#changed("alerts");
      case "messages": return this.#readMessages(data.device);
      case "mirror": return this.#takeMirror(data);
      case "battery": this.batteries.set(data.device, data); return this.#changed("batteries");
      case "clock": this.clock.set(data); return this.#changed("clock");
      case "broker": this.broker = data.connected; this.brokerSince = data.since_wall; return this.#changed("connection");
      case "lab": this.faults = data.faults; return this.#changed("lab");
      case "record":
        this.records.unshift(data);
        this.records.length = Math.min(this.records.length, keptRecords);
        if (this.devices.get(data.node)?.in_process) this.#insideSoon(data.node);
        return this.#changed("records");
      default: return undefined; // of a newer hub
    }
  }

  #takeDevice(d) {
    const isNew = !this.devices.has(d.eui64);
    this.devices.set(d.eui64, d);
    if (isNew && d.sleeps) this.#readBattery(d.eui64);
    if (d.in_process && isMeter(d)) this.#insideSoon(d.eui64);
    this.#changed("devices");
  }

  #dropDevice(eui) {
    for (const map of [this.devices, this.messages, this.mirrors, this.histories, this.batteries, this.insides]) map.delete(eui);
    this.#changed("devices");
  }

  #takeUpdate(u) {
    const key = updateKey(u);
    const known = this.updates.has(key);
    this.updates.delete(key); // the newest stands last
    this.updates.set(key, u);
    if (!known) this.readTimeline(u);
    const t = this.timelines.get(key);
    if (t && t.block_size !== this.#blockSize(u)) Object.assign(t, { block_size: this.#blockSize(u), revision: t.revision + 1 });
    if (this.devices.get(u.device)?.in_process) this.#insideSoon(u.device);
    this.#changed("updates");
  }

  #takeWindow({ device, image, window }) {
    const t = this.timelines.get(updateKey({ device, image }));
    if (!t) return;
    let i = t.windows.length;
    while (i > 0 && t.windows[i - 1].number > window.number) i--;
    // From here on it is known what was served while nobody could write it down.
    if (window.resumed_offset !== undefined && t.windows[i - 1]?.resumed_offset !== window.resumed_offset) this.readTimeline({ ...this.updates.get(updateKey(t)), device, image });
    if (i > 0 && t.windows[i - 1].number === window.number) t.windows[i - 1] = window;
    else t.windows.splice(i, 0, window);
    t.revision = (t.revision ?? 0) + 1;
    this.#changed("timelines");
  }

  #takeMirror(m) {
    this.mirrors.set(m.device, m);
    const h = this.histories.get(m.device);
    if (h) {
      const value = (name) => m.attributes.find((a) => a.name === name)?.value;
      const register = value("CurrentSummationDelivered");
      if (register !== undefined && m.updated_at !== h.points.at(-1)?.at) h.points.push({ at: m.updated_at, register: Number(register) });
      if (h.points.length > historyPoints) h.points.shift();
    }
    this.#changed("mirrors");
  }

  // Inside is not an event: it is asked for again when something happened to the
  // meter, at most once in a while.
  #insideTimers = new Map();
  #insideSoon(eui) {
    if (this.#insideTimers.has(eui)) return;
    this.#insideTimers.set(eui, setTimeout(() => {
      this.#insideTimers.delete(eui);
      this.readInside(eui).catch(() => {}); // the stream notices a hub that went away
    }, 400));
  }

  async readInside(eui) {
    const inside = await get(`/v1/devices/${eui}/inside`);
    if (inside) this.insides.set(eui, inside);
    else this.insides.delete(eui);
    this.#changed("insides");
  }

  async #readBattery(eui) {
    const b = await get(`/v1/devices/${eui}/battery`).catch(() => null);
    if (b) this.batteries.set(eui, b);
    this.#changed("batteries");
  }

  async #readMessages(eui) {
    const list = await all(`/v1/messages?device=${eui}`, "messages").catch(() => null);
    if (list) this.messages.set(eui, list);
    this.#changed("messages");
  }

  /** readHistory reads the readings of a meter over time, once. */
  async readHistory(eui) {
    if (this.histories.has(eui)) return;
    this.histories.set(eui, { points: [] });
    const h = await get(`/v1/mirror/${eui}/history`).catch(() => null);
    if (h) this.histories.set(eui, h);
    else this.histories.delete(eui);
    this.#changed("mirrors");
  }

  /** readTimeline reads the windows of an update. */
  async readTimeline(u) {
    const t = await get(`/v1/updates/${u.device}/timeline?image=${u.image}`).catch(() => null);
    if (t) this.timelines.set(updateKey(u), { ...t, block_size: t.block_size || this.#blockSize(u), revision: 1 });
    this.#changed("timelines");
  }

  // blockSize is that of the update, or, before its first block, the most the hub sends.
  #blockSize(u) { return u.block_size || this.hub?.block_size || 48; }

  /** battery returns what is known of a device's battery. */
  battery(eui) {
    return this.batteries.get(eui);
  }

  /** currentUpdates returns each device's update in hand, or else its last one. */
  currentUpdates() {
    const byDevice = new Map();
    for (const u of this.updates.values()) {
      const have = byDevice.get(u.device);
      if (!have || hasEnded(have) || !hasEnded(u)) byDevice.set(u.device, u);
    }
    return [...byDevice.values()];
  }

  /** current returns the update of a device as currentUpdates does. */
  current(eui) { return this.currentUpdates().find((u) => u.device === eui); }

  /** stale tells whether what is shown may no longer be so. */
  get stale() { return this.connection.state !== "live" && this.connection.state !== "polled"; }
}

export const isMeter = (d) => d.kind === "GSME" || d.kind === "ESME";
/** isBridged tells whether a device is no member of the HAN; a bridge speaks for it. */
export const isBridged = (d) => d.kind === "BRIDGED";
/** takesFirmware tells whether an image can be distributed to a device. */
export const takesFirmware = (d) => isMeter(d) || isBridged(d);

function groupBy(items, key) {
  const m = new Map();
  for (const item of items) {
    const k = key(item);
    if (!m.has(k)) m.set(k, []);
    m.get(k).push(item);
  }
  return m;
}
