// Severity by shape, number and colour; the state by fill; an outline only while nobody has acknowledged.

import { word } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

export const SEVERITIES = ["critical", "major", "minor", "info"];
export const NUMBER = { critical: 1, major: 2, minor: 3, info: 4 };

// In a box of 30 units round the middle: the shape, and the second contour outside it.
const SHAPES = {
  critical: ["M6.2 6.2H23.8V23.8H6.2Z", "M2.6 2.6H27.4V27.4H2.6Z", 19],
  major: ["M15 5.2L25.4 23.8H4.6Z", "M15 -0.4L30 26.6H0Z", 21.6],
  minor: ["M4.6 6.2H25.4L15 24.8Z", "M0 3.4H30L15 30.4Z", 16.4],
  info: ["M15 5.4A9.6 9.6 0 1 1 14.99 5.4Z", "M15 2A13 13 0 1 1 14.99 2Z", 19],
};
const WITH_CONTOUR = new Set(["unacknowledged", "returned_unacknowledged", "latched_unacknowledged"]);
const LATCHED = new Set(["latched_unacknowledged", "latched_acknowledged"]);

function part(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Symbol of a fault; `state` as the fault's, `label` replaces the name read aloud. */
export function symbol(severity, state = "acknowledged", size = 24, label = null) {
  const [shape, contour, baseline] = SHAPES[severity];
  const hollow = state === "returned_unacknowledged";
  const made = part("svg", {
    class: `symbol s${NUMBER[severity]}${hollow ? " hollow" : ""}`, viewBox: "0 0 30 30", width: size, height: size, role: "img",
    "aria-label": label ?? word(`symbol.${state}`, { severity: word(`severity.${severity}`) }),
  });
  if (WITH_CONTOUR.has(state)) made.append(part("path", { class: "contour", d: contour }));
  made.append(part("path", { class: "shape", d: shape }), part("text", { x: 15, y: baseline, translate: "no" }, String(NUMBER[severity])));
  if (LATCHED.has(state)) {
    made.append(part("path", { class: "lock", d: "M19 21v-2.5a3 3 0 0 1 6 0V21h1.5v7h-9v-7Zm1.8 0h2.4v-2.5a1.2 1.2 0 0 0-2.4 0Z" }));
  }
  return made;
}

/** A wrench for maintenance, a question mark for no data. */
export function glyph(condition, size = 18) {
  const made = part("svg", { class: "symbol", viewBox: "0 0 24 24", width: size, height: size, role: "img", "aria-label": word(`condition.${condition}`) });
  const d = condition === "maintenance"
    ? "M14.5 6.5a4 4 0 0 0-5 5L4 17l3 3 5.5-5.5a4 4 0 0 0 5-5L15 12l-3-3Z"
    : "M9 9a3 3 0 1 1 4.5 2.6c-1 .6-1.5 1.200-1.500 2.400M12 17.500v.1";
  made.append(part("path", { class: "glyph", d }));
  return made;
}
