// The mirror: what is known of the groups, what is missing, and what is new to show.

import { key } from "./names.js";
import { LIMITS } from "./words.js";

const MOST_MEMBERS = 100_000, MOST_RESTARTS = 10; // beyond, a group's members stay unknown, whatever the server answers
const EVENTS = new Set(["cgroupe", "join", "leave", "invite", "kick", "ban", "unban", "gbroadcast", "close", "redact"]);
export const isEvent = (message) => EVENTS.has(message.action) && Number.isInteger(message.seq);
const KEPT = new Set(["server-send", "server-received"]);
/** Whether *message* is an event in the log of two users. */
export const isKept = (message) => KEPT.has(message.action) && Number.isInteger(message.seq);
const isTexts = (name) => name.startsWith("@"); // the log of the texts with a user, not a group

/** One group as this user knows it, or the texts with another one that are kept ("@bob"). `group` is the fold of its events: {owner, members, invited, banned}, or null. */
class View {
  constructor(name) {
    Object.assign(this, { name, seq: 0, ts: "", isMember: false, isInvited: false, group: null, held: new Map() });
    Object.assign(this, { target: 0, caughtUp: 0, wantsMembers: false, membersAfter: null, membersRestarts: 0, isAsking: false, isUnsure: false });
  }

  get hasGap() {
    return this.isMember && this.target > this.seq;
  }

  restart(seq) {
    Object.assign(this, { seq, ts: "", target: seq, group: null, caughtUp: 0, isUnsure: false });
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
  if (event.action === "close") next.closed = event.undone !== true;
  if (["gbroadcast", "close", "redact"].includes(event.action)) return next;
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
    Object.assign(this, { texts: new Map(), owesSign: false, pending: new Map(), presence: 0 }); // presence: another number when `online` is another set
  }

  view(name) {
    const it = key(name);
    const views = isTexts(name) ? this.texts : this.groups;
    let view = views.get(it);
    if (!view) views.set(it, (view = new View(name)));
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
    for (const view of [...this.groups.values(), ...this.texts.values()]) {
      if (view.isAsking) continue;
      if (view.hasGap || (view.isMember && view.isUnsure)) {
        wanted.push({ action: "states", group: view.name, after: view.seq, limit: LIMITS.max_page_entries, all: true });
      } else if (view.isMember && view.wantsMembers) {
        wanted.push({ action: "members", group: view.name, ...(view.membersAfter === null ? {} : { after: view.membersAfter }) });
      }
    }
    if (this.owesSign) wanted.push({ action: "ping" }); // what waited has come: whatever is asked next says so
    this.owesSign = false;
    return wanted;
  }

  /** Forget what only the lost connection could have answered. */
  disconnected() {
    const lost = [...this.pending.values()].filter((each) => !each.quiet);
    this.pending.clear();
    this.online.clear();
    this.presence++;
    this.owesSign = false;
    for (const view of [...this.groups.values(), ...this.texts.values()]) view.isAsking = false;
    return lost.map(({ request: asked }) => ({ kind: "no-answer", request: asked }));
  }

  /** Take in what the server sent. */
  apply(message) {
    const pending = this.pending.get(message.id);
    this.pending.delete(message.id);
    const asked = pending?.request ?? null;
    const quiet = pending?.quiet ?? false;
    if (isEvent(message) || isKept(message)) return this.#happened(message, asked);
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

  /** What the pages of an event's log are asked by. */
  #logOf(event) {
    return isKept(event) ? `@${this.isMe(event.sender) ? event.to : event.sender}` : event.group;
  }

  #happened(event, asked) {
    const view = this.view(this.#logOf(event));
    if (event.seq <= view.seq) {
      if (event.ts <= view.ts || !view.ts) return asked ? [{ kind: "heard", message: event, request: asked }] : [];
      view.restart(0); // the server began a new log
    }
    if (!view.isMember) {
      view.restart(event.seq - 1);
      view.isMember = event.action !== "server-received" && !this.#reachesOutsider(event);
      view.wantsMembers = view.isMember && event.action !== "cgroupe" && !isKept(event);
      view.membersAfter = null;
    }
    if (event.seq === view.seq + 1) return [this.#showLive(view, event, asked), ...this.#release(view)];
    view.held.set(event.seq, { event, asked });
    view.target = Math.max(view.target, event.seq);
    return [];
  }

  #show(view, event, asked, missed) {
    Object.assign(view, { seq: event.seq, ts: event.ts, target: Math.max(view.target, event.seq) });
    if (view.group || event.action === "cgroupe") {
      if (!view.group || event.seq > view.group.seq) {
        view.group = evolve(view.group, event);
        if (!view.group) view.wantsMembers = true;
      }
    }
    if (this.isMe(event.dest ?? event.sender)) view.isInvited = event.action === "invite";
    if (event.kept && this.isMe(event.to)) this.owesSign = true;
    view.caughtUp += missed;
    this.#meet(event.sender);
    if (event.dest) this.#meet(event.dest);
    return { kind: "heard", message: event, request: asked, missed };
  }

