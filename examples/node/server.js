// A tchat server in memory, written from spec/protocol.md alone.  node server.js [--port 0] [--port-file FILE]
"use strict";

const crypto = require("node:crypto");
const fs = require("node:fs");
const net = require("node:net");
const { parseArgs } = require("node:util");
const { ACTIONS, OTHER_ACTIONS, OTHER_FIELDS, READ, Refusal, read, first, line, refuse, size, wrong } = require("./request.js");
const { byFirst, byKey, checkName, keyOf, shown, validKey } = require("./request.js");
const { Peer } = require("./peer.js");
const { parse } = require("./wire.js");

const VERSION = { version: 1, server: "node-tchat 0.1.0" };
const MAX_PEERS = 8;
const PAGE_BYTES = 16384;
const LIST_NAMES = 1000;
const TOKEN_MS = 3600e3;
const PASSWORD_TRIES = { burst: 20, perSecond: 0.5 };
const MAY_GO = new Set(["ping", "client-quit", "client-error"]); // whatever sender they carry
const NEVER_NAMES = new Set([...MAY_GO, "register"]);

const users = new Map(); // by key: {key, name, peers, ids, token, goneAt, password, isGuest}
const groups = new Map(); // by key: {name, isPrivate, log, members, invited, banned, owner}, these four by user key
const tries = new Map(); // password attempts left, by name and by address
let guests = 0;

const online = () => [...users.values()].filter((user) => user.peers.size);
const lastSeq = (group) => group.log.length;
const isIn = (group, key) => group.members.has(key) || group.invited.has(key) || group.banned.has(key);
const isAnywhere = (key) => [...groups.values()].some((group) => isIn(group, key));
const isKnown = (user) => user && (user.peers.size || user.password || isAnywhere(user.key));
const told = (user) => ({ sender: user.name, from: user.name });
const nameOf = (key) => users.get(key).name;

function userOf(name) {
  const key = keyOf(name);
  if (!users.has(key)) users.set(key, { key, name: shown(name), peers: new Set(), ids: new Map() });
  return users.get(key);
}

const tell = (audience, message) => new Set(audience).forEach((user) => user.peers.forEach((peer) => peer.send(message)));

function announce(event, user, msg) {
  const others = online().filter((other) => other !== user);
  tell(others, { action: "server-broadcast", sender: "server", from: "server", event, name: user.name, msg });
}

function serve(peer, frame) {
  let object;
  try {
    object = parse(frame);
  } catch (error) {
    return peer.send({ action: "error", code: "bad-json", msg: line(`this is not the JSON we read: ${error.message}`) });
  }
  const inner = object.messageFormat;
  if (inner && typeof inner === "object" && !Array.isArray(inner)) object = inner;
  const asked = object.action;
  if (typeof asked === "string" && asked.startsWith("ack-")) return;
  try {
    READ.text(asked, "action");
    const action = Object.hasOwn(OTHER_ACTIONS, asked) ? OTHER_ACTIONS[asked] : asked;
    if (!Object.hasOwn(ACTIONS, action)) refuse("unknown-action", "there is no such action");
    if (asked === "cgroup") peer.saysCgroup = true;
    const request = read(object, action);
    const answer = (message) => peer.send("id" in request ? { ...message, id: request.id } : message);
    identify(peer, request, answer);
    if (action in EVENTS) change(peer, request);
    else if (action in ANSWERS) ANSWERS[action](request, answer, peer);
  } catch (error) {
    if (!(error instanceof Refusal)) console.error(error);
    const fields = error.fields ?? { code: "internal", msg: "the server failed" };
    peer.send({ action: "error", ...fields, ...aboutOf(object) });
  }
}

// What an error repeats of the request, as the request has it.
function aboutOf(object) {
  const isText = (value) => typeof value === "string" && !value.includes("\0") && value.isWellFormed();
  const fields = { request: ["action"], group: ["group", ...OTHER_FIELDS.group], dest: ["dest", "to"] };
  const about = Object.entries(fields).map(([field, spellings]) => [field, object[first(object, spellings)]]);
  if (isText(object.id) && size(object.id) <= 64) about.push(["id", object.id]);
  return Object.fromEntries(about.filter(([, value]) => isText(value)));
}

