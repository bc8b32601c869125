// The messages: how a request is written, what a server will refuse in one, how a server's message is read.

import { size } from "./names.js";
import { LIMITS } from "./words.js";

/** Each request: its fields; `?`: may be left out. */
export const REQUESTS = {
  "client-hello": "from? password? token?", register: "sender? password old? invitation?", "client-send": "from? to msg",
  "client-broadcast": "from? msg", "client-list-clients": "from? after?", "client-quit": "from?", ping: "",
  "client-error": "from? code? msg?", cgroupe: "sender? group private?", join: "sender? group", leave: "sender? group",
  invite: "sender? group dest", kick: "sender? group dest reason?", ban: "sender? group dest reason?",
  unban: "sender? group dest", gbroadcast: "sender? group msg", members: "sender? group after?", groups: "name? after?",
  msgs: "sender? group before? after? limit?", states: "sender? group before? after? limit? all?",
};

/** Return a request with one's name under the keys a client uses (R-client-sender, R-client-both). */
export function request(action, fields, name) {
  const who = { groups: ["name", "sender", "from"], ping: [] };
  const names = who[action] ?? (action.startsWith("client-") ? ["from", "sender", "name"] : ["sender", "from", "name"]);
  const made = { action, ...fields };
  const about = fields?.dest ?? fields?.to;
  if (about !== undefined) made.dest = made.to = about;
  for (const each of name ? names : []) made[each] = name;
  return made;
}

export const isText = (value) => typeof value === "string" && !value.includes("\0") && value.isWellFormed?.() !== false;
const is = (right) => (value) => (right(value) ? "" : "bad-request");
const isWhole = (least, most) => (value) => Number.isInteger(value) && value >= least && value <= most;
const isCursor = isWhole(-LIMITS.max_integer, LIMITS.max_integer);
const isFlag = (value) => typeof value === "boolean";
const bounded = (most, code) => (value) => (!isText(value) ? "bad-request" : size(value) > most ? code : "");
const CHECKS = {
  msg: bounded(LIMITS.max_msg_bytes, "too-large"),
  reason: bounded(LIMITS.max_reason_bytes, "too-large"),
  id: bounded(64, "bad-request"),
  private: is(isFlag),
  all: is(isFlag),
  before: is(isCursor),
  limit: is(isWhole(1, LIMITS.max_page_entries)),
  code: is((value) => isText(value) || isCursor(value)),
};

/** Say what a server will refuse in a request, as {code, field}; null if its fields are right. */
export function fault(message) {
  if (message === null || typeof message !== "object" || Array.isArray(message)) return { code: "bad-json", field: "" };
  const { action } = message;
  if (!isText(action)) return { code: "bad-request", field: "action" };
  if (!Object.hasOwn(REQUESTS, action)) return action.startsWith("ack-") ? null : { code: "unknown-action", field: "" };
  const isPage = REQUESTS[action].includes("before");
  for (const each of `${REQUESTS[action]} id?`.trim().split(" ")) {
    const field = each.replace("?", "");
    const value = message[field] ?? null;
    if (value === null && each !== field) continue;
    const check = field === "after" && isPage ? CHECKS.before : (CHECKS[field] ?? is(isText));
    const code = value === null ? "bad-request" : check(value);
    if (code) return { code, field };
  }
  const both = isPage && (message.before ?? null) !== null && (message.after ?? null) !== null;
  return both ? { code: "bad-request", field: "after" } : null;
}

/** How many seconds to wait where a server asks for *asked* (`retry_after`): 0.1 to 60, 1 if that is none. */
export const patience = (asked) => (asked > 0 ? Math.min(Math.max(asked, 0.1), 60) : 1);

/** Read one message of a server; null if it is none. */
export function read(text) {
  try {
    const found = JSON.parse(text);
    return found !== null && typeof found === "object" && typeof found.action === "string" ? found : null;
  } catch {
    return null;
  }
}
