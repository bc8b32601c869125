// The conversations: which there are, which is open and what of it is read. What the server says goes where it belongs.

import { Chat, entryOf } from "./chat.js";
import { isEvent, key, patience } from "./protocol.js";
import { clean, mentions, refusal, say } from "./text.js";

const MOST_LOADED = 1000, MOST_KEPT = 200, PAGE = 100;
const ANSWERS = ["members", "groups", "server-list-clients"];

/** *store* keeps what was read; *page* is told opened(chat, before), changed(), alerted(chat, entry), and settled(id). */
export class Talk {
  constructor(link, log, store, page) {
    Object.assign(this, { link, log, store, page, chat: null, answers: new Map(), kept: [], muted: new Set() });
    this.everybody = new Chat("*", "all", "");
    this.chats = new Map([["*", this.everybody]]);
    log.isHidden = ({ kind, who }) => kind === "text" && this.#isMuted(who);
  }

  get mirror() {
    return this.link.mirror;
  }

  /** Those that are listed, in order: everybody ("all"), the groups ("group") one is in, whom one wrote with ("user"). */
  get listed() {
    const isListed = (it) => it.kind !== "group" || it === this.chat || this.mirror.view(it.name).isMember;
    return [...this.chats.values()].filter(isListed).sort((a, b) => (a.kind + key(a.name) < b.kind + key(b.name) ? -1 : 1));
  }

  get invitations() {
    return [...this.mirror.groups.values()].filter((view) => view.isInvited && !view.isMember);
  }

  get total() {
    return this.listed.reduce((sum, it) => sum + it.unread, 0);
  }

