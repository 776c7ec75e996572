// The page: which view is shown, what stands above it, and when it is brought up to date.

import { Actions } from "./actions.js";
import { Alerts } from "./alerts.js";
import { onTokenNeeded, takeToken } from "./api.js";
import { Battery } from "./battery.js";
import { askToken, toast } from "./dialogs.js";
import { attr, h, say, show, text } from "./dom.js";
import { Firmware } from "./firmware.js";
import { fullTime, stamp, timeOfDay, count } from "./format.js";
import { Home, pollEvery } from "./home.js";
import { Lab } from "./lab.js";
import { Meters } from "./meters.js";
import { Overview } from "./overview.js";
import { Traffic } from "./traffic.js";

const tickEvery = 100; // ms
const views = { "": Overview, meters: Meters, firmware: Firmware, battery: Battery, alerts: Alerts, traffic: Traffic, lab: Lab };
const names = { "": "Overview", meters: "Meters", firmware: "Firmware", battery: "Battery", alerts: "Alerts", traffic: "Traffic", lab: "Lab" };
const { theme } = globalThis;

const $ = (id) => document.getElementById(id);

class Page {
  #made = new Map();
  #view = null;
  #name = null;
  #dirty = new Set();
  #frame = 0;

  constructor() {
    this.home = new Home((topic) => this.#changed(topic));
    this.actions = new Actions(this.home);
    takeToken();
    onTokenNeeded(askToken);
    this.#buildNav();
    this.#buildTheme();
    $("clock-toggle").addEventListener("click", () => this.actions.clock(this.home.clock.paused ? "resume" : "pause"));
    $("clock-step").addEventListener("click", () => this.actions.clock("step"));
    addEventListener("hashchange", () => {
      takeToken();
      this.#route();
    });
    $("banner").addEventListener("click", (e) => { if (e.target.closest("button")) this.home.retry(); });
    setInterval(() => this.#tick(), tickEvery);
    this.home.start();
  }

  #buildNav() {
    this.links = new Map(Object.entries(names).map(([name, label]) => [name, h("a", { href: `#/${name}`, hidden: name === "lab" }, label)]));
    $("views").append(...this.links.values());
  }

  // theme.js, which runs before the first paint, keeps the choice.
  #buildTheme() {
    const button = $("theme");
    const said = () => {
      const name = `Colours: ${{ system: "as the system says", light: "light", dark: "dark" }[theme.chosen()]}`;
      attr(button, "aria-label", name);
      attr(button, "title", name);
    };
    button.addEventListener("click", () => {
      theme.next();
      said();
    });
    theme.changed = () => this.#view?.redraw?.();
    document.fonts?.ready.then(() => this.#view?.redraw?.());
    said();
  }

  #changed(topic) {
    this.#dirty.add(topic);
    if (topic === "restarted") toast("The hub was started again. Everything on this page has been read anew.");
    // Without frames, in a tab nobody sees, nothing is drawn.
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#refresh();
    });
  }

  #refresh() {
    const { home } = this;
    if (this.#dirty.has("connection") || this.#dirty.has("hub") || this.#dirty.has("clock")) this.#showConnection();
    this.#dirty.clear();
    if (!home.connection.everLive) return;
    show(this.links.get("lab"), Boolean(home.hub?.lab));
    if (this.#view === null) {
      this.#route();
      performance.mark("commshub-live");
    } else this.#view.update();
    this.#tick();
  }

  #route() {
    if (!this.home.connection.everLive) return;
    const wanted = /^#\/(\w*)/.exec(location.hash)?.[1] ?? "";
    const name = wanted in views && !(wanted === "lab" && !this.home.hub?.lab) ? wanted : "";
    if (name === this.#name) return;
    const first = this.#name === null;
    this.#view?.close?.();
    this.#name = name;
    if (!this.#made.has(name)) this.#made.set(name, new views[name](this.home, this.actions));
    this.#view = this.#made.get(name);
    for (const [n, a] of this.links) attr(a, "aria-current", n === name ? "page" : null);
    this.links.get(name).scrollIntoView?.({ block: "nearest", inline: "center" });
    $("main").replaceChildren(this.#view.el);
    document.title = name === "" ? "commshub" : `${this.#view.title} · commshub`;
    this.#view.update();
    this.#view.open?.();
    if (first) return;
    scrollTo(0, 0);
    $("main").focus({ preventScroll: true });
    say(this.#view.title);
  }

  #showConnection() {
    const { connection, broker, clock, hub } = this.home;
    const el = $("link-state");
    attr(el, "data-state", connection.state);
    text(el.lastElementChild, { connecting: "Connecting", live: "Live", polled: "Polling", lost: "Disconnected" }[connection.state]);
    el.title = hub ? `Hub ${hub.eui64}, version ${hub.version}, pacing ${hub.pacing}` : "";
    text($("clock-speed"), !clock.known ? "" : clock.paused ? "paused" : `×${count(clock.speed)}`);
    const toggle = $("clock-toggle");
    const does = clock.paused ? "Let the emulated clock run" : "Pause the emulated clock";
    attr(toggle, "aria-label", does);
    attr(toggle, "title", does);
    attr(toggle, "data-paused", String(clock.paused));
    show(toggle, clock.known);
    show($("clock-step"), clock.known && clock.paused);
    attr(document.body, "data-connection", connection.state);
    const banner = $("banner");
    const problem = connection.state === "lost" ? "lost" : this.home.stale ? "" : !broker ? "broker" : connection.state === "polled" ? "polled" : "";
    show(banner, problem !== "");
    if (banner.dataset.problem === problem) return;
    banner.dataset.problem = problem;
    const since = h("time", {});
    stamp(since, problem === "broker" ? Date.parse(this.home.brokerSince) : connection.since, timeOfDay);
    if (problem === "lost") {
      banner.replaceChildren(h("p", {}, h("strong", {}, "Disconnected. "), connection.everLive ? "The hub has not answered since " : "No hub has answered since ", since,
        connection.everLive ? "; what you see is from then. " : ". ", "Trying again all the time."), h("button", { type: "button" }, "Try now"));
    } else if (problem === "broker") {
      banner.replaceChildren(h("p", {}, h("strong", {}, "The hub has no broker"), " since ", since, ". It answers, but it reaches no device until its MQTT broker is back."));
    } else if (problem === "polled") {
      banner.replaceChildren(h("p", {}, h("strong", {}, "The hub's events do not come through. "), `The page asks the hub every ${pollEvery / 1000} s instead. More tabs may be open than the browser has connections for, or something between here and the hub holds the stream of events back.`));
    } else banner.replaceChildren();
    if (!connection.everLive && $("loading")) text($("loading"), problem === "lost" ? "No hub answers at this address. Is commshub hub running?" : this.home.trouble ? `The hub answers, but it cannot be read: ${this.home.trouble}. Trying again.` : "Asking the hub…");
  }

  #tick() {
    const { clock, stale } = this.home;
    if (document.hidden || !clock.known || stale) return;
    const time = $("clock-time");
    const now = clock.now();
    stamp(time, Math.floor(now / 1000) * 1000, timeOfDay);
    attr($("clock"), "title", `The emulated clock of the home: ${fullTime(now)}`);
    this.#view?.tick?.();
  }
}

new Page();
