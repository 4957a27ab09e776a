// Puts the page together: loads, follows the stream, refreshes, and says when what it shows is old.

import { Refused } from "./api.js";
import { DeviceTiles, countOf } from "./devices.js";
import { data, element, skeleton, tickAges, time } from "./element.js";
import { FaultList, isUnacknowledged } from "./faults.js";
import { follow } from "./live.js";
import { OrderList } from "./orders.js";
import { NUMBER, SEVERITIES, glyph, symbol } from "./symbol.js";
import { age, clockTime, currentLanguage, given, setLanguage, today, word } from "./words.js";

const APPLY_MS = 250; // events are applied at most four times a second
const DEVICES_MS = 5000;
const EVERYTHING_MS = 60000;
const MANY_EVENTS = 20; // from so many changed things on, one list is cheaper than each by itself
const LOST_MS = 10000; // a server that says nothing for so long is called lost
const CUT_MS = 3000; // a stream that was cut, already after so long
const SILENT_MS = 60000;

const tiles = new DeviceTiles();
const orders = new OrderList();
const faults = new FaultList((standing) => {
  tiles.takeFaults(standing);
  showStrip(standing);
});

const parts = {
  devices: { load: () => tiles.load(), container: "branches", loadedAtMs: null, failed: false, busy: false, again: false },
  faults: { load: () => faults.load(), container: "faults", loadedAtMs: null, failed: false, busy: false, again: false },
  orders: { load: () => orders.load(), container: "orders", loadedAtMs: null, failed: false, busy: false, again: false },
};

let lostAtMs = Date.now(); // when the stream was lost; null while it stands
let contactMs = Date.now(); // last sign of life of the server
const changed = { fault: new Set(), work_order: new Set(), devices: false };

async function load(name) {
  const part = parts[name];
  if (part.busy) {
    part.again = true;
    return;
  }
  part.busy = true;
  try {
    await part.load();
    part.loadedAtMs = Date.now();
    part.failed = false;
    contactMs = part.loadedAtMs;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    part.failed = true;
  } finally {
    part.busy = false;
  }
  showNotice(name);
  if (part.again) {
    part.again = false;
    await load(name);
  }
}

function loadAll() {
  return Promise.all(Object.keys(parts).map(load));
}

/** Devices, whose readings no event tells of; what could not be refreshed; and everything while there is no stream. */
function loadDue() {
  const due = Object.keys(parts).filter((name) => name === "devices" || parts[name].failed || lostAtMs !== null);
  return Promise.all(due.map(load));
}

function showNotice(name) {
  const part = parts[name];
  const notice = document.getElementById(`${name}-notice`);
  notice.hidden = !part.failed;
  if (!part.failed) return;
  const text = part.loadedAtMs === null
    ? word("notice.nothing")
    : word("notice.failed", { time: clockTime(part.loadedAtMs), age: age(Date.now() - part.loadedAtMs) });
  if (part.loadedAtMs === null) document.getElementById(part.container).replaceChildren();
  const span = notice.querySelector("span");
  if (span !== null && notice.dataset.language === currentLanguage()) {
    if (span.textContent !== text) span.textContent = text;
    return;
  }
  notice.dataset.language = currentLanguage();
  notice.replaceChildren(element("span", {}, text), element("button", { type: "button", onclick: () => load(name) }, word("notice.again")));
}

function showStrip(standing) {
  const unacknowledged = standing.filter(isUnacknowledged);
  const counts = SEVERITIES.map((severity) => {
    const count = unacknowledged.filter((fault) => fault.severity === severity).length;
    return countOf(severity, count, count === 0 ? "acknowledged" : "unacknowledged");
  });
  document.getElementById("strip-counts").replaceChildren(...counts);
  const [newest] = [...unacknowledged].sort((a, b) => NUMBER[a.severity] - NUMBER[b.severity] || b.raised_at_ms - a.raised_at_ms);
  const place = document.getElementById("strip-newest");
  if (newest === undefined) place.replaceChildren();
  else place.replaceChildren(time(newest.raised_at_ms), " ", element("b", {}, given(newest, "title")), " ", data(newest.branch_id));
}