  group(name, seq = 0) {
    const id = `#${key(name)}`;
    if (!this.chats.has(id)) {
      const made = new Chat(id, "group", name);
      const kept = Number(this.store.get(this.#readKey(made))) || seq;
      made.read = seq ? Math.min(kept, seq) : kept;
      if (made.read < kept) this.store.set(this.#readKey(made), seq); // of a former server at this address
      this.chats.set(id, made);
    }
    return this.chats.get(id);
  }

  direct(name) {
    const id = `@${key(name)}`;
    if (!this.chats.has(id)) this.chats.set(id, new Chat(id, "user", name));
    return this.chats.get(id);
  }

  /** Open the group that was used last; count what is unread in the others. */
  begin() {
    this.muted = new Set(JSON.parse(this.store.get(this.#key("muted")) || "[]"));
    this.#recollect();
    for (const view of this.mirror.groups.values()) {
      if (!view.isMember) continue;
      const it = this.group(view.name, view.seq);
      if (view.seq > it.read) this.#count(it);
    }
    const last = this.chats.get(`#${this.store.get(this.#key("last"))}`);
    this.open(last ?? this.listed.find(({ kind }) => kind === "group") ?? this.everybody);
  }

  /** Show a conversation. *isAnswer*: the person asked for it in the line that is typed, and may type on. */
  open(it, isAnswer = false) {
    const before = isAnswer ? null : this.chat;
    if (this.chat) this.chat.marker = 0;
    if (this.chat !== it) this.chat?.trim();
    this.chat = it;
    it.marker = it.unread && it.kind === "group" ? it.read : 0;
    if (it.kind === "group") this.store.set(this.#key("last"), key(it.name));
    this.page.opened(it, before);
    this.log.show(it);
    if (it.kind !== "all" && !it.isLoaded) this.older(it);
    this.seen();
    this.page.changed();
  }

  /** Open the next conversation of the list, or the one before. */
  step(by) {
    const order = this.listed;
    this.open(order[(order.indexOf(this.chat) + by + order.length) % order.length]);
  }

  /** Empty the log; a group's texts can be had again. */
  clear() {
    Object.assign(this.chat, { entries: [], seqs: new Set(), hasOlder: this.chat.kind !== "all" });
    this.log.show(this.chat);
  }

  /** Show no texts of a user, and count none of a group; or do so again. */
  mute(name, isOn) {
    const user = key(name.replace("@", ""));
    const word = isOn ? "muted" : this.#isMuted(user) ? "unmuted" : "not-muted";
    if (isOn) this.muted.add(key(name));
    else for (const each of [user, `@${user}`]) this.muted.delete(each);
    this.store.set(this.#key("muted"), JSON.stringify([...this.muted]));
    this.log.show(this.chat);
    this.note(say(word, { name }));
  }

  #isMuted(name) {
    return this.muted.has(key(name)) || this.muted.has(`@${key(name)}`);
  }

  close(it) {
    this.chats.delete(it.id);
    if (it === this.chat) this.open(this.everybody);
  }

  /** What is shown of the current conversation is read, if anybody looks at its end. */
  seen() {
    const it = this.chat;
    if (!it || document.hidden || !this.log.isFollowing) return;
    if (it.unread) this.page.changed();
    Object.assign(it, { unread: 0, mentions: 0, hasMore: false });
    if (it.kind === "group" && it.last > it.read) {
      it.read = it.last;
      this.store.set(this.#readKey(it), it.read);
    }
  }

  /** Another tab of the same user has read: *name* and *value* are what it stored. */
  readElsewhere(name, value) {
    for (const it of this.chats.values()) {
      if (it === this.chat || name !== this.#readKey(it) || value < this.mirror.view(it.name).seq) continue;
      Object.assign(it, { read: value, unread: 0, mentions: 0, hasMore: false });
    }
    this.page.changed();
  }

  /** Ask for a page of what came before; again while the last read line is not among it. */
  older(it, then) {
    if (!it.hasOlder || it.kind === "all") return then?.();
    if (then) it.waiting.push(then);
    if (it.isLoading) return;
    const before = it.first;
    const group = it.kind === "user" ? `@${it.name}` : it.name;
    const asked = this.ask("states", { group, all: true, limit: PAGE, ...(before && { before }) }, (page) => {
      it.isLoading = false;
      if (page.action === "states") return this.#came(it, page, before);
      if (it.kind === "user" && !page.retry_after) return this.#came(it, { list: [], more: false }, before); // none are kept
      if (page.retry_after) return setTimeout(() => this.older(it), patience(page.retry_after) * 1000);
      it.waiting.length = 0; // the reason is said where it came from
      this.problem(refusal(page, { group: it.name }, this.mirror.name));
    });
    it.isLoading = Boolean(asked);
  }

  #came(it, { list, more, begins }, before) {
    const wasLoaded = it.isLoaded;
    Object.assign(it, { isLoaded: true, hasOlder: more, isCut: begins !== undefined });
    this.log.prepend(it, list.map((event) => entryOf(event, this.mirror)));
    const isSought = it.marker > 0 && it === this.chat && it.entries.length <= MOST_LOADED;
    if (isSought && it.first > it.marker) this.older(it);
    else if (it === this.chat && (!wasLoaded || (isSought && before > it.marker))) this.log.show(it);
    this.seen();
    for (const next of it.waiting.splice(0)) next();
  }

  /** Something the client itself says: in *it*, or as an answer to the person in what is open. */
  note(text, it = null, kind = "note") {
    this.log.add(it ?? this.chat ?? this.everybody, { kind, ts: new Date().toISOString(), text: clean(text), mine: !it });
  }

  problem(text) {
    this.note(text, null, "problem");
  }

  heard(notices, waited) {
    for (const notice of notices) {
      const { kind, message, request, group, count } = notice;
      if (kind === "heard" && this.answers.has(message.id)) {
        const then = this.answers.get(message.id);
        this.answers.delete(message.id);
        this.page.settled(message.id);
        then(message);
      } else if (kind === "heard") this.#take(message, notice, waited);
      else if (kind === "no-answer") this.page.unanswered(request);
      else this.note(say(kind, { group, count }), this.chats.get(group.startsWith("@") ? key(group) : `#${key(group)}`) ?? this.everybody);
    }
    this.page.changed();
  }

  /** The connection is gone, and with it the answers to the page's own questions. */
  lost() {
    this.answers.clear();
    for (const it of this.chats.values()) Object.assign(it, { isLoading: false, waiting: [] });
  }

  #take(message, { request, missed, quiet }, waited) {
    if (request) this.page.settled(request.id);
    const { action, event } = message;
    if (isEvent(message)) return this.#happened(message, request, missed);
    if (event) this.note(say(event, { name: message.name }), this.everybody);
    else if (action === "server-received") {
      if (!this.mirror.isMe(message.sender)) this.note(told(message, this.mirror), this.direct(message.sender));
    } else if (action === "server-send" || action === "server-broadcast") {
      const it = this.#placeOf(message);
      if (it.seqs.has(message.seq)) return; // this tab had it before the page was loaded again
      this.#keep(message);
      this.#spoke(it, entryOf(message, this.mirror, missed || undefined));
      if (message.kept && this.mirror.isMe(message.sender)) this.note(say("kept", { to: message.to }), it);
    } else if (!quiet && this.chat) this.#answered(message, request, waited);
  }

  #answered(message, request, milliseconds) {
    const { action, list = [], group, msg, mine } = message;
    if (action === "error") {
      const why = refusal(message, request, this.mirror.name);
      this.problem(request ? `${request.action}: ${why}` : why);
    } else if (action === "states" || action === "msgs") {
      const told = list.map((event) => [event, entryOf(event, this.mirror)]);
      const lines = told.map(([{ seq }, { kind, who, text }]) => `${seq}. ${kind === "text" ? `${who}: ${text}` : text}`);
      this.note(lines.join("\n") || say(`${action}.none`, { group }));
    } else if (action === "ping" && request) this.note(say("ping", { ...message, milliseconds }));
    else if (action === "register") this.note(say("register", { name: message.from }));
    else if (ANSWERS.includes(action)) {
      const text = list.length ? say(action, { count: list.length, names: list.join(", ") }) : say(`${action}.none`);
      this.note(mine?.length ? `${text}; ${say("groups.mine", { names: mine.join(", ") })}` : text);
    } else if (action !== "server-hello") this.note(clean(msg ?? JSON.stringify(message)));
  }

  #happened(event, request, missed) {
    const it = this.group(event.group, event.seq - 1);
    if (it.seqs.has(event.seq)) return;
    const { mirror } = this;
    const { isMember } = mirror.view(event.group);
    const isMine = mirror.isMe(event.sender);
    if (event.action === "cgroupe" || (event.action === "join" && isMine)) it.hasOlder = event.seq > 1;
    if (event.action === "redact") this.#redacted(it, event);
    const entry = entryOf(event, mirror, missed);
    if (mirror.isMe(event.dest) && !isMember && it !== this.chat) this.note(entry.text, this.chat);
    this.#spoke(it, entry);
    if (request && ["cgroupe", "join"].includes(event.action) && it !== this.chat) this.open(it, true);
    if (!isMember && event.action === "leave" && isMine) this.close(it);
  }

  #redacted(it, { redacts, author, group }) {
    const gone = { action: "gbroadcast", redacted: true, sender: author, group, seq: redacts, msg: "" };
    if (it.redact(redacts, entryOf(gone, this.mirror))) this.log.changed(it);
  }

  /** Not every server keeps texts between two users, and none those to everybody: this tab does, until it is closed. */
  #keep(message) {
    this.kept = [...this.kept, message].slice(-MOST_KEPT);
    this.store.set(this.#key("kept"), JSON.stringify(this.kept), true);
  }

  #recollect() {
    this.kept = JSON.parse(this.store.get(this.#key("kept"), true) || "[]");
    for (const message of this.kept) this.log.add(this.#placeOf(message), entryOf(message, this.mirror));
  }

  #placeOf({ action, from, to }) {
    return action === "server-send" ? this.direct(this.mirror.isMe(from) ? to : from) : this.everybody;
  }

  #spoke(it, entry) {
    this.log.add(it, entry);
    const isOpen = it === this.chat && !document.hidden;
    if (isOpen && (this.log.isFollowing || entry.mine)) return this.seen();
    if (entry.kind !== "text" || entry.mine || this.#isMuted(entry.who) || this.muted.has(key(it.name))) return;
    if (it === this.chat && !it.unread && document.hidden) it.marker = it.read;
    it.unread++;
    if (!entry.mention && it.kind !== "user") return;
    it.mentions++;
    if (!isOpen) this.page.alerted(it, entry);
  }

  #count(it) {
    it.unread = 1; // until it is known how many
    this.ask("msgs", { group: it.name, after: it.read }, ({ list = [], more }) => {
      if (it === this.chat) return;
      const texts = list.filter(({ sender }) => !this.mirror.isMe(sender));
      const count = texts.filter(({ msg }) => mentions(msg, this.mirror.name)).length;
      Object.assign(it, { unread: texts.length, mentions: count, hasMore: Boolean(more) });
    });
  }

  /** Send a request whose answer goes to *then*; null if it cannot be sent. */
  ask(action, fields, then, quiet = true) {
    const asked = this.link.send(action, fields, quiet);
    if (asked) this.answers.set(asked.id, then);
    return asked;
  }

  #readKey(it) {
    return `read.${key(this.mirror.name)}.${it.id}`;
  }

  #key(what) {
    return `${what}.${key(this.mirror.name)}`;
  }
}