function identify(peer, request, answer) {
  const { action, sender } = request;
  const isHello = action === "client-hello";
  if (peer.user) {
    const isOther = sender !== undefined && validKey(sender, 32) !== peer.user.key;
    if (isOther && !MAY_GO.has(action)) refuse("forbidden", `you are ${peer.user.name} here`, { field: "sender" });
    if (isHello) greet(peer.user, answer);
  } else if (isHello || !NEVER_NAMES.has(action)) {
    if (sender === undefined && !isHello) wrong("sender", "say who you are");
    arrive(peer, sender === undefined ? newGuest() : admit(peer, request), sender, isHello && answer);
  }
}

function arrive(peer, user, name, answer) {
  const isFirst = !user.peers.size;
  if (isFirst && name !== undefined) user.name = shown(name);
  user.token ??= crypto.randomBytes(16).toString("base64url");
  user.peers.add(peer);
  peer.user = user;
  if (answer) {
    greet(user, answer);
    for (const { invited } of groups.values()) if (invited.has(user.key)) peer.send(invited.get(user.key));
  }
  if (isFirst) announce("connect", user, `${user.name} has joined the chat`);
}

function greet(user, answer) {
  const mine = [...groups].filter(([, group]) => group.members.has(user.key)).sort(byFirst).map(([, group]) => group);
  const seqs = Object.fromEntries(mine.map((group) => [group.name, lastSeq(group)]));
  const which = { token: user.token, groups: mine.map((group) => group.name), seqs };
  answer({ action: "server-hello", ...told(user), ...VERSION, ...which, msg: `welcome ${user.name}` });
}

function newGuest() {
  do guests++;
  while (users.has(`guest-${guests}`));
  return Object.assign(userOf(`guest-${guests}`), { isGuest: true });
}

// The user whom this hello proves to be, or a Refusal.
function admit(peer, { action, sender, password, token }) {
  checkName(sender, 32, "sender");
  const key = keyOf(sender);
  const user = users.get(key);
  if (/^(server|guest-\p{Nd}+)$/u.test(key)) refuse("bad-name", "this name is the server's to give", { field: "sender" });
  if (!isCurrent(user, token)) {
    if (password !== undefined) checkPassword(peer, key, user?.password, password);
    else if (user?.password) refuse(token === undefined ? "auth-required" : "auth-failed", "this name has a password");
    else if (user?.peers.size) refuse("name-in-use", "somebody else is connected under this name");
  }
  if (user?.peers.size >= MAX_PEERS) refuse("limit-reached", "too many connections of one user", { limit: MAX_PEERS });
  if (user && !user.peers.size && !isCurrent(user, token)) user.token = undefined;
  return userOf(sender);
}

function isCurrent(user, token) {
  return user?.token !== undefined && user.token === token && (user.peers.size > 0 || Date.now() - user.goneAt < TOKEN_MS);
}

function hashed(password, salt = crypto.randomBytes(16)) {
  return { salt, hash: crypto.scryptSync(password, salt, 32) };
}

function checkPassword(peer, key, kept, password) {
  for (const who of [`name ${key}`, `address ${peer.address}`]) {
    const now = performance.now() / 1000;
    const { left, at } = tries.get(who) ?? { left: PASSWORD_TRIES.burst, at: now };
    const have = Math.min(PASSWORD_TRIES.burst, left + (now - at) * PASSWORD_TRIES.perSecond);
    if (have < 1) refuse("rate-limited", "wait before you try again", { retry_after: (1 - have) / PASSWORD_TRIES.perSecond });
    tries.set(who, { left: have - 1, at: now });
  }
  const { salt, hash } = kept ?? { salt: Buffer.alloc(16), hash: Buffer.alloc(32) };
  if (!crypto.timingSafeEqual(hashed(password, salt).hash, hash)) refuse("auth-failed", "wrong password");
}

