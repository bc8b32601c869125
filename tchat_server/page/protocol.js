// The protocol for a client: names, requests, typed commands, and the mirror of what a server says.
// Nothing here knows a page, a socket or the time; it runs in Node as well. See docs/page.md.

import { COMMANDS as ROWS, LIMITS } from "./words.js";

export const SUBPROTOCOL = "tchat.1";

// ---- names (R-name-key, R-name-rule)

const keys = new Map();

/** The key under which two names are the same. */
export function key(name) {
  let folded = keys.get(name);
  if (folded === undefined) {
    folded = name.trim();
    for (let again; folded.length <= 256; folded = again) {
      again = folded.normalize("NFKC").toLowerCase().normalize("NFKC");
      if (again === folded) break;
    }
    if (keys.size > 5000) keys.clear();
    keys.set(name, folded);
  }
  return folded;
}

/** The name as it is shown, or null if it can be none. */
export function checkName(name, most) {
  const shown = name.trim().normalize("NFC");
  const rule = new RegExp(`^[\\p{L}\\p{M}\\p{Nd}_.-]{1,${most}}$`, "u");
  return rule.test(shown) && rule.test(key(shown)) ? shown : null;
}

export const checkUser = (name) => {
  const shown = checkName(name, LIMITS.max_name_chars);
  return shown === null || /^(server|guest-\d+)$/.test(key(shown)) ? null : shown;
};
export const checkGroup = (name) => checkName(name, LIMITS.max_group_chars);

const encoder = new TextEncoder();
/** The size of a text in UTF-8, in bytes. */
export const size = (text) => encoder.encode(text).length;

// ---- requests

/** Each request: its fields; `?`: may be left out. */
export const REQUESTS = {
  "client-hello": "from? password? token?", register: "sender? password", "client-send": "from? to msg",
  "client-broadcast": "from? msg", "client-list-clients": "from? after?", "client-quit": "from?", ping: "",
  "client-error": "from? code? msg?", cgroupe: "sender? group private?", join: "sender? group", leave: "sender? group",
  invite: "sender? group dest", kick: "sender? group dest reason?", ban: "sender? group dest reason?",
  unban: "sender? group dest", gbroadcast: "sender? group msg", members: "sender? group after?", groups: "name? after?",
  msgs: "sender? group before? after? limit?", states: "sender? group before? after? limit? all?",
};

/** Return a request with one's name under the keys a client uses (R-client-sender, R-client-both). */
export function request(action, fields, name) {
  const who = { "client-hello": ["from", "name"], groups: ["name", "sender", "from"], ping: [] };
  const names = who[action] ?? (action.startsWith("client-") ? ["from"] : ["sender", "from"]);
  const made = { action, ...fields };
  for (const each of name ? names : []) made[each] = name;
  return made;
}

const isText = (value) => typeof value === "string" && !value.includes("\0") && value.isWellFormed?.() !== false;
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

/** Read one message of a server; null if it is none. */
export function read(text) {
  try {
    const found = JSON.parse(text);
    return found !== null && typeof found === "object" && typeof found.action === "string" ? found : null;
  } catch {
    return null;
  }
}

// ---- typed commands: the table of `tchat`, and its parser

/** The commands, each {name, also, action, fields, example, takes, form, current}; a field is [name, word, kind, optional]. */
export const COMMANDS = ROWS.map(({ also = [], action = "", names, ...row }) => {
  const fields = row.fields.map((field) => [...field.replace("?", "").split(":"), field.endsWith("?")]);
  const current = !names;
  const takes = fields.reduce((text, [, word, kind, optional]) => {
    const separator = text && ";";
    if (optional) return `${text}[${separator}${word}]`;
    return text + separator + (kind === "group" && current ? `[${word}]` : word);
  }, "");
  return { ...row, also, action, fields, current, takes, form: `${row.name};${takes}` };
});
const byName = new Map(COMMANDS.flatMap((command) => [command.name, ...command.also].map((name) => [name, command])));
const SLASH = /^\/([^\s;]*)(;|\s+|$)([^]*)/;
const SEMICOLON = /^\s*([\p{L}\p{N}_-]+)\s*(;)([^]*)/u;
const clip = (text) => (text.length <= 80 ? text : text.slice(0, 79) + "…");

/** What was typed is no command: `problem` and `values` make the sentence `problem.…` of WORDS. */
export class Mistyped extends Error {
  constructor(problem, values = {}) {
    super(problem);
    this.problem = problem;
    this.values = Object.fromEntries(Object.entries(values).map(([name, value]) => [name, clip(String(value))]));
  }
}

