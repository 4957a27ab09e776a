// Work orders: the open ones, newest first, then those that ended lately; each with everything that happened to it.

import { Newest, all, get } from "./api.js";
import { data, element, empty, phrase, ticking, time } from "./element.js";
import { HeldList } from "./held_list.js";
import { symbol } from "./symbol.js";
import { given, word } from "./words.js";

const ENDED_SHOWN = 30;

export class OrderList {
  constructor() {
    this.orders = new Map();
    this.newest = new Newest();
    this.details = new Map(); // order id → order with its history, while it is open in the list
    this.container = document.getElementById("orders");
    this.list = new HeldList(this.container, document.getElementById("orders-newer"), (order) => this.row(order), (order) => JSON.stringify([order, this.details.get(order.id)]), () => empty("orders.empty", "orders.empty_why"));
  }

  async load() {
    const asked = this.newest.ask();
    const [open, ended] = await Promise.all([all("work-orders", { open: true }), get("work-orders", { open: false, limit: ENDED_SHOWN })]);
    const read = [...open, ...ended.items].filter((order) => !this.newest.isNewer(order.id, asked));
    const kept = [...this.orders.values()].filter((order) => this.newest.isNewer(order.id, asked));
    this.orders = new Map([...read, ...kept].map((order) => [order.id, order]));
    this.newest.forgetBefore(asked);
    await Promise.all([...this.details.keys()].map((id) => this.refresh(id)));
    this.show();
  }

  /** Read one order again after an event about it. */
  async refresh(id) {
    const asked = this.newest.ask();
    const detail = await get(`work-orders/${id}`);
    const { history, fault_ids: _faults, ...order } = detail;
    if (!this.newest.accept(id, asked)) return;
    this.orders.set(id, order);
    if (this.details.has(id)) this.details.set(id, history);
    this.show();
  }

  show() {
    const orders = [...this.orders.values()];
    const open = orders.filter((order) => order.closed_at_ms === null).sort((a, b) => b.id - a.id);
    const ended = orders.filter((order) => order.closed_at_ms !== null).sort((a, b) => b.closed_at_ms - a.closed_at_ms).slice(0, ENDED_SHOWN);
    this.list.set([...open, ...ended]);
    document.getElementById("orders-note").textContent = word("orders.note", { open: open.length, ended: ended.length });
  }

  renew() {
    this.list.renew();
    if (this.list.items !== null) this.show();
  }

  row(order) {
    const ended = order.closed_at_ms !== null;
    const history = this.details.get(order.id);
    const toggle = element("button", { type: "button", class: "bare main", "aria-expanded": String(history !== undefined), "data-focus": "toggle", onclick: () => this.toggle(order) },
      element("span", { class: "title" }, data(order.number), " ", given(order, "title")),
      element("span", { class: "sub" }, data(order.device_id), order.assignee ? " · " : "", order.assignee ? data(order.assignee, "span", "") : ""));
    const row = element("article", { class: `row${ended ? " over" : ""}`, "data-order": order.id },
      element("div", { class: "line" }, symbol(order.severity, "normal", 20), toggle,
        element("span", { class: "state" }, word(`order_state.${order.state}`)),
        element("span", { class: "when" }, time(ended ? order.closed_at_ms : order.opened_at_ms), ended ? null : ticking(order.opened_at_ms))));
    if (history !== undefined) row.append(this.more(order, history));
    return row;
  }

  more(order, history) {
    const list = element("dl");
    const line = (key, ...value) => list.append(element("dt", {}, word(key)), element("dd", {}, ...value));
    line("order.assignee", order.assignee ? data(order.assignee, "span", "") : word("order.nobody"));
    if (order.pause_reason !== null) line("order.paused_for", word(`pause.${order.pause_reason}`));
    line("order.faults", String(order.fault_count));
    const entries = history.map((entry) => {
      const text = element("span", {}, entryText(entry));
      if (entry.command === "offer" && entry.assignee) text.append(" · ", ...phrase("history.assigned", { assignee: data(entry.assignee, "span", "") }));
      const actor = entry.actor === "system" ? [word("history.by_system")] : phrase("history.by", { actor: data(entry.actor, "span", "") });
      text.append(" · ", ...actor);
      if (entry.note && entry.actor !== "system") text.append(" · ", data(entry.note, "span", ""));
      return element("li", {}, time(entry.at_ms), text);
    });
    return element("div", { class: "more" }, list, element("h3", {}, word("order.history")), element("ol", { class: "history" }, ...entries));
  }

  async toggle(order) {
    if (this.details.delete(order.id)) {
      this.list.render();
      return;
    }
    this.details.set(order.id, []);
    this.list.render();
    await this.refresh(order.id).catch(() => {}); // the list's own refresh reports a server that does not answer
  }
}

function entryText(entry) {
  if (entry.type === "work_order.opened") return word("history.opened");
  if (entry.type === "work_order.joined") return word("history.joined");
  const previous = entry.previous === null ? "" : word(`order_state.${entry.previous}`);
  return word("history.moved", { previous, state: word(`order_state.${entry.state}`) });
}
