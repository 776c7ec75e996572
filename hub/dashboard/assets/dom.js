// The few things the page needs on top of the browser's own DOM. Text goes in as
// text, never as markup, so nothing a device or a file says can become part of the page.

const SVG = "http://www.w3.org/2000/svg";
const svgTags = new Set(["svg", "path", "line", "rect", "circle", "g", "text", "title", "polyline"]);

/** h makes an element. Properties that are functions become listeners, `null` and `false` are left out. */
export function h(tag, props, ...children) {
  const el = svgTags.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (typeof value === "function") el.addEventListener(name.slice(2).toLowerCase(), value);
    else attr(el, name === "className" ? "class" : name, value);
  }
  el.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return el;
}

/** text sets what an element says, if that changed. */
export function text(el, value) {
  const s = String(value ?? "");
  if (el.textContent !== s) el.textContent = s;
}

/** attr sets an attribute if it changed; `null`, `undefined` and `false` remove it. */
export function attr(el, name, value) {
  if (value === null || value === undefined || value === false) {
    if (el.hasAttribute(name)) el.removeAttribute(name);
    return;
  }
  const s = value === true ? "" : String(value);
  if (el.getAttribute(name) !== s) el.setAttribute(name, s);
}

/** show hides or shows an element without taking it away. */
export function show(el, visible) {
  if (el.hidden === visible) el.hidden = !visible;
}

/**
 * list keeps the children of parent in step with items. Elements are kept by key, so
 * that focus, selection and open details survive an update.
 */
export function list(parent, items, key, create, update) {
  const have = parent.keyed ?? (parent.keyed = new Map());
  const seen = new Set();
  let at = parent.firstElementChild;
  for (const item of items) {
    const k = key(item);
    seen.add(k);
    let el = have.get(k);
    if (!el) {
      el = create(item);
      have.set(k, el);
    }
    if (el === at) at = at.nextElementSibling;
    else parent.insertBefore(el, at);
    update?.(el, item);
  }
  for (const [k, el] of have) {
    if (seen.has(k)) continue;
    el.remove();
    have.delete(k);
  }
}

/** clear empties an element. */
export function clear(el) {
  el.keyed = undefined;
  el.replaceChildren();
}

let serial = 0;

/** unique returns an identifier that nothing else on the page has. */
export const unique = (prefix) => `${prefix}-${++serial}`;

/** say announces something to people who do not see the page. */
export function say(message) {
  const el = document.getElementById("announcer");
  el.textContent = "";
  requestAnimationFrame(() => { el.textContent = message; });
}