function depart(peer) {
  const user = peer.user;
  peer.user = null;
  if (!user?.peers.delete(peer) || user.peers.size) return;
  user.goneAt = Date.now();
  const left = [...groups.values()].filter((group) => group.members.has(user.key) || group.invited.has(user.key));
  if (user.isGuest) left.forEach((group) => stamp(group, user, { action: "leave" }));
  announce("disconnect", user, `${user.name} has left the chat`);
}

const NEEDS = {
  invite: "member", kick: "owner", ban: "owner", unban: "owner", gbroadcast: "member",
  members: "member", msgs: "member", states: "member",
};
const BARRED = new Set(["join", "gbroadcast", "msgs", "states"]);

// Each changes the group or throws a Refusal; `key` is the actor's, `dest` the key of the target.
const EVENTS = {
  cgroupe(group, key) {
    group.members.add(key);
  },
  join(group, key) {
    if (group.members.has(key)) refuse("already-member", "you are a member already");
    if (group.isPrivate && !group.invited.has(key)) refuse("invite-required", "the group is private: ask a member to invite you");
    group.invited.delete(key);
    group.members.add(key);
  },
  leave(group, key) {
    if (!group.members.delete(key) && !group.invited.delete(key)) refuse("not-member", "you are not a member");
  },
  invite(group, key, dest) {
    if (dest === key) refuse("self-target", "you are in already");
    if (group.members.has(dest)) refuse("already-member", "this user is a member already");
    if (group.banned.has(dest)) refuse("target-banned", "this user is banned: unban first");
    if (!isKnown(users.get(dest))) refuse("user-not-found", "nobody knows this user");
    group.invited.set(dest, null); // the event comes when it is stamped
  },
  kick(group, key, dest) {
    if (dest === key) refuse("self-target", "leave the group instead");
    if (!group.members.delete(dest) && !group.invited.delete(dest)) refuse("target-not-member", "this user is not a member");
  },
  ban(group, key, dest, request) {
    if (dest === key) refuse("self-target", "you can't ban yourself");
    checkName(request.dest, 32, "dest");
    if (group.banned.has(dest)) refuse("target-banned", "this user is banned already");
    group.members.delete(dest);
    group.invited.delete(dest);
    group.banned.add(userOf(request.dest).key);
  },
  unban(group, key, dest) {
    if (!group.banned.delete(dest)) refuse("not-banned", "this user is not banned");
  },
  gbroadcast() {},
};

const SENTENCES = {
  cgroupe: ({ from, group }) => `${from} created ${group}`,
  join: ({ from, group }) => `${from} joined ${group}`,
  leave: ({ from, group }) => `${from} left ${group}`,
  invite: ({ from, group, dest }) => `${from} invited ${dest} to ${group} (j;${group} to join)`,
  kick: ({ from, group, dest, reason }) => `${from} kicked ${dest} from ${group}${reason && ": "}${line(reason)}`,
  ban: ({ from, group, dest, reason }) => `${from} banned ${dest} from ${group}${reason && ": "}${line(reason)}`,
  unban: ({ from, group, dest }) => `${from} unbanned ${dest} from ${group}`,
  gbroadcast: ({ msg }) => msg,
};

function change(peer, request) {
  const actor = peer.user;
  const { action, id } = request;
  const same = JSON.stringify({ reason: "", ...request, sender: undefined });
  const before = id !== undefined && actor.ids.get(id);
  if (before) return before.same === same ? peer.send(before.event) : wrong("id", "you used it for another request");
  const group = action === "cgroupe" ? newGroup(request) : enter(actor, request);
  const again = action === "invite" && group.invited.get(validKey(request.dest, 32));
  if (again) return tell([{ peers: new Set([peer, ...users.get(keyOf(request.dest)).peers]) }], again);
  const event = stamp(group, actor, request);
  if (id !== undefined) actor.ids.set(id, { same, event });
}

function newGroup({ group: name, private: isPrivate }) {
  checkName(name, 64, "group");
  if (groups.has(keyOf(name))) refuse("group-exists", "this name is taken for ever: choose another");
  const group = { name: shown(name), isPrivate, log: [], members: new Set(), invited: new Map(), banned: new Set() };
  groups.set(keyOf(name), group);
  return group;
}