/** Return the command typed as *name*, undefined if there is none. */
export const find = (name) => byName.get(name.replace(/^\//, "").toLowerCase());

/** Return what *line* means as {command, action, fields}; `action` is "" for what concerns the client itself. */
export function parse(line, group) {
  const typed = SLASH.exec(line) ?? SEMICOLON.exec(line);
  if (!typed) return plain(line, group);
  const [, word, separator, rest] = typed;
  const command = find(word);
  if (!command) throw unknown(word, line);
  const words = cut(command, rest, separator !== ";");
  if (words.length > command.fields.length) throw wrongFields(command);
  const fields = {};
  command.fields.forEach(([name, , kind, optional], at) => {
    const text = words[at] ?? "";
    if (text.trim() || (text && kind === "text")) {
      fields[name] = FIELDS[kind](command, command.fields[at], text);
    } else if (kind === "group" && command.current) {
      if (group === null) throw new Mistyped("no-group");
      fields[name] = group;
    } else if (!optional) throw wrongFields(command);
  });
  return { command, action: command.action, fields };
}

function plain(line, group) {
  const text = line.trim();
  if (!text) throw new Mistyped("empty");
  const bare = find(text) ?? (text.length >= 5 && text.length <= 12 ? near(text.toLowerCase(), 0.8) : undefined);
  if (bare) throw new Mistyped("bare", { form: bare.form, word: text });
  if (group === null) throw new Mistyped("no-group");
  const command = find("bg");
  return { command, action: command.action, fields: { group, msg: FIELDS.text(command, command.fields[1], line) }, plain: true };
}

function unknown(word, line) {
  const close = near(word.toLowerCase(), 0.6);
  return close ? new Mistyped("near", { word, suggestion: close.form }) : new Mistyped("unknown", { word, line });
}

function wrongFields(command) {
  const { name, takes, example } = command;
  return new Mistyped(command.fields.length ? "fields" : "no-fields", { name, takes, example });
}

function cut(command, rest, isSlash) {
  const cuts = command.fields.length - 1;
  if (cuts < 0) return rest.trim() ? [rest] : [];
  if (!isSlash) return splitAt(rest, cuts, (text) => text.indexOf(";"), 1);
  const words = splitSpace(rest, cuts);
  const required = command.fields.filter(([, , , optional]) => !optional).length;
  const isShort = words.length === required - 1 && command.current && command.fields[0][2] === "group";
  return isShort ? ["", ...splitSpace(rest, Math.max(cuts - 1, 0))] : words;
}

function splitAt(text, cuts, find_, width) {
  const words = [];
  for (let at; words.length < cuts && (at = find_(text)) >= 0; text = text.slice(at + width)) words.push(text.slice(0, at));
  return [...words, text];
}

function splitSpace(text, cuts) {
  const words = [];
  for (text = text.trimStart(); text && words.length < cuts; ) {
    const found = /^(\S+)\s*([^]*)/.exec(text);
    words.push(found[1]);
    text = found[2];
  }
  return text ? [...words, text] : words;
}

function checkText(command, [, word, kind], text) {
  if (!isText(text)) throw new Mistyped("text", { word });
  const limit = kind === "reason" ? LIMITS.max_reason_bytes : LIMITS.max_msg_bytes;
  if (size(text) > limit) throw new Mistyped("too-large", { word, size: size(text), limit });
  return text;
}

function checkNumber(command, [, , kind], text) {
  const most = kind === "count" ? LIMITS.max_page_entries : LIMITS.max_integer;
  const value = text.trim();
  if (!/^\d{1,19}$/.test(value) || Number(value) < 1 || Number(value) > most) {
    throw new Mistyped("number", { value, limit: most, form: command.form });
  }
  return Number(value);
}

const checkNamed = (check, limit) => (command, [, word], text) => {
  const name = check(text);
  if (name === null) throw new Mistyped("name", { value: text, word, limit });
  return name;
};
const checkChoice = (choices) => (command, field, text) => {
  const chosen = choices[text.trim().toLowerCase()];
  if (chosen === undefined) throw new Mistyped("choice", { value: text, form: command.form });
  return chosen;
};
const FIELDS = {
  group: checkNamed(checkGroup, LIMITS.max_group_chars),
  user: checkNamed((text) => (/^guest-\d+$/.test(key(text)) ? text.trim() : checkUser(text)), LIMITS.max_name_chars),
  text: checkText,
  reason: checkText,
  password: checkText,
  number: checkNumber,
  count: checkNumber,
  privacy: checkChoice({ private: true, public: false }),
  switch: checkChoice({ on: true, off: false }),
  command(command, field, text) {
    const found = find(text.trim().replace(/;+$/, ""));
    if (!found) throw unknown(text.trim(), text);
    return found.name;
  },
  json(command, field, text) {
    let found = null;
    try {
      found = JSON.parse(text);
    } catch {}
    if (found === null || typeof found !== "object" || Array.isArray(found)) {
      throw new Mistyped("json", { example: command.example });
    }
    return text.trim();
  },
};

/** Return where the end of *line* is: {command, field, fragment, before}; command is null while it is typed itself. */
export function place(line) {
  const typed = SLASH.exec(line) ?? SEMICOLON.exec(line);
  const command = typed && !(line.startsWith("/") && !typed[2]) ? find(typed[1]) : undefined;
  if (!command) return { command: null, field: null, fragment: line, before: [], isSlash: line.startsWith("/") };
  const count = command.fields.length;
  const isSlash = typed[2] !== ";";
  let words;
  if (!isSlash) words = splitAt(typed[3], Math.max(count - 1, 0), (text) => text.indexOf(";"), 1);
  else {
    words = splitSpace(typed[3], Math.max(count - 1, 0));
    if (!words.length || (/\s$/.test(typed[3]) && words.length < count)) words.push("");
  }
  const field = words.length <= count ? command.fields[words.length - 1] ?? null : null;
  return { command, field, fragment: words.at(-1).trimStart(), before: words.slice(0, -1), isSlash };
}

/** Return the command whose name is most like *word* (Ratcliff and Obershelp), if any is at least so like it. */
function near(word, cutoff) {
  let best = null;
  for (const name of byName.keys()) {
    const ratio = (2 * matching(name, word)) / (name.length + word.length);
    if (ratio >= cutoff && (!best || ratio > best[0] || (ratio === best[0] && name > best[1]))) best = [ratio, name];
  }
  return best ? byName.get(best[1]) : undefined;
}

function matching(a, b) {
  let [length, inA, inB] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    for (let j = 0; j < b.length; j++) {
      let n = 0;
      while (i + n < a.length && j + n < b.length && a[i + n] === b[j + n]) n++;
      if (n > length) [length, inA, inB] = [n, i, j];
    }
  }
  if (!length) return 0;
  const after = matching(a.slice(inA + length), b.slice(inB + length));
  return length + matching(a.slice(0, inA), b.slice(0, inB)) + after;
}

// ---- the mirror: what is known of the groups, what is missing, and what is new to show

const EVENTS = new Set(["cgroupe", "join", "leave", "invite", "kick", "ban", "unban", "gbroadcast"]);
export const isEvent = (message) => EVENTS.has(message.action) && Number.isInteger(message.seq);

/** One group as this user knows it. `group` is the fold of its events: {owner, members, invited, banned}, or null. */
class View {
  constructor(name) {
    Object.assign(this, { name, seq: 0, ts: "", isMember: false, isInvited: false, group: null, held: new Map() });
    Object.assign(this, { target: 0, caughtUp: 0, wantsMembers: false, membersAfter: null, isAsking: false });
  }

  get hasGap() {
    return this.isMember && this.target > this.seq;
  }

  restart(seq) {
    Object.assign(this, { seq, ts: "", target: seq, group: null, caughtUp: 0 });
    this.held.clear();
  }
}

/** Fold one event into a group; null stays null unless it is the creation. */
export function evolve(group, event) {
  if (event.action === "cgroupe") {
    const me = key(event.sender);
    return { seq: 1, owner: me, members: new Map([[me, event.sender]]), invited: new Map(), banned: new Map() };
  }
  if (!group || event.seq !== group.seq + 1) return null;
  const next = { ...group, seq: event.seq };
  if (event.action === "gbroadcast") return next;
  for (const each of ["members", "invited", "banned"]) next[each] = new Map(group[each]);
  const who = event.dest === undefined ? event.sender : event.dest;
  const it = key(who);
  if (event.action === "invite") next.invited.set(it, who);
  else if (event.action === "unban") next.banned.delete(it);
  else {
    next.invited.delete(it);
    if (event.action === "join") next.members.set(it, who);
    else next.members.delete(it);
    if (event.action === "ban") next.banned.set(it, who);
  }
  if (!next.members.size) next.owner = null;
  if (["join", "leave"].includes(event.action) && event.owner !== undefined) next.owner = key(event.owner);
  return next;
}

/** One user's view of a server, over any number of connections.
 *  `apply` returns notices to show, in order: {kind, ...} with kind heard, caught-up, missing, gone, no-answer. */
export class Mirror {
  constructor(name = "") {
    Object.assign(this, { name, groups: new Map(), users: new Map(), online: new Set(), listed: new Map() });
    this.pending = new Map();
  }

  view(name) {
    const it = key(name);
    let view = this.groups.get(it);
    if (!view) this.groups.set(it, (view = new View(name)));
    view.name ||= name;
    return view;
  }

  isMe(name) {
    return typeof name === "string" && key(name) === key(this.name);
  }

  /** Remember a request until it is answered. *quiet*: the mirror itself wanted it. */
  sent(message, quiet = false) {
    this.pending.set(message.id, { request: message, quiet });
    if (quiet) this.#asked(message, true);
  }

  /** What to ask now so that nothing is missing; each is then to be `sent` quietly. */
  wanted() {
    const wanted = [];
    for (const view of this.groups.values()) {
      if (view.isAsking) continue;
      if (view.hasGap) {
        wanted.push({ action: "states", group: view.name, after: view.seq, limit: LIMITS.max_page_entries, all: true });
      } else if (view.isMember && view.wantsMembers) {
        wanted.push({ action: "members", group: view.name, ...(view.membersAfter === null ? {} : { after: view.membersAfter }) });
      }
    }
    return wanted;
  }

  /** Forget what only the lost connection could have answered. */
  disconnected() {
    const lost = [...this.pending.values()].filter((each) => !each.quiet);
    this.pending.clear();
    this.online.clear();
    for (const view of this.groups.values()) view.isAsking = false;
    return lost.map(({ request: asked }) => ({ kind: "no-answer", request: asked }));
  }

  /** Take in what the server sent. */
  apply(message) {
    const pending = this.pending.get(message.id);
    this.pending.delete(message.id);
    const asked = pending?.request ?? null;
    const quiet = pending?.quiet ?? false;
    if (isEvent(message)) return this.#happened(message, asked);
    if (quiet) {
      this.#asked(asked, false);
      if (message.action === "states" && asked.after !== undefined) return this.#page(message);
      if (message.action === "error") {
        return [...this.#denied(asked, message.code), { kind: "heard", message, request: asked, quiet }];
      }
    }
    this.#learn(message, asked);
    const heard = { kind: "heard", message, request: asked, quiet };
    return message.action === "server-hello" ? [heard, ...this.#welcomed(message)] : [heard];
  }

  #asked(message, isAsking) {
    if (["states", "members"].includes(message.action)) this.view(message.group).isAsking = isAsking;
  }

  #happened(event, asked) {
    const view = this.view(event.group);
    if (event.seq <= view.seq) {
      if (event.ts <= view.ts || !view.ts) return asked ? [{ kind: "heard", message: event, request: asked }] : [];
      view.restart(event.seq - 1); // the server began a new log
    }
    if (!view.isMember) {
      view.restart(event.seq - 1);
      view.isMember = !this.#reachesOutsider(event);
      view.wantsMembers = view.isMember && event.action !== "cgroupe";
      view.membersAfter = null;
    }
    if (event.seq === view.seq + 1) return [...this.#show(view, event, asked), ...this.#release(view)];
    view.held.set(event.seq, event);
    view.target = Math.max(view.target, event.seq);
    return [];
  }

  #show(view, event, asked = null, missed = false) {
    Object.assign(view, { seq: event.seq, ts: event.ts, target: Math.max(view.target, event.seq) });
    if (view.group || event.action === "cgroupe") {
      if (!view.group || event.seq > view.group.seq) {
        view.group = evolve(view.group, event);
        if (!view.group) view.wantsMembers = true;
      }
    }
    if (!missed && view.isMember && this.#reachesOutsider(event)) this.#leave(view);
    if (this.isMe(event.dest ?? event.sender)) view.isInvited = event.action === "invite";
    view.caughtUp += missed;
    this.#meet(event.sender);
    if (event.dest) this.#meet(event.dest);
    return [{ kind: "heard", message: event, request: asked, missed }];
  }

  #release(view) {
    const notices = [];
    for (let event; (event = view.held.get(view.seq + 1)); ) {
      view.held.delete(event.seq);
      notices.push(...this.#show(view, event, null, true));
      if (this.#reachesOutsider(event)) this.#leave(view);
    }
    for (const seq of [...view.held.keys()]) if (seq <= view.seq) view.held.delete(seq);
    if (view.caughtUp && !view.hasGap) {
      notices.push({ kind: "caught-up", group: view.name, count: view.caughtUp });
      view.caughtUp = 0;
    }
    return notices;
  }

  #page(page) {
    const view = this.view(page.group);
    const before = view.seq;
    const notices = [];
    for (const event of page.list) if (event.seq === view.seq + 1) notices.push(...this.#show(view, event, null, true));
    notices.push(...this.#release(view));
    if (view.seq === before && view.hasGap) notices.push(...this.#giveUp(view));
    return notices;
  }

  #giveUp(view) {
    const notices = [];
    for (const event of [...view.held.values()].sort((a, b) => a.seq - b.seq)) {
      view.held.delete(event.seq);
      if (event.seq <= view.seq) continue;
      if (event.seq > view.seq + 1) {
        notices.push({ kind: "missing", group: view.name, count: event.seq - view.seq - 1 });
        view.group = null;
      }
      notices.push(...this.#show(view, event));
    }
    if (view.target > view.seq) {
      notices.push({ kind: "missing", group: view.name, count: view.target - view.seq });
      view.restart(view.target);
    }
    view.caughtUp = 0;
    view.wantsMembers = view.group === null;
    return notices;
  }

  #denied(asked, code) {
    if (!["states", "members"].includes(asked.action) || ["rate-limited", "unavailable"].includes(code)) return [];
    const view = this.view(asked.group);
    if (asked.action === "members") {
      view.wantsMembers = false;
      return [];
    }
    const notices = this.#giveUp(view);
    if (view.isMember && ["not-member", "banned", "group-not-found"].includes(code)) this.#leave(view);
    return notices;
  }

  #reachesOutsider(event) {
    return this.isMe(event.action === "leave" ? event.sender : event.dest);
  }

  #leave(view) {
    Object.assign(view, { isMember: false, group: null });
  }

  #welcomed(hello) {
    const notices = [];
    const mine = new Map(hello.groups.map((name) => [key(name), name]));
    for (const [it, view] of this.groups) {
      if (view.isMember && !mine.has(it)) {
        this.#leave(view);
        notices.push({ kind: "gone", group: view.name });
      }
    }
    for (const [it, name] of mine) {
      const view = this.view(name);
      const last = hello.seqs[name] ?? view.seq;
      if (!view.isMember || last < view.seq) {
        view.restart(last);
        view.isMember = true;
      }
      view.target = last;
      view.isInvited = false;
      Object.assign(view, { wantsMembers: view.group === null, membersAfter: null });
      this.groups.set(it, view);
    }
    return notices;
  }

  #learn(message, asked) {
    const { action, list } = message;
    if (action === "server-hello") {
      this.name = message.from;
      this.#meet(this.name, true);
    } else if (action === "server-broadcast" && message.event) this.#meet(message.name, message.event === "connect");
    else if (action === "server-send" || action === "server-broadcast") this.#meet(message.from);
    else if (action === "server-list-clients") list.forEach((name) => this.#meet(name, true));
    else if (action === "groups") list.forEach((name) => this.listed.set(key(name), name));
    else if (action === "members") this.#learnMembers(message, asked?.after ?? null);
  }

  #meet(name, isOnline = null) {
    if (!name) return;
    this.users.set(key(name), name);
    if (isOnline === true) this.online.add(key(name));
    else if (isOnline === false) this.online.delete(key(name));
  }

  #learnMembers(page, after) {
    const view = this.view(page.group);
    page.list.forEach((name) => this.#meet(name));
    page.online.forEach((name) => this.online.add(key(name)));
    if (!view.isMember || (after !== null && after !== view.membersAfter)) return;
    const known = after === null ? null : view.group;
    if (after !== null && (known === null || known.seq !== page.seq)) {
      view.membersAfter = null; // the group has moved on in between: from the start
      return;
    }
    const fill = (map, names) => new Map([...(map ?? []), ...(names ?? []).map((name) => [key(name), name])]);
    view.group = {
      seq: page.seq,
      owner: page.owner === undefined ? null : key(page.owner),
      members: fill(known?.members, page.list),
      invited: fill(known?.invited, page.invited),
      banned: fill(known?.banned, page.banned),
    };
    const names = [...page.list, ...(page.invited ?? []), ...(page.banned ?? [])];
    view.wantsMembers = Boolean(page.more) && names.length > 0;
    view.membersAfter = view.wantsMembers ? names.reduce((a, b) => (key(a) > key(b) ? a : b)) : null;
  }
}