function showLegend() {
  const item = (mark, text) => element("span", {}, mark, text);
  document.getElementById("legend").replaceChildren(
    item(element("i", { class: "swatch" }), word("legend.normal")),
    ...SEVERITIES.map((severity) => item(symbol(severity, "normal", 18), word(`severity.${severity}`))),
    item(element("i", { class: "swatch no-data" }), word("legend.no_data")),
    item(glyph("maintenance", 16), word("legend.maintenance")));
}

function takeEvent(event) {
  contactMs = Date.now();
  const [kind, id] = event.subject.split("/");
  if (kind === "fault" || kind === "work_order") changed[kind].add(Number(id));
  else changed.devices = true;
}

async function applyChanges() {
  const faultIds = [...changed.fault];
  const orderIds = [...changed.work_order];
  const devices = changed.devices || faultIds.length > 0;
  changed.fault.clear();
  changed.work_order.clear();
  changed.devices = false;
  const work = [];
  if (faultIds.length > MANY_EVENTS) work.push(load("faults"));
  else work.push(...faultIds.map((id) => faults.refresh(id).catch(() => load("faults"))));
  if (orderIds.length > MANY_EVENTS) work.push(load("orders"));
  else work.push(...orderIds.map((id) => orders.refresh(id).catch(() => load("orders"))));
  if (devices) work.push(load("devices"));
  await Promise.all(work);
}

function showLive() {
  const now = Date.now();
  const silentMs = Math.max(now - contactMs, lostAtMs === null ? 0 : now - lostAtMs);
  const lost = silentMs > (lostAtMs === null ? LOST_MS : CUT_MS);
  document.getElementById("live").textContent = lost ? word("live.off") : word("live.on", { age: age(silentMs) });
  const band = document.getElementById("band");
  band.hidden = !lost;
  if (lost) band.textContent = word("band.lost", { age: age(silentMs) });
  document.body.classList.toggle("silent", silentMs > SILENT_MS);
}

function tick() {
  document.getElementById("clock-time").textContent = clockTime(Date.now());
  document.getElementById("clock-date").textContent = today();
  tickAges();
  showLive();
  for (const name of Object.keys(parts)) showNotice(name);
}

function showWords() {
  const language = currentLanguage();
  document.documentElement.lang = language;
  for (const place of document.querySelectorAll("[data-word]")) place.textContent = word(place.dataset.word);
  for (const place of document.querySelectorAll("[data-label]")) place.setAttribute("aria-label", word(place.dataset.label));
  for (const name of ["en", "zh"]) document.getElementById(`language-${name}`).setAttribute("aria-pressed", String(name === language));
  showLegend();
  faults.renew();
  orders.renew();
  tiles.renew();
  tick();
}

for (const name of ["en", "zh"]) {
  document.getElementById(`language-${name}`).addEventListener("click", () => {
    setLanguage(name);
    showWords();
  });
}

setTimeout(() => {
  for (const part of Object.values(parts)) {
    if (part.loadedAtMs === null && !part.failed) document.getElementById(part.container).replaceChildren(...skeleton(6));
  }
}, 300);

showStrip([]);
showWords();
follow({
  onopen: () => {
    lostAtMs = null;
    contactMs = Date.now();
    loadAll(); // what happened before the stream began, or while it was lost
  },
  onevent: takeEvent,
  onreset: () => loadAll(),
  onloss: () => {
    lostAtMs ??= Date.now();
    if (parts.faults.loadedAtMs === null) loadAll(); // show what there is, though it will not be live
  },
});
setInterval(tick, 1000);
setInterval(applyChanges, APPLY_MS);
setInterval(loadDue, DEVICES_MS);
setInterval(loadAll, EVERYTHING_MS);
