// Requests to the API, with a time limit and errors that have a code.

import { hasWord, word } from "./words.js";

const TIMEOUT_MS = 8000;

export class Refused extends Error {
  constructor(code) {
    super(code);
    this.code = code;
  }

  /** The reason in the page's language. */
  get reason() {
    const key = `problem.${this.code}`;
    return hasWord(key) && this.code !== "other" ? word(key) : word("problem.other", { code: this.code });
  }
}

async function request(path, options) {
  let response;
  try {
    response = await fetch(`/api/v1/${path}`, { ...options, signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (response.ok) return await response.json();
  } catch {
    throw new Refused("network");
  }
  let code = String(response.status);
  try {
    code = (await response.json()).code ?? code;
  } catch {
    // not a problem of ours; the status has to do
  }
  throw new Refused(code);
}

export function get(path, query = {}) {
  const text = new URLSearchParams(query).toString();
  return request(text ? `${path}?${text}` : path, {});
}

export function post(path, body) {
  return request(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

/** All pages of a list, at most `most` items. */
export async function all(path, query = {}, most = 20000) {
  const items = [];
  let cursor = null;
  do {
    const page = await get(path, { ...query, limit: 500, ...(cursor === null ? {} : { cursor }) });
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null && items.length < most);
  return items;
}

/** Path of a device: its id has one slash. */
export function devicePath(deviceId) {
  return `devices/${deviceId.split("/").map(encodeURIComponent).join("/")}`;
}

/** Which answer about a thing is the newest: answers may overtake each other, and the later question has the newer one. */
export class Newest {
  constructor() {
    this.count = 0;
    this.accepted = new Map();
  }

  /** Take a number before asking. */
  ask() {
    this.count += 1;
    return this.count;
  }

  /** Whether the answer to question `asked` is news about thing `id`; remembers it if so. */
  accept(id, asked) {
    if (this.isNewer(id, asked)) return false;
    this.accepted.set(id, asked);
    return true;
  }

  isNewer(id, asked) {
    return (this.accepted.get(id) ?? 0) > asked;
  }

  forgetBefore(asked) {
    for (const [id, known] of this.accepted) if (known < asked) this.accepted.delete(id);
  }
}