  /** Show what came live: what it does to one's membership holds now. */
  #showLive(view, event, asked) {
    const heard = this.#show(view, event, asked, false);
    if (view.isMember && this.#reachesOutsider(event)) this.#leave(view);
    return heard;
  }

  #release(view) {
    const notices = [];
    for (let held; (held = view.held.get(view.seq + 1)); ) {
      view.held.delete(held.event.seq);
      notices.push(this.#showLive(view, held.event, held.asked));
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
    view.isUnsure = false;
    if (view.isMember && page.begins > view.seq + 1) {
      notices.push({ kind: "missing", group: view.name, count: page.begins - view.seq - 1 });
      Object.assign(view, { seq: page.begins - 1, target: Math.max(view.target, page.begins - 1), group: null });
      view.wantsMembers = !isTexts(view.name);
    }
    if (page.more && page.last) view.target = Math.max(view.target, page.last + 1);
    for (const event of page.list) {
      if (event.seq !== view.seq + 1) continue;
      const live = view.held.get(event.seq);
      notices.push(this.#show(view, event, live?.asked ?? null, !live));
    }
    notices.push(...this.#release(view));
    if (view.seq === before && view.hasGap) notices.push(...this.#giveUp(view));
    return notices;
  }

  #giveUp(view) {
    const notices = [];
    for (const { event, asked } of [...view.held.values()].sort((a, b) => a.event.seq - b.event.seq)) {
      view.held.delete(event.seq);
      if (event.seq <= view.seq) continue;
      if (event.seq > view.seq + 1) {
        notices.push({ kind: "missing", group: view.name, count: event.seq - view.seq - 1 });
        view.group = null;
      }
      notices.push(this.#showLive(view, event, asked));
    }
    if (view.target > view.seq) {
      notices.push({ kind: "missing", group: view.name, count: view.target - view.seq });
      view.restart(view.target);
    }
    Object.assign(view, { caughtUp: 0, isUnsure: false });
    view.wantsMembers = view.group === null && !isTexts(view.name);
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
    if (isKept(event)) return event.reader !== undefined && !this.isMe(event.reader); // not one's to read later
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
    for (const view of this.texts.values()) view.isUnsure = view.seq > 0;
    for (const [it, name] of mine) {
      const view = this.view(name);
      const last = hello.seqs[name] ?? view.seq;
      if (view.isMember && last < view.seq) view.restart(0);
      else if (!view.isMember) {
        view.restart(last);
        view.isMember = true;
      }
      view.target = last;
      view.isInvited = false;
      Object.assign(view, { wantsMembers: view.group === null, membersAfter: null, membersRestarts: 0 });
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
    if (!name || name === "server") return; // what an operator does
    this.users.set(key(name), name);
    if (isOnline === null || isOnline === this.online.has(key(name))) return;
    this.presence++;
    if (isOnline) this.online.add(key(name));
    else this.online.delete(key(name));
  }

  #learnMembers(page, after) {
    const view = this.view(page.group);
    page.list.forEach((name) => this.#meet(name));
    page.online.forEach((name) => this.#meet(name, true));
    if (!view.isMember || (after !== null && after !== view.membersAfter)) return;
    const known = after === null ? null : view.group;
    if (after !== null && (known === null || known.seq !== page.seq)) {
      view.membersAfter = null; // the group has moved on in between: from the start, but not for ever
      view.wantsMembers = ++view.membersRestarts < MOST_RESTARTS;
      return;
    }
    const fill = (map, names) => new Map([...(map ?? []), ...(names ?? []).map((name) => [key(name), name])]);
    view.group = {
      seq: page.seq,
      closed: page.closed === true,
      owner: page.owner === undefined ? null : key(page.owner),
      members: fill(known?.members, page.list),
      invited: fill(known?.invited, page.invited),
      banned: fill(known?.banned, page.banned),
    };
    const names = [...page.list, ...(page.invited ?? []), ...(page.banned ?? [])];
    const last = names.length ? names.reduce((a, b) => (key(a) > key(b) ? a : b)) : "";
    const { members, invited, banned } = view.group;
    const isMore = page.more === true && key(last) > key(after ?? "");
    view.wantsMembers = isMore && members.size + invited.size + banned.size < MOST_MEMBERS;
    view.membersAfter = view.wantsMembers ? last : null;
    if (!page.more) view.membersRestarts = 0;
  }
}
