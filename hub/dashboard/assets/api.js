// The hub's REST interface, as the page uses it.

import { harmless } from "./format.js";

const storageKey = "commshub-token";

/** Problem is a refusal, in the hub's own words. */
export class Problem extends Error {
  constructor(status, body) {
    const fields = (body?.errors ?? []).map((e) => `${e.location}: ${e.message}`);
    super([body?.detail || body?.title || `the hub answered ${status}`, ...fields].join("; "));
    this.status = status;
  }
}

/** Unreachable says that no hub answered. */
export class Unreachable extends Error {
  constructor() { super("the hub does not answer"); }
}

/** takeToken keeps a token that came in the address bar, and removes it from there. */
export function takeToken() {
  const m = /^#token=([\x21-\x7e]+)$/.exec(location.hash);
  if (!m) return;
  sessionStorage.setItem(storageKey, decodeURIComponent(m[1]));
  history.replaceState(null, "", `${location.pathname}#/`);
}

export const hasToken = () => sessionStorage.getItem(storageKey) !== null;
export const forgetToken = () => sessionStorage.removeItem(storageKey);
const bearer = (token) => (token ? { Authorization: `Bearer ${token}` } : {});

/** tryToken tells whether the hub takes a token, and keeps it if so. */
export async function tryToken(token) {
  const r = await fetch("/v1/session", { headers: bearer(token), cache: "no-store" });
  if (r.status === 401 || r.status === 403) return false;
  if (!r.ok) throw new Problem(r.status, null);
  sessionStorage.setItem(storageKey, token);
  return true;
}

// askForToken is set by the page; it resolves to true once a good token is kept.
let askForToken = async () => false;
export const onTokenNeeded = (ask) => { askForToken = ask; };

async function answer(response) {
  const isJSON = /json/.test(response.headers.get("Content-Type") ?? "");
  const body = isJSON ? JSON.parse(await response.text(), harmless) : null;
  if (!response.ok) throw new Problem(response.status, body);
  return body;
}

/** get reads a resource. A resource that does not exist is null. */
export async function get(path, signal) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", signal });
  } catch (err) {
    throw err.name === "AbortError" ? err : new Unreachable();
  }
  if (response.status === 404) return null;
  return answer(response);
}

/** all reads every page of a list. */
export async function all(path, name, signal) {
  const items = [];
  const base = path + (path.includes("?") ? "&" : "?") + "limit=1000";
  for (let next = ""; ;) {
    const page = await get(next ? `${base}&cursor=${encodeURIComponent(next)}` : base, signal);
    items.push(...(page?.[name] ?? []));
    if (!page?.next) return items;
    next = page.next;
  }
}

/** change sends what changes state, and asks for the token when the hub wants one. */
export async function change(method, path, body, { key } = {}) {
  for (;;) {
    const headers = { ...bearer(sessionStorage.getItem(storageKey)) };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (key) headers["Idempotency-Key"] = key;
    let response;
    try {
      response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
    } catch {
      throw new Unreachable();
    }
    if (response.status !== 401) return answer(response);
    forgetToken();
    if (!(await askForToken())) throw new Problem(401, { detail: "nothing was changed: the hub wants its token" });
  }
}

/** upload sends a file; progress gets the bytes sent. fetch cannot tell them, so this is XMLHttpRequest. */
export async function upload(file, progress, signal) {
  for (;;) {
    const r = await send(file, progress, signal);
    if (r.status === 201 || r.status === 200) return r.response;
    if (r.status !== 401) throw new Problem(r.status, r.response);
    forgetToken();
    if (!(await askForToken())) throw new Problem(401, { detail: "nothing was uploaded: the hub wants its token" });
  }
}

function send(file, progress, signal) {
  return new Promise((resolve, reject) => {
    const r = new XMLHttpRequest();
    r.open("POST", "/v1/images");
    r.responseType = "json";
    r.setRequestHeader("Content-Type", "application/octet-stream");
    const token = sessionStorage.getItem(storageKey);
    if (token) r.setRequestHeader("Authorization", `Bearer ${token}`);
    r.upload.addEventListener("progress", (e) => progress(e.loaded, e.total));
    r.addEventListener("load", () => resolve(r));
    r.addEventListener("error", () => reject(new Unreachable()));
    r.addEventListener("abort", () => reject(new DOMException("stopped", "AbortError")));
    signal?.addEventListener("abort", () => r.abort());
    r.send(file);
  });
}