// The group a request names, if the actor may ask this of it.
function enter(actor, { action, group: name }) {
  const group = groups.get(validKey(name, 64)) ?? refuse("group-not-found", "no group has this name");
  if (BARRED.has(action) && group.banned.has(actor.key)) refuse("banned", "you are banned from this group");
  const needs = action === "members" && !group.isPrivate ? undefined : NEEDS[action];
  if (needs && !group.members.has(actor.key)) refuse("not-member", "you are not a member");
  if (needs === "owner" && group.owner !== actor.key) refuse("forbidden", "only the owner may do this");
  return group;
}

// Carries the request out, enters the event in the log and tells everyone concerned.
function stamp(group, actor, request) {
  const { action, dest, id } = request;
  const audience = new Set([...group.members, actor.key]);
  const target = dest === undefined ? undefined : validKey(dest, 32);
  const wasIn = group.members.has(target) || group.invited.has(target);
  EVENTS[action](group, actor.key, target, request);
  group.members.forEach((key) => audience.add(key));
  if (target !== undefined && (action !== "ban" || wasIn)) audience.add(target);

  const event = { action, ...told(actor), group: group.name };
  if (target !== undefined) event.dest = nameOf(target);
  if (action === "kick" || action === "ban") event.reason = request.reason ?? "";
  if (action === "cgroupe" && group.isPrivate) event.private = true;
  if (!group.members.has(group.owner)) {
    [group.owner] = group.members; // a set keeps the order of joining
    if (group.owner !== undefined) event.owner = nameOf(group.owner);
  }
  const now = new Date().toISOString();
  const last = group.log.at(-1)?.ts ?? now;
  Object.assign(event, { seq: lastSeq(group) + 1, ts: now > last ? now : last });
  event.msg = SENTENCES[action]({ ...request, ...event });
  if (id !== undefined) event.id = id;
  if (action === "invite") group.invited.set(target, event);
  group.log.push(event);
  tell([...audience].map((key) => users.get(key)), event);
  return event;
}

const timestamp = () => new Date().toISOString();
const listed = (title, names) => `${title}: ${names.join(", ") || "nobody"}`;

const ANSWERS = {
  "client-send"({ to, msg, id }, answer, { user }) {
    const target = users.get(validKey(to, 32));
    if (!target?.peers.size) refuse("user-not-found", "this user is not connected");
    tell([target, user], { action: "server-send", ...told(user), to: target.name, msg, ts: timestamp(), id });
  },
  "client-broadcast"({ msg, id }, answer, { user }) {
    tell(online(), { action: "server-broadcast", ...told(user), msg, ts: timestamp(), id });
  },
  "client-list-clients"({ after }, answer) {
    const { taken, more } = cut(online().map((user) => [user.key, user.name]), after);
    const list = taken.map(([, name]) => name);
    answer({ action: "server-list-clients", list, more, msg: listed("connected", list) });
  },
  "client-quit"(request, answer, peer) {
    answer({ action: "server-quit", ...(peer.user && told(peer.user)), msg: `goodbye ${peer.user?.name ?? ""}`.trim() });
    peer.close();
  },
  "client-error": (request, answer, peer) => ANSWERS["client-quit"](request, answer, peer),
  ping(request, answer) {
    answer({ action: "ping", ts: timestamp(), ...VERSION, msg: "pong" });
  },
  register({ password }, answer, { user }) {
    if (!user) wrong("sender", "say hello first");
    if (user.isGuest) refuse("forbidden", "a guest has no name to protect");
    if (user.password) refuse("forbidden", "this name has a password already");
    user.password = hashed(password);
    answer({ action: "register", ...told(user), msg: `the name ${user.name} is yours from now on` });
  },
  members(request, answer, { user }) {
    const group = enter(user, request);
    const isInside = group.members.has(user.key);
    const keys = isInside ? [...group.members, ...group.invited.keys(), ...group.banned] : [...group.members];
    const isOnline = (key) => users.get(key).peers.size > 0;
    const times = (key) => (group.members.has(key) && isOnline(key) ? 2 : 1);
    const { taken, more } = cut(keys.map((key) => [key, nameOf(key)]), request.after, times);
    const named = (wanted) => taken.filter(([key]) => wanted(key)).map(([, name]) => name);
    const list = named((key) => group.members.has(key));
    const online = named((key) => group.members.has(key) && isOnline(key));
    const inside = isInside && { invited: named((key) => group.invited.has(key)), banned: named((key) => group.banned.has(key)) };
    const owner = group.owner && nameOf(group.owner);
    const msg = listed(`members of ${group.name}`, list);
    answer({ action: "members", group: group.name, seq: lastSeq(group), list, online, owner, ...inside, more, msg });
  },
  groups({ after }, answer, { user: { key } }) {
    const visible = [...groups].filter(([, group]) => (!group.isPrivate && group.members.size) || group.members.has(key) || group.invited.has(key));
    const times = (name) => 1 + groups.get(name).isPrivate + groups.get(name).members.has(key);
    const { taken, more } = cut(visible.map(([name, group]) => [name, group.name, group]), after, times);
    const named = (wanted) => taken.filter(([, , group]) => wanted(group)).map(([, name]) => name);
    const list = named(() => true);
    const some = { private: named((group) => group.isPrivate), mine: named((group) => group.members.has(key)) };
    answer({ action: "groups", list, ...some, more, msg: listed("groups", list) });
  },
  msgs: (request, answer, { user }) => answer(page(enter(user, request), request, ({ action }) => action === "gbroadcast")),
  states: (request, answer, { user }) =>
    answer(page(enter(user, request), request, ({ action }) => request.all || action !== "gbroadcast")),
};

