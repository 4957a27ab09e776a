// Devices by branch as tiles in a fixed order, so that a position can be learned, and one device in detail.

import { all, devicePath, get } from "./api.js";
import { data, element, empty, phrase, ticking } from "./element.js";
import { isActive, isUnacknowledged } from "./faults.js";
import { NUMBER, SEVERITIES, glyph, symbol } from "./symbol.js";
import { given, word } from "./words.js";

const DENSE_FROM = 160; // devices from which tiles are squares without text
const ORDER = { failed: 0, degraded: 1, maintenance: 2, unknown: 3, ok: 4 };

export class DeviceTiles {
  constructor() {
    this.devices = null;
    this.faults = new Map(); // device id → its standing faults
    this.selected = null;
    this.detail = null;
    this.container = document.getElementById("branches");
    this.panel = document.getElementById("device");
    this.shown = "";
  }

  async load() {
    this.devices = await all("devices");
    await this.loadDetail();
    this.show();
  }

  takeFaults(faults) {
    this.faults = new Map();
    for (const fault of faults) {
      if (!this.faults.has(fault.device_id)) this.faults.set(fault.device_id, []);
      this.faults.get(fault.device_id).push(fault);
    }
    if (this.devices !== null) this.show();
  }

  show(again = false) {
    const branches = new Map();
    for (const device of this.devices) {
      if (!branches.has(device.branch_id)) branches.set(device.branch_id, []);
      branches.get(device.branch_id).push(device);
    }
    document.getElementById("devices-note").textContent = word("devices.note", { devices: this.devices.length, branches: branches.size });
    const looks = this.devices.map((device) => [device.device_id, device.name, device.health.condition, this.look(device)]);
    const signature = JSON.stringify([looks, this.selected]);
    if (signature !== this.shown || again) {
      this.shown = signature;
      this.draw(branches);
    }
    this.drawDetail();
  }

  renew() {
    if (this.devices !== null) this.show(true);
  }

  draw(branches) {
    const focused = this.container.contains(document.activeElement) ? document.activeElement.dataset.device : undefined;
    document.body.classList.toggle("dense", this.devices.length >= DENSE_FROM);
    if (branches.size === 0) {
      this.container.replaceChildren(empty("devices.empty", "devices.empty_why"));
      return;
    }
    const panels = [...branches.entries()].map(([branch, devices]) => {
      const counts = SEVERITIES.map((severity) => {
        const count = devices.flatMap((device) => this.faults.get(device.device_id) ?? []).filter((fault) => fault.severity === severity).length;
        return count === 0 ? null : countOf(severity, count);
      });
      return element("section", { class: "branch", "aria-label": branch },
        element("div", { class: "name" }, element("h3", {}, data(branch)), element("span", { class: "grow" }), element("span", { class: "counts" }, ...counts)),
        element("div", { class: "tiles" }, ...devices.map((device) => this.tile(device))));
    });
    this.container.replaceChildren(element("div", { class: "branches" }, ...panels));
    if (focused !== undefined) this.container.querySelector(`[data-device="${CSS.escape(focused)}"]`)?.focus();
  }

  /** Worst standing fault of a device, an unacknowledged one first among equals. */
  worst(device) {
    const faults = this.faults.get(device.device_id) ?? [];
    return [...faults].sort((a, b) => NUMBER[a.severity] - NUMBER[b.severity] || isActive(b) - isActive(a) || isUnacknowledged(b) - isUnacknowledged(a))[0];
  }

  look(device) {
    const worst = this.worst(device);
    const unacknowledged = (this.faults.get(device.device_id) ?? []).some(isUnacknowledged);
    return worst === undefined ? null : [worst.severity, worst.state, unacknowledged];
  }

