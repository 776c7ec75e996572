// The hub's server-sent events, read with fetch rather than EventSource: only so can
// the page see the heartbeat comments, and tell a silent home from a hub that hangs.

import { harmless } from "./format.js";

const silence = 22_000; // the hub says something every 15 s
const firstPause = 300;
const longestPause = 3000;

/** parse calls yield for each event and each comment in a text/event-stream. */
export class Parser {
  #rest = "";
  #event = { type: "message", data: [], id: "" };

  feed(chunk, yieldEvent) {
    const lines = (this.#rest + chunk).split("\n");
    this.#rest = lines.pop();
    for (const raw of lines) {
      const line = raw.endsWith("\r") ? raw.slice(0, -1) : raw;
      if (line === "") this.#dispatch(yieldEvent);
      else if (!line.startsWith(":")) this.#field(line);
    }
  }

  #field(line) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.#event.type = value;
    else if (name === "data") this.#event.data.push(value);
    else if (name === "id") this.#event.id = value;
  }

  #dispatch(yieldEvent) {
    const { type, data, id } = this.#event;
    this.#event = { type: "message", data: [], id: "" };
    if (data.length > 0) yieldEvent({ type, id, data: JSON.parse(data.join("\n"), harmless) });
  }
}

/** hiddenFor is how long a page is hidden until it gives its connection up: a browser has six for one hub. */
export const hiddenFor = 10_000;

/**
 * Stream keeps a connection to /events until it is closed. It calls
 * onEvent for each event, with its id, and onState with "live" or "lost". It goes on behind
 * the event with the id last, if there is one.
 */
export class Stream {
  #controller = null;
  #closed = false;
  #last = "";
  #watchdog = 0;
  #wake = null;

  constructor(types, { onEvent, onState = () => {}, onHeard = () => {}, last = "" }) {
    this.types = types;
    this.onEvent = onEvent;
    this.onState = onState;
    this.onHeard = onHeard;
    this.#last = last;
    this.#run();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#watchdog);
    this.#controller?.abort();
    this.#wake?.();
  }

  /** retry connects at once, if a pause is being made. */
  retry() { this.#wake?.(); }

  async #run() {
    let pause = firstPause;
    while (!this.#closed) {
      const opened = await this.#connect();
      if (this.#closed) return;
      this.onState("lost");
      pause = opened ? firstPause : Math.min(longestPause, pause * 1.7);
      await new Promise((done) => {
        this.#wake = done;
        setTimeout(done, pause);
      });
      this.#wake = null;
    }
  }

  #heard() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#controller?.abort(), silence);
  }

  // connect reads one connection to its end, and tells whether it was one.
  async #connect() {
    this.#controller = new AbortController();
    this.#heard();
    let live = false;
    try {
      const query = new URLSearchParams({ types: this.types });
      if (this.#last) query.set("last_event_id", this.#last);
      const response = await fetch(`/events?${query}`, { signal: this.#controller.signal, cache: "no-store" });
      if (!response.ok) return false;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const parser = new Parser();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return live;
        this.#heard();
        this.onHeard();
        if (!live) {
          live = true;
          this.onState("live");
        }
        parser.feed(value, (e) => {
          if (e.id) this.#last = e.id;
          this.onEvent(e.type, e.data, e.id);
        });
      }
    } catch {
      return live; // the hub went away, or was silent for too long
    } finally {
      clearTimeout(this.#watchdog);
    }
  }
}