// What fits into one list of the entries [key, name, ...], by key, beyond `after`; an entry counts `times`.
function cut(entries, after, times = () => 1) {
  const least = after === undefined ? "" : keyOf(after);
  const beyond = entries.filter(([key]) => byKey(key, least) > 0).sort(byFirst);
  let names = 0;
  let bytes = 0;
  const end = beyond.findIndex(([key, name]) => {
    names += times(key);
    bytes += times(key) * (size(name) + 3);
    return names > LIST_NAMES || bytes > PAGE_BYTES;
  });
  return end < 0 ? { taken: beyond } : { taken: beyond.slice(0, end), more: true };
}

function page(group, { action, before, after, limit = 100 }, wanted) {
  const isBeyond = ({ seq }) => (after === undefined || seq > after) && (before === undefined || seq < before);
  const candidates = group.log.filter((event) => wanted(event) && isBeyond(event));
  if (after === undefined) candidates.reverse(); // the nearest first
  let bytes = 0;
  const isTooMuch = (event, index) => index === limit || ((bytes += size(JSON.stringify(event))) > PAGE_BYTES && index > 0);
  const end = candidates.findIndex(isTooMuch);
  const list = end < 0 ? candidates : candidates.slice(0, end);
  if (after === undefined) list.reverse();
  const texts = list.map(({ action, from, msg }) => (action === "gbroadcast" ? `${from}: ${msg}` : msg));
  const msg = [...line(texts.slice(-5).join(" | "))].slice(-1000).join("");
  const ends = list.length ? { first: list[0].seq, last: list.at(-1).seq } : {};
  return { action, group: group.name, list, more: end >= 0, ...ends, msg: msg || "nothing there" };
}

const { values: options } = parseArgs({ options: { port: { type: "string", default: "0" }, "port-file": { type: "string" } } });
const server = net.createServer({ allowHalfOpen: true }, (socket) => new Peer(socket, serve, depart));
server.listen(Number(options.port), "127.0.0.1", () => {
  const { port } = server.address();
  if (options["port-file"]) {
    fs.writeFileSync(`${options["port-file"]}.new`, `${port}\n`);
    fs.renameSync(`${options["port-file"]}.new`, options["port-file"]);
  }
  console.log(`listening on 127.0.0.1:${port}`);
});