  tile(device) {
    const worst = this.worst(device);
    const unacknowledged = (this.faults.get(device.device_id) ?? []).some(isUnacknowledged);
    const { condition } = device.health;
    const classes = ["tile"];
    if (condition === "unknown") classes.push("no-data");
    else if (worst !== undefined || condition === "failed" || condition === "degraded") classes.push("abnormal");
    else if (condition === "maintenance") classes.push("maintenance");
    if (worst !== undefined && unacknowledged) classes.push("unacknowledged", `s${NUMBER[worst.severity]}`);
    const kind = given(device, "kind");
    const health = word(`condition.${condition}`);
    const name = worst === undefined
      ? word("tile.name", { device: device.device_id, kind, health })
      : word("tile.faults", { device: device.device_id, kind, health, severity: word(`severity.${worst.severity}`), acknowledged: word(`fault_state.${worst.state}`) });
    const second = worst === undefined && condition !== "ok" ? health : kind;
    let mark = null;
    if (worst !== undefined) mark = symbol(worst.severity, worst.state, 24);
    else if (condition === "maintenance" || condition === "unknown") mark = glyph(condition);
    return element("button", {
      type: "button", class: classes.join(" "), title: name, "aria-label": name, "data-device": device.device_id,
      "aria-expanded": String(this.selected === device.device_id), onclick: () => this.select(device.device_id),
    }, mark, element("span", { class: "text" }, data(device.local_id), element("small", {}, second)));
  }

  async select(deviceId) {
    this.selected = this.selected === deviceId ? null : deviceId;
    this.detail = null;
    this.show();
    await this.loadDetail().catch(() => {}); // the next refresh reports a server that does not answer
    this.show();
  }

  async loadDetail() {
    const wanted = this.selected;
    if (wanted === null) return;
    const [device, readings] = await Promise.all([get(devicePath(wanted)), get(`${devicePath(wanted)}/readings`)]);
    if (this.selected === wanted) this.detail = { device, readings: readings.items };
  }

  drawDetail() {
    this.panel.hidden = this.detail === null;
    if (this.detail === null) return;
    const scrolled = this.panel.scrollTop;
    const focused = this.panel.contains(document.activeElement);
    const { device, readings } = this.detail;
    const close = element("button", { type: "button", onclick: () => this.select(device.device_id) }, word("device.close"));
    const functions = device.functions.map((item) =>
      element("span", { class: `chip${item.state === "available" ? "" : " bad"}` }, word(`function.${item.state}`, { name: given(item, "name") })));
    const identity = [device.maker, device.model].filter(Boolean).join(" ");
    this.panel.replaceChildren(
      element("div", { class: "title" }, element("h3", {}, data(device.device_id)), device.name ? data(device.name, "span", "note") : null,
        element("span", { class: "state" }, word(`condition.${device.health.condition}`)), element("span", { class: "grow" }), close),
      element("p", {}, ...phrase(`reason.${device.health.reason}`, { path: data(device.health.path) })),
      element("p", { class: "note" }, given(device, "kind"), identity || device.serial ? " · " : null, data([identity, device.serial].filter(Boolean).join(" · "), "span", "")),
      element("div", { class: "chips" }, ...functions),
      readings.length === 0 ? element("p", { class: "note" }, word("device.no_readings")) : this.table(readings));
    this.panel.scrollTop = scrolled;
    if (focused) close.focus();
  }

  table(readings) {
    const rank = (item) => (item.condition === null || item.condition === "ok" ? 4 : ORDER[item.condition]) + (item.stale ? 0.5 : 0);
    const rows = [...readings].sort((a, b) => rank(a) - rank(b) || (a.path < b.path ? -1 : 1)).map((item) => {
      const value = item.word ?? (item.value === null ? word("device.no_value") : String(Math.round(item.value * 1000) / 1000));
      return element("tr", { class: item.stale ? "stale" : null },
        element("td", {}, given(item, "name"), " ", element("small", {}, data(item.path))),
        element("td", { class: "value" }, element("b", { translate: "no" }, value), item.unit ? element("small", { translate: "no" }, ` ${item.unit}`) : null,
          item.condition !== null && item.condition !== "ok" ? element("small", {}, ` ${word(`condition.${item.condition}`)}`) : null),
        element("td", { class: "age" }, item.stale ? `${word("device.stale")} ` : null, ticking(item.observed_at_ms, "span")));
    });
    const head = element("tr", {}, ...["signal", "value", "age"].map((name) => element("th", { class: name === "age" ? "note age" : "note" }, word(`device.${name}`))));
    return element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows));
  }
}

/** A severity's symbol with a number of faults beside it. */
export function countOf(severity, count, state = "acknowledged") {
  const label = word("symbol.count", { severity: word(`severity.${severity}`), count });
  return element("span", { class: `count${count === 0 ? " none" : ""}`, "data-severity": severity }, symbol(severity, state, 20, label), String(count));
}
