// One connection to the hub's events for all tabs of a browser, which has six for one
// address: the seventh tab would wait for ever. One tab leads and has the connection; the
// others hear from it. The browser hands the lead on when that tab goes. A tab that is hidden
// lets go. Where a browser shares nothing (a page that is neither on this machine nor over
// TLS), each tab that is seen has a connection of its own.

import { Stream, hiddenFor } from "./stream.js";

const name = "commshub events";
const quiet = 30_000; // the leader says something at least every 15 s, as the hub does
const beat = 5_000;

/** SharedStream is a Stream for all tabs: the same handlers are called; onState with "away" too, when events may be missed until the next hello. */
export class SharedStream {
  #id = String(Math.random());
  #types;
  #handlers;
  #channel = null;
  #turn = null; // what ends the waiting for the lead
  #release = null; // ends the lead
  #own = null; // the connection of the one that leads
  #hello = null; // of the connection, for those who come later
  #state = "";
  #last = "";
  #joined = false;
  #hide = 0;
  #watchdog = 0;
  #beaten = 0;

  constructor(types, handlers) {
    this.#types = types;
    this.#handlers = handlers;
    document.addEventListener("visibilitychange", () => this.#look());
    this.#join();
    this.#look();
  }

  /** retry connects at once, if a pause is being made. */
  retry() { this.#own?.retry(); }

  #look() {
    clearTimeout(this.#hide);
    if (document.hidden) this.#hide = setTimeout(() => this.#leave(), hiddenFor);
    else if (!this.#joined) this.#join();
  }

  #join() {
    this.#joined = true;
    if (!navigator.locks || typeof BroadcastChannel === "undefined") {
      this.#lead();
      return;
    }
    this.#channel = new BroadcastChannel(name);
    this.#channel.onmessage = ({ data }) => this.#hear(data);
    this.#channel.postMessage({ kind: "who", from: this.#id });
    this.#wait({});
    this.#listen();
  }

  // wait leads as soon as nobody else does.
  #wait(options) {
    if (!options.steal) {
      this.#turn = new AbortController();
      options.signal = this.#turn.signal;
    }
    navigator.locks.request(name, options, () => new Promise((release) => {
      this.#release = release;
      this.#lead();
    })).catch(() => { // it left before its turn, or the lead was taken from it while it stood still
      if (!this.#own) return;
      this.#drop();
      this.#wait({});
      this.#listen();
    });
  }

  #leave() {
    this.#joined = false;
    this.#handlers.onState("away");
    this.#turn?.abort();
    this.#drop();
    this.#channel?.close();
    this.#channel = null;
  }

  #drop() {
    clearTimeout(this.#watchdog);
    this.#own?.close();
    this.#own = null;
    this.#release?.();
    this.#release = null;
  }

  #lead() {
    clearTimeout(this.#watchdog);
    // What happened since the one before was closed nobody heard: all read at the next hello.
    this.#tell({ kind: "state", state: "away" });
    this.#handlers.onState("away");
    this.#own = new Stream(this.#types, {
      last: this.#last,
      onEvent: (type, data, id) => {
        if (type === "hello") this.#hello = data;
        this.#tell({ kind: "event", type, data, id });
        this.#take(type, data, id);
      },
      onState: (state) => {
        this.#state = state;
        this.#tell({ kind: "state", state });
        this.#handlers.onState(state);
      },
      onHeard: () => {
        if (Date.now() - this.#beaten < beat) return;
        this.#beaten = Date.now();
        this.#tell({ kind: "beat" });
      },
    });
  }

  #tell(message) { this.#channel?.postMessage(message); }

  #take(type, data, id) {
    if (id) this.#last = id;
    this.#handlers.onEvent(type, data);
  }

  // hear takes what another tab says.
  #hear(message) {
    if (message.kind === "who") {
      if (!this.#own || !this.#state) return;
      const to = message.from;
      this.#tell({ kind: "state", state: this.#state, to });
      if (this.#state === "live" && this.#hello) this.#tell({ kind: "event", type: "hello", data: this.#hello, id: "", to });
      return;
    }
    if (this.#own || (message.to && message.to !== this.#id)) return;
    this.#listen();
    if (message.kind === "state") this.#handlers.onState(message.state);
    if (message.kind === "event") this.#take(message.type, message.data, message.id);
  }

  // listen takes the lead from a tab that says nothing: browsers stop tabs.
  #listen() {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => {
      if (this.#joined && !this.#own) {
        this.#turn?.abort();
        this.#wait({ steal: true });
      }
    }, quiet);
  }
}
