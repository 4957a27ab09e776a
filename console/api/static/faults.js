// The live fault list: what stands, worst and newest first, with its reason and its acknowledgement.

import { Newest, Refused, all, get, post } from "./api.js";
import { data, element, empty, phrase, ticking, time } from "./element.js";
import { HeldList } from "./held_list.js";
import { NUMBER, symbol } from "./symbol.js";
import { currentLanguage, duration, given, word } from "./words.js";

const UNACKNOWLEDGED = new Set(["unacknowledged", "returned_unacknowledged", "latched_unacknowledged"]);
const CLEARED = new Set(["normal", "returned_unacknowledged", "latched_unacknowledged", "latched_acknowledged"]);

export const isUnacknowledged = (fault) => UNACKNOWLEDGED.has(fault.state);
export const isActive = (fault) => !CLEARED.has(fault.state);

export class FaultList {
  constructor(onchange) {
    this.onchange = onchange;
    this.faults = new Map();
    this.newest = new Newest();
    this.open = new Set();
    this.sending = new Map(); // fault id → what is being sent
    this.refusals = new Map(); // fault id → why the last command was not done
    this.container = document.getElementById("faults");
    this.list = new HeldList(this.container, document.getElementById("faults-newer"), (fault) => this.row(fault), (fault) => this.signature(fault), () => empty("faults.empty", "faults.empty_why"));
  }

  /** Read everything that stands. */
  async load() {
    const asked = this.newest.ask();
    const faults = await all("faults", { state: "standing" });
    const kept = [...this.faults.values()].filter((fault) => this.newest.isNewer(fault.id, asked));
    const read = faults.filter((fault) => !this.newest.isNewer(fault.id, asked));
    this.faults = new Map([...read, ...kept].map((fault) => [fault.id, fault]));
    this.newest.forgetBefore(asked);
    this.show();
  }

  /** Read one fault again after an event about it. */
  async refresh(id) {
    const asked = this.newest.ask();
    this.take(await get(`faults/${id}`), asked);
  }

  take(fault, asked) {
    if (!this.newest.accept(fault.id, asked)) return;
    if (fault.state === "normal") this.faults.delete(fault.id);
    else this.faults.set(fault.id, fault);
    this.show();
  }

  show() {
    const faults = [...this.faults.values()];
    faults.sort((a, b) => isUnacknowledged(b) - isUnacknowledged(a) || NUMBER[a.severity] - NUMBER[b.severity] || b.raised_at_ms - a.raised_at_ms || b.id - a.id);
    this.list.set(faults);
    const unacknowledged = faults.filter(isUnacknowledged).length;
    document.getElementById("faults-note").textContent = word("faults.note", { standing: faults.length, unacknowledged });
    this.onchange(faults);
  }

  renew() {
    this.list.renew();
    if (this.list.items !== null) this.show();
  }

  signature(fault) {
    return JSON.stringify([fault, this.open.has(fault.id), this.sending.get(fault.id), this.refusals.get(fault.id)]);
  }

  row(fault) {
    const open = this.open.has(fault.id);
    const row = element("article", { class: `row${isUnacknowledged(fault) ? " strong" : ""}`, "data-fault": fault.id });
    const toggle = element("button", { type: "button", class: "bare main", "aria-expanded": String(open), "data-focus": "toggle", onclick: () => this.toggle(fault) },
      element("span", { class: "title" }, given(fault, "title")),
      element("span", { class: "sub" }, data(fault.device_id), fault.part ? " · " : "", fault.part ? data(fault.part) : ""));
    const when = element("span", { class: "when" }, time(fault.raised_at_ms),
      isActive(fault) ? ticking(fault.raised_at_ms) : element("small", {}, word(`fault_state.${fault.state}`)));
    row.append(element("div", { class: "line" }, symbol(fault.severity, fault.state, 28), toggle, when, element("span", { class: "act" }, this.button(fault))));
    const refusal = this.refusals.get(fault.id);
    if (refusal !== undefined) row.append(element("p", { class: "failed", role: "alert" }, word("fault.refused", { reason: refusal.reason })));
    if (open) row.append(this.more(fault));
    return row;
  }

  button(fault) {
    if (this.sending.has(fault.id)) return element("button", { type: "button", disabled: true, "data-focus": "act" }, word("fault.sending"));
    const send = (what) => () => this.send(fault, what);
    if (isUnacknowledged(fault)) return element("button", { type: "button", "data-focus": "act", onclick: send("acknowledge") }, word("fault.acknowledge"));
    if (fault.state === "latched_acknowledged") return element("button", { type: "button", "data-focus": "act", onclick: send("reset") }, word("fault.reset"));
    return element("small", {}, word(`fault_state.${fault.state}`));
  }

  more(fault) {
    const list = element("dl");
    const line = (key, ...value) => list.append(element("dt", {}, word(key)), element("dd", {}, ...value));
    const text = fault[currentLanguage()];
    if (text !== null) for (const name of ["cause", "consequence", "action"]) line(`fault.${name}`, text[name]);
    if (fault.respond_s !== null) line("fault.respond", duration(fault.respond_s));
    line("fault.observed", time(fault.observed_at_ms));
    if (fault.ended_observed_at_ms !== null) line("fault.cleared", time(fault.ended_observed_at_ms));
    if (fault.acknowledged_at_ms !== null) {
      line("fault.acknowledged", ...phrase("fault.by", { time: time(fault.acknowledged_at_ms), actor: data(fault.acknowledged_by, "span", "") }));
    }
    line("fault.rule", data(fault.rule_id));
    return element("div", { class: "more" }, list);
  }

  toggle(fault) {
    if (!this.open.delete(fault.id)) this.open.add(fault.id);
    this.list.render();
  }

  async send(fault, what) {
    if (this.sending.has(fault.id)) return;
    this.sending.set(fault.id, what);
    this.refusals.delete(fault.id);
    this.list.render();
    try {
      const asked = this.newest.ask();
      this.take(await post(`faults/${fault.id}/${what}`, {}), asked);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.refusals.set(fault.id, error);
    } finally {
      this.sending.delete(fault.id);
      this.list.render();
    }
  }
}
