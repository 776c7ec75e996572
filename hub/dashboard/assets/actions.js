// What a person can do from the page. Each says what came of it.

import { change } from "./api.js";
import { ask, field, toast } from "./dialogs.js";
import { h } from "./dom.js";
import { bytes, eui, fullTime, kindName, plural } from "./format.js";
import { hasEnded, takesFirmware } from "./home.js";

const key = () => crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

export class Actions {
  constructor(home) { this.home = home; }

  async #do(f, done) {
    try {
      await f();
      toast(done);
    } catch (err) {
      toast(err.message, { bad: true });
    }
  }

  #name(eui64) {
    const d = this.home.devices.get(eui64);
    return d ? `${kindName(d.kind).toLowerCase()} ${eui64.slice(-4)}` : eui(eui64);
  }

  async clock(action) {
    try {
      await change("POST", "/v1/clock", { action });
    } catch (err) {
      toast(err.message, { bad: true });
    }
  }

  activate(u) {
    return this.#do(() => change("POST", `/v1/devices/${u.device}/activation`, {}, { key: key() }),
      u.kind === "GSME" ? "The order to activate waits in the mailbox. The gas meter fetches it at its next heartbeat." : "The order to activate is on its way.");
  }

  async activateAt(u) {
    const at = new Date(this.home.clock.now() + 3_600_000);
    const local = new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
    const input = h("input", { type: "datetime-local", required: true, value: local });
    const once = key();
    const when = await ask({
      title: "Activate at a time", confirm: "Order it",
      lead: `The ${this.#name(u.device)} switches to ${u.version} at this time by the home’s emulated clock, in your time zone.`,
      body: [field("When", input, `In the home it is ${fullTime(this.home.clock.now())} now.`)],
      check: async () => {
        const chosen = new Date(input.value);
        if (!(chosen.getTime() > this.home.clock.now())) throw new Error("That time is over in the home. Choose a later one.");
        await change("POST", `/v1/devices/${u.device}/activation`, { at: chosen.toISOString() }, { key: once });
        return chosen;
      },
    });
    if (when) toast(`Ordered: activation on ${fullTime(when)}.`);
  }

  cancelActivation(u) {
    return this.#do(() => change("DELETE", `/v1/devices/${u.device}/activation`), "The order to drop the activation is on its way. The image stays.");
  }

  async cancelUpdate(u) {
    const sure = await ask({
      title: "Cancel this update?", confirm: "Cancel the update", danger: true,
      lead: `The ${this.#name(u.device)} is told to give ${u.version} up. What it has stored of it is lost.`,
      check: () => change("DELETE", `/v1/updates/${u.device}`).then(() => true),
    });
    if (sure) toast("The update is cancelled.");
  }

  async acceptReading(d, attribute) {
    const shown = attribute.text || attribute.value;
    const sure = await ask({
      title: "Believe this reading?", confirm: "Accept it", danger: true,
      lead: `The ${this.#name(d.eui64)} is read on from ${shown}, as after an exchange of the meter. Displays show it, and what comes next is judged by it.`,
      check: () => change("POST", `/v1/mirror/${d.eui64}/accept`, { attribute: attribute.id }).then(() => true),
    });
    if (sure) toast(`The reading is accepted: ${shown}.`);
  }

  async addDevice() {
    const id = h("input", { type: "text", required: true, autocomplete: "off", spellcheck: "false", placeholder: "00DB1234567890A1", className: "mono", maxlength: "23" });
    const kind = h("select", {}, ["GSME", "ESME", "IHD", "PPMID", "CAD", "HCALCS"].map((k) => h("option", { value: k }, `${kindName(k)} (${k})`)));
    const added = await ask({
      title: "Add a device", confirm: "Add it",
      lead: "The device log says who may join the home. The device joins by itself once it is on.",
      body: [field("EUI64", id, "16 hex digits, as printed on the device."), field("Kind", kind)],
      check: () => change("POST", "/v1/devices", { eui64: id.value.replace(/[\s:-]/g, "").toUpperCase(), kind: kind.value }),
    });
    if (added) toast(`${kindName(added.kind)} ${added.eui64} is in the device log.`);
  }

  async removeDevice(d) {
    const sure = await ask({
      title: `Remove the ${kindName(d.kind).toLowerCase()}?`, confirm: "Remove it", danger: true,
      lead: `${eui(d.eui64)} leaves the device log: its session ends and it may not join again. Its readings and waiting messages are dropped.`,
      check: () => change("DELETE", `/v1/devices/${d.eui64}`).then(() => true),
    });
    if (sure) toast(`${kindName(d.kind)} ${d.eui64} is removed.`);
  }

  async removeImage(im) {
    const sure = await ask({
      title: "Remove this image?", confirm: "Remove it", danger: true,
      lead: `Version ${im.version} (${bytes(im.size)}) leaves the hub. Meters that have it keep it, and updates that ended stay listed.`,
      check: () => change("DELETE", `/v1/images/${im.sha256}`).then(() => true),
    });
    if (sure) toast(`Version ${im.version} is removed.`);
  }

  readVersion(d) {
    return this.#do(() => change("POST", `/v1/devices/${d.eui64}/firmware-version`),
      "Asked. The answer comes as a response under Alerts, from a gas meter after its next heartbeat.");
  }

  /** distribute asks which image goes to which meters, and offers it to them. */
  async distribute(sha256) {
    const { home } = this;
    const images = [...home.images.values()].sort((a, b) => (a.version < b.version ? 1 : -1));
    const meters = [...home.devices.values()].filter(takesFirmware);
    if (images.length === 0) return toast("There is no image yet. Upload one under Firmware.", { bad: true });
    if (meters.length === 0) return toast("There is no meter yet. Add one under Meters.", { bad: true });
    const image = h("select", {}, images.map((im) => h("option", { value: im.sha256, selected: im.sha256 === sha256 }, `${im.version}${im.text ? `, ${im.text}` : ""} (${bytes(im.size)})`)));
    const boxes = meters.map((d) => {
      const busy = home.current(d.eui64);
      const under = busy && !hasEnded(busy);
      const runs = d.firmware_version === (home.images.get(sha256) ?? images[0]).version;
      const box = h("input", { type: "checkbox", value: d.eui64, checked: !under && !runs });
      const note = under ? `an update to ${busy.version} is under way and would be superseded` : d.firmware_version ? `runs ${d.firmware_version}` : "version not known";
      return h("label", { className: "choice" }, box, h("span", {}, kindName(d.kind)), h("small", {}, `${d.eui64}, ${note}`));
    });
    const once = key();
    const sent = await ask({
      title: "Distribute an image", confirm: "Distribute",
      lead: "The meters download and verify it. They switch only when you order the activation; bridged devices switch by themselves.",
      body: [field("Image", image), h("fieldset", {}, h("legend", {}, "To"), ...boxes)],
      check: async (form) => {
        const devices = [...form.querySelectorAll("input:checked")].map((b) => b.value);
        if (devices.length === 0) throw new Error("Choose at least one device.");
        return (await change("POST", "/v1/updates", { image: image.value, devices }, { key: once })).updates;
      },
    });
    if (!sent) return undefined;
    const caveats = sent.flatMap((u) => (u.expected?.never ? ["never complete at this pacing"] : u.expected?.doubt ? [u.expected.doubt] : []));
    toast([`Offered to ${plural(sent.length, "device")}.`, ...caveats].join(" "), { bad: caveats.length > 0 });
    location.hash = "#/";
    return undefined;
  }
}
