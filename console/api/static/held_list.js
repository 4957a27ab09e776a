// A list that does not move under the pointer or the keyboard. While it is held, rows change in place, and rows that would
// come, go or move are only counted; they are applied on request, when the list is left, or after ten seconds without input.

import { word } from "./words.js";

const REST_MS = 10000;

export class HeldList {
  /** `makeRow(item)` makes a row's element; `signature(item)` changes when the row has to be made anew; `makeEmpty()` stands for no rows. */
  constructor(container, newerButton, makeRow, signature, makeEmpty) {
    this.container = container;
    this.newerButton = newerButton;
    this.makeRow = makeRow;
    this.signature = signature;
    this.makeEmpty = makeEmpty;
    this.items = null;
    this.rows = new Map();
    this.inside = false;
    this.lastInputMs = 0;
    const touched = () => { this.lastInputMs = performance.now(); };
    for (const type of ["pointermove", "pointerdown", "keydown", "scroll"]) container.addEventListener(type, touched, { passive: true });
    container.addEventListener("pointerenter", () => { this.inside = true; touched(); });
    container.addEventListener("pointerleave", () => { this.inside = false; this.render(); });
    container.addEventListener("focusout", () => setTimeout(() => this.render()));
    newerButton.addEventListener("click", () => { this.lastInputMs = -REST_MS; this.render(); });
  }

  get held() {
    const holds = this.inside || this.container.contains(document.activeElement) || this.container.scrollTop > 0;
    return holds && performance.now() - this.lastInputMs < REST_MS;
  }

  /** Show these items in this order, now or when the list is let go. */
  set(items) {
    this.items = items;
    this.render();
  }

  /** Make every row anew, for another language. */
  renew() {
    for (const row of this.rows.values()) row.signature = null;
    this.render();
  }

  render() {
    if (this.items === null) return;
    if (this.held && this.rows.size > 0) {
      let waiting = 0;
      const left = new Map(this.rows);
      for (const item of this.items) {
        if (left.delete(item.id)) this.row(item);
        else waiting += 1;
      }
      for (const row of left.values()) {
        row.signature = null; // made anew, should it come back
        row.node.classList.add("gone");
        for (const button of row.node.querySelectorAll("button")) button.disabled = true;
      }
      this.newerButton.hidden = waiting === 0;
      this.newerButton.textContent = word("list.newer", { count: waiting });
      return;
    }
    this.newerButton.hidden = true;
    const kept = new Set(this.items.map((item) => item.id));
    for (const [id, row] of this.rows) {
      if (!kept.has(id)) {
        row.node.remove();
        this.rows.delete(id);
      }
    }
    if (this.items.length === 0) {
      this.container.replaceChildren(this.makeEmpty());
      return;
    }
    this.items.forEach((item, index) => {
      const { node } = this.row(item);
      const place = this.container.children[index] ?? null;
      if (node !== place) this.container.insertBefore(node, place);
    });
    while (this.container.children.length > this.items.length) this.container.lastElementChild.remove();
  }

  row(item) {
    const signature = this.signature(item);
    const known = this.rows.get(item.id);
    if (known !== undefined && known.signature === signature) return known;
    const row = { signature, node: this.makeRow(item) };
    this.rows.set(item.id, row);
    if (known !== undefined && known.node.isConnected) {
      const focused = known.node.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
      known.node.replaceWith(row.node);
      if (focused !== undefined) {
        (row.node.querySelector(`[data-focus="${focused}"]:not(:disabled)`) ?? row.node.querySelector("[data-focus]"))?.focus();
      }
    }
    return row;
  }
}
