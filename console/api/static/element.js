// Making elements. Text is only ever set as text, so nothing a device or a person wrote can become markup.

import { age, clockTime, fullStamp, template, word } from "./words.js";

/** An element with attributes (`on` + event for listeners, null left out) and children (elements or texts). */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A name or id that is data and stays as it is in every language. */
export function data(text, tag = "span", classes = "id") {
  return element(tag, { class: classes, translate: "no" }, text);
}

/** A time of day with the full stamp behind it. */
export function time(ms) {
  return element("time", { datetime: new Date(ms).toISOString(), title: fullStamp(ms) }, clockTime(ms));
}

/** An age that ticks; see tickAges. */
export function ticking(sinceMs, tag = "small") {
  return element(tag, { "data-since": String(sinceMs), title: fullStamp(sinceMs) }, age(Date.now() - sinceMs));
}

/** Bring every ticking age up to date: one timer for the whole page. */
export function tickAges() {
  const now = Date.now();
  for (const made of document.querySelectorAll("[data-since]")) {
    const text = age(now - Number(made.dataset.since));
    if (made.textContent !== text) made.textContent = text;
  }
}

export function empty(title, why) {
  return element("div", { class: "empty" }, element("b", {}, word(title)), word(why));
}

export function skeleton(rows) {
  return Array.from({ length: rows }, () => element("div", { class: "skeleton", "aria-hidden": "true" }));
}

/** A sentence whose {names} are elements: the sentence is translated, what is put in is not. */
export function phrase(key, values) {
  const pieces = template(key).split(/\{(\w+)\}/);
  return pieces.map((piece, index) => (index % 2 === 0 ? piece : values[piece]));
}
