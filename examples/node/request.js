// From an object to a request in the fields of spec/protocol.md, and the rules for names.
"use strict";

// What each action carries, as the reader of each field; `!` marks a required one. `id` and who asks are everywhere.
const ACTIONS = {
  "client-hello": { password: "text", token: "text" },
  "client-send": { to: "text!", msg: "msg!" },
  "client-broadcast": { msg: "msg!" },
  "client-list-clients": { after: "text" },
  "client-quit": {},
  "client-error": { code: "code", msg: "msg" },
  ping: {},
  register: { password: "secret!" },
  cgroupe: { group: "text!", private: "flag" },
  join: { group: "text!" },
  leave: { group: "text!" },
  invite: { group: "text!", dest: "text!" },
  kick: { group: "text!", dest: "text!", reason: "reason" },
  ban: { group: "text!", dest: "text!", reason: "reason" },
  unban: { group: "text!", dest: "text!" },
  gbroadcast: { group: "text!", msg: "msg!" },
  members: { group: "text!", after: "text" },
  groups: { after: "text" },
  msgs: { group: "text!", before: "integer", after: "integer", limit: "limit" },
  states: { group: "text!", before: "integer", after: "integer", limit: "limit", all: "flag" },
};
const OTHER_ACTIONS = {
  cgroup: "cgroupe", "create-group": "cgroupe", messages: "msgs", "client-connection": "client-hello", connection: "client-hello",
};
const OTHER_FIELDS = { dest: ["to"], to: ["dest"], group: ["groupe"], msg: ["message", "content", "text", "description"] };
const WHO = ["sender", "from", "name", "user"];

class Refusal extends Error {
  constructor(code, msg, more = {}) {
    super(msg);
    this.fields = { code, msg, ...more };
  }
}
const refuse = (code, msg, more) => {
  throw new Refusal(code, msg, more);
};
const wrong = (field, msg) => refuse("bad-request", `${field}: ${msg}`, { field });
const size = (text) => Buffer.byteLength(text);
const line = (text) => text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ");

const shown = (name) => name.trim().normalize("NFC");
const isName = (name, most) => new RegExp(`^[\\p{L}\\p{M}\\p{Nd}_.-]{1,${most}}$`, "u").test(name) && !/\p{DI}/u.test(name);

function keyOf(name) {
  let key = name.trim();
  for (;;) {
    const next = key.normalize("NFKC").toLowerCase().normalize("NFKC");
    if (next === key) return key;
    key = next;
  }
}

function checkName(name, most, field) {
  if (validKey(name, most) === null)
    refuse("bad-name", `a name is 1 to ${most} letters, digits, "_", "-" and "."`, { field });
}

// The key of a name, null if it is one that nobody can have.
const validKey = (name, most) => (isName(shown(name), most) && isName(keyOf(name), most) ? keyOf(name) : null);

const byKey = (one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)); // code point order
const byFirst = ([one], [other]) => byKey(one, other);

const READ = {
  text(value, field) {
    if (typeof value !== "string") wrong(field, "this is a text");
    if (value.includes("\0") || !value.isWellFormed()) wrong(field, "not a text that can be passed on");
    return value;
  },
  flag: (value, field) => (typeof value === "boolean" ? value : wrong(field, "this is true or false")),
  integer: (value, field) => (typeof value === "number" ? value : wrong(field, "this is a whole number")),
  limit(value, field) {
    return READ.integer(value, field) >= 1 && value <= 1000 ? value : wrong(field, "this is a number from 1 to 1000");
  },
  code: (value, field) => (typeof value === "number" ? value : READ.text(value, field)),
  secret: (value, field) => READ.text(value, field) || wrong(field, "this may not be empty"),
  id: (value, field) => (size(READ.text(value, field)) <= 64 ? value : wrong(field, "this has at most 64 bytes")),
  msg: (value, field) => limited(READ.text(value, field), field, 8192),
  reason: (value, field) => limited(READ.text(value, field), field, 390),
};

function limited(text, field, limit) {
  return size(text) <= limit ? text : refuse("too-large", `${field} has at most ${limit} bytes`, { field, limit });
}

const first = (object, fields) => fields.find((field) => object[field] !== undefined && object[field] !== null);

// The request of an object in its canonical fields; throws a Refusal.
function read(object, action) {
  const request = { action };
  const who = action === "ping" ? undefined : first(object, WHO);
  if (who) request.sender = READ.text(object[who], "sender");
  if (first(object, ["id"])) request.id = READ.id(object.id, "id");
  for (const [field, rule] of Object.entries(ACTIONS[action])) {
    const found = first(object, [field, ...(OTHER_FIELDS[field] ?? [])]);
    if (found) request[field] = READ[rule.replace("!", "")](object[found], field);
    else if (rule.endsWith("!")) wrong(field, "this is missing");
  }
  if (action === "cgroupe") request.private = readPrivacy(object, request.private);
  if ("before" in request && "after" in request) wrong("after", "there is before already");
  return request;
}

// Whether a group is private: every field that says so is read, and one is enough.
function readPrivacy(object, isPrivate = false) {
  const present = (fields) => fields.filter((field) => first(object, [field]));
  const opposites = present(["isPublic", "public"]).map((field) => !READ.flag(object[field], field));
  const kinds = present(["type", "groupType", "typeg"]).map((field) => {
    const kind = READ.text(object[field], field).toLowerCase();
    return kind.includes("priv") || (!kind.includes("pub") && wrong(field, "this is private or public"));
  });
  return [isPrivate, ...opposites, ...kinds].includes(true);
}

module.exports = { ACTIONS, OTHER_ACTIONS, OTHER_FIELDS, READ, Refusal, read, first, line, refuse, size, wrong };
Object.assign(module.exports, { byFirst, byKey, checkName, keyOf, shown, validKey });
