// Images: put one into the hub's cache, see what is there, distribute it.

import { upload } from "./api.js";
import { toast } from "./dialogs.js";
import { attr, h, list, show, text } from "./dom.js";
import { bytes, count, dayAndTime, kindName, percent, stamp } from "./format.js";
import { updateKey } from "./home.js";
import { stateName, waitText } from "./transfer.js";

const refresh = 100; // ms between two steps of the progress bar

export class Firmware {
  title = "Firmware";
  #stop = null;

  constructor(home, actions) {
    this.home = home;
    this.actions = actions;
    this.el = h("div", { className: "page" },
      h("header", { className: "head" }, h("h1", {}, "Firmware"),
        h("p", {}, "The hub keeps images and trickles them to the meters. A GB image has to be signed by the home’s supplier or one that the hub knows; any other Zigbee OTA file is taken, bare or in a vendor’s wrapper, and each meter decides whether it trusts it.")),
      this.#dropZone(), this.#imageTable(), this.#updateTable());
  }

  #dropZone() {
    this.file = h("input", { type: "file", id: "image-file", className: "unseen", onchange: () => this.#take(this.file.files[0]) });
    this.bar = h("progress", { max: 100, value: 0, "aria-label": "Upload" });
    this.said = h("span", {});
    this.stop = h("button", { type: "button", onclick: () => this.#stop?.abort() }, "Stop");
    this.progress = h("div", { className: "uploading", hidden: true }, this.bar, this.said, this.stop);
    this.choose = h("label", { for: "image-file", className: "button primary" }, "Choose a file");
    this.drop = h("div", { className: "drop",
      ondragover: (e) => {
        e.preventDefault();
        attr(this.drop, "data-over", true);
      },
      ondragleave: () => attr(this.drop, "data-over", null),
      ondrop: (e) => {
        e.preventDefault();
        attr(this.drop, "data-over", null);
        this.#take(e.dataTransfer.files[0]);
      },
    }, h("p", {}, "Drop a firmware image here"), this.file, this.choose, this.progress);
    return this.drop;
  }

  async #take(file) {
    if (!file || this.#stop) return;
    const most = this.home.hub?.max_upload_size;
    if (most && file.size > most) return toast(`${file.name} is ${bytes(file.size)}; the hub takes at most ${bytes(most)}.`, { bad: true });
    this.#stop = new AbortController();
    show(this.progress, true);
    attr(this.drop, "data-busy", true);
    let shown = 0;
    try {
      const image = await upload(file, (sent, total) => {
        if (performance.now() - shown < refresh && sent < total) return;
        shown = performance.now();
        this.bar.value = percent(sent, total);
        text(this.said, sent < total ? `${file.name}: ${bytes(sent)} of ${bytes(total)}` : `${file.name}: the hub checks it`);
      }, this.#stop.signal);
      toast(`Version ${image.version} is in the cache.`);
      this.home.images.set(image.sha256, image);
      this.update();
    } catch (err) {
      if (err.name === "AbortError") toast("The upload was stopped. Nothing was kept.");
      else toast(`${file.name}: ${err.message}`, { bad: true });
    } finally {
      this.#stop = null;
      this.file.value = "";
      this.bar.value = 0;
      show(this.progress, false);
      attr(this.drop, "data-busy", null);
    }
    return undefined;
  }

  #imageTable() {
    this.images = h("tbody", {});
    this.noImages = h("p", { className: "nothing" }, "No image yet. Drop a file above, or try commshub firmware upload --sample, which makes a signed one.");
    return h("section", {}, h("h2", {}, "In the cache"),
      h("div", { className: "scroll", tabindex: "0", role: "region", "aria-label": "Images" }, h("table", {},
        h("thead", {}, h("tr", {}, ["Version", "For", "Hardware", "Size", "Signature", "Added", "SHA-256", "Actions"].map((t, i) => h("th", { scope: "col", className: i === 7 ? "act" : null }, t)))), this.images)), this.noImages);
  }

  #updateTable() {
    this.updates = h("tbody", {});
    this.noUpdates = h("p", { className: "nothing" }, "None yet. Distribute an image to a meter, and it is listed here from the offer to its end.");
    return h("section", {}, h("h2", {}, "Updates"),
      h("div", { className: "scroll", tabindex: "0", role: "region", "aria-label": "Updates" }, h("table", {},
        h("thead", {}, h("tr", {}, ["Device", "Version", "State", "Served", "Windows", "Blocks", "Sent again", "Since", "Note"].map((t) => h("th", { scope: "col" }, t)))), this.updates)), this.noUpdates);
  }

  update() {
    const images = [...this.home.images.values()].sort((a, b) => (a.added_at < b.added_at ? 1 : -1));
    list(this.images, images, (im) => im.sha256, (im) => {
      const act = h("button", { type: "button", "aria-label": `Distribute version ${im.version}`, onclick: () => this.actions.distribute(im.sha256) }, "Distribute…");
      const remove = h("button", { type: "button", className: "quiet", "aria-label": `Remove version ${im.version}`, onclick: () => this.actions.removeImage(im) }, "Remove…");
      return h("tr", {}, h("th", { scope: "row" }), h("td", {}), h("td", {}), h("td", {}), h("td", {}), h("td", {}, h("time", {})), h("td", {}, h("code", { title: im.sha256 })), h("td", { className: "act" }, act, remove));
    }, (el, im) => {
      const c = el.children;
      text(c[0], im.version);
      text(c[1], `maker ${im.manufacturer}, type ${im.image_type}${im.text ? `, ${im.text}` : ""}`);
      text(c[2], im.hardware_min ? `${im.hardware_min} – ${im.hardware_max}` : "any");
      text(c[3], bytes(im.size));
      const signature = im.damaged ? "damaged: upload it again" : im.supplier_verified ? "supplier’s, good" : im.layout === "GB signed" ? "not checked" : "none of a supplier";
      text(c[4], im.force_replace ? `${signature}; replaces what is ordered` : signature);
      stamp(c[5].firstChild, im.added_at ? Date.parse(im.added_at) : null, dayAndTime);
      text(c[6].firstChild, `${im.sha256.slice(0, 12)}…`);
    });
    show(this.noImages, images.length === 0);
    this.#showUpdates();
  }

  #showUpdates() {
    const updates = [...this.home.updates.values()].sort((a, b) => (a.started_at < b.started_at ? 1 : -1));
    list(this.updates, updates, updateKey, () => h("tr", {}, h("th", { scope: "row" }), ...Array.from({ length: 6 }, () => h("td", {})), h("td", {}, h("time", {})), h("td", { className: "long" })), (el, u) => {
      const c = el.children;
      text(c[0], `${kindName(u.kind)} ${u.device.slice(-4)}`);
      text(c[1], u.version);
      text(c[2], stateName(u, this.home.devices.get(u.device)));
      text(c[3], u.offset === undefined ? "–" : `${percent(u.offset, u.size)} %`);
      text(c[4], count(u.windows));
      text(c[5], count(u.blocks));
      text(c[6], count(u.repeats));
      stamp(c[7].firstChild, u.started_at ? Date.parse(u.started_at) : null, dayAndTime);
      text(c[8], noteOf(u));
    });
    show(this.noUpdates, updates.length === 0);
  }
}

/** noteOf says why an update is as it is, or what it waits for. */
export function noteOf(u) {
  return [u.outcome, u.waiting && (!u.outcome || u.waiting.overdue_since) && waitText(u.waiting)].filter(Boolean).join("; ");
}
