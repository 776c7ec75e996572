// How figures and times are written, in one place.

const number = new Intl.NumberFormat("en-GB");
const kinds = {
  ESME: "Electricity meter", GSME: "Gas meter", IHD: "In-home display",
  PPMID: "Prepayment display", CAD: "Consumer access device", HCALCS: "Load switch",
  BRIDGED: "Bridged device",
};

// hidden are characters that do not print, or that change the order in which others do.
const hidden = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\u2028\u2029]/gu;

/** harmless is a reviver of JSON: text of others comes in as what can be shown on one line. */
export const harmless = (_, value) => (typeof value === "string"
  ? value.replace(hidden, (c) => `\\u{${c.codePointAt(0).toString(16)}}`) : value);

export const count = (n) => number.format(n);
export const kindName = (kind) => kinds[kind] ?? kind;
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** eui writes an EUI64 in groups of four. */
export const eui = (s) => s?.replace(/(....)(?=.)/g, "$1 ") ?? "";

export function bytes(n) {
  if (n < 10_000) return `${count(n)} bytes`;
  if (n < 10_000_000) return `${count(Math.round(n / 100) / 10)} kB`;
  return `${count(Math.round(n / 100_000) / 10)} MB`;
}

/** percent never says 100 before all is there, nor 0 once something is. */
export function percent(part, whole) {
  if (!whole) return 0;
  if (part >= whole) return 100;
  const p = Math.floor((part / whole) * 100);
  return p === 0 && part > 0 ? 1 : p;
}

/** duration writes milliseconds the way a person says them, with two units at most. */
export function duration(ms) {
  const s = Math.max(0, ms) / 1000;
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 10) return `${(Math.floor(s * 10) / 10).toFixed(1)} s`;
  if (s < 60) return `${Math.floor(s)} s`;
  const minutes = Math.floor(s / 60);
  if (minutes < 60) return `${minutes} min ${String(Math.floor(s % 60)).padStart(2, "0")} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${String(minutes % 60).padStart(2, "0")} min`;
  return `${count(Math.round(hours / 24))} days`;
}

/** countdown writes milliseconds as a clock, mm:ss or h:mm:ss, of constant width. */
export function countdown(ms) {
  const s = Math.max(0, Math.ceil(ms / 1000));
  const two = (n) => String(n).padStart(2, "0");
  const clock = `${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
  return s >= 3600 ? `${Math.floor(s / 3600)}:${clock}` : clock;
}

/** ago writes an age. */
export function ago(ms) {
  if (ms < 1000) return "now";
  return `${duration(ms)} ago`;
}

const clockTime = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const shortTime = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const dayTime = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const longTime = new Intl.DateTimeFormat("en-GB", {
  weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
});
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });

export const timeOfDay = (ms) => clockTime.format(ms);
export const hourMinute = (ms) => shortTime.format(ms);
export const dayAndTime = (ms) => dayTime.format(ms);
export const fullTime = (ms) => longTime.format(ms);
export const dayOnly = (ms) => day.format(ms);
export const sameDay = (a, b) => day.format(a) === day.format(b);

/** utc is what a person sees when hovering over a time. */
export const utc = (ms) => `${new Date(ms).toISOString().replace("T", " ").replace(/\.000Z$/, "Z").replace("Z", " UTC")}`;

/** stamp makes a <time> show an instant in the local zone, with UTC on hover. */
export function stamp(el, ms, write = dayAndTime) {
  if (ms === null || ms === undefined || Number.isNaN(ms)) {
    if (el.textContent !== "–") {
      el.textContent = "–";
      el.removeAttribute("datetime");
      el.removeAttribute("title");
    }
    return;
  }
  const s = write(ms);
  if (el.textContent !== s) el.textContent = s;
  const iso = new Date(ms).toISOString();
  if (el.getAttribute("datetime") !== iso) {
    el.setAttribute("datetime", iso);
    el.title = utc(ms);
  }
}

/** charge writes nanocoulombs, as microampere-hours, milliampere-hours or ampere-hours. */
export function charge(microampHours) {
  if (microampHours < 1000) return `${microampHours < 10 ? microampHours.toFixed(2) : microampHours.toFixed(1)} µAh`;
  if (microampHours < 1_000_000) return `${(microampHours / 1000).toFixed(microampHours < 10_000 ? 2 : 1)} mAh`;
  return `${(microampHours / 1_000_000).toFixed(2)} Ah`;
}

/** days writes a number of days, in years once there are many. */
export function days(n) {
  if (n >= 1000) return `${(n / 365.25).toFixed(1)} years`;
  if (n >= 10) return `${count(Math.round(n))} days`;
  if (n >= 1) return `${n.toFixed(1)} days`;
  return `${Number(n.toPrecision(2))} days`;
}

/** isLow reports whether a battery is shown as low. */
export const isLow = (b) => b.battery_left_percent <= 10;
