// One conversation and how it is shown: a log that grows at both ends.

import { clean, language, make, mentions, nick, say, spoken, told } from "./text.js";

const MOST_LINES = 3000, PAGE = 100, NEAR_END = 60;

/** A conversation: a group, a user, or everybody ("*"). `entries` rise by seq where they have one. */
export class Chat {
  constructor(id, kind, name) {
    Object.assign(this, { id, kind, name, entries: [], seqs: new Set(), unread: 0, mentions: 0, read: 0 });
    Object.assign(this, { isLoaded: false, isLoading: false, hasOlder: kind === "group", marker: 0, waiting: [] });
  }

  get first() {
    return this.entries.find((entry) => entry.seq)?.seq ?? null;
  }

  get last() {
    return this.entries.findLast((entry) => entry.seq)?.seq ?? 0;
  }
}

const day = (ts) => new Date(ts).toLocaleDateString(language(), { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const hour = (ts) => new Date(ts).toLocaleTimeString(language(), { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export function entryOf(message, mirror, missed = false) {
  const { action, seq, sender, msg, ts = new Date().toISOString() } = message;
  const isText = ["gbroadcast", "server-send", "server-broadcast"].includes(action);
  const mine = mirror.isMe(sender);
  const mention = isText && !mine && mentions(msg, mirror.name);
  return { kind: isText ? "text" : "event", seq, ts, who: sender, text: isText ? msg : told(message, mirror), missed, mine, mention };
}

/** Shows one chat in *box*; `wantOlder` is called when its beginning comes into sight. */
export class Log {
  constructor(box, down, wantOlder) {
    Object.assign(this, { box, down, wantOlder, chat: null, fresh: [], below: 0, isDue: false });
    box.addEventListener("scroll", () => {
      if (box.scrollTop < 200 && this.chat?.hasOlder && !this.chat.isLoading) wantOlder(this.chat);
      if (this.isAtEnd()) this.#below(0);
    }, { passive: true });
    down.onclick = () => this.toEnd();
  }

  isAtEnd() {
    return this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < NEAR_END;
  }

  toEnd() {
    this.box.scrollTop = this.box.scrollHeight;
    this.#below(0);
  }

  /** Show *chat* from its marker on, else its end. */
  show(chat) {
    Object.assign(this, { chat, fresh: [] });
    this.box.ariaLive = "off"; // what was there already is not announced
    this.#rebuild();
    this.toEnd();
    const marker = this.box.querySelector(".new");
    if (marker) this.box.scrollTop = marker.offsetTop - this.box.offsetTop - this.box.clientHeight / 4;
    requestAnimationFrame(() => (this.box.ariaLive = "polite"));
  }

  /** Add what has just happened; drawn with the next frame, however much comes at once. */
  add(chat, entry) {
    chat.entries.push(entry);
    if (entry.seq) chat.seqs.add(entry.seq);
    if (chat !== this.chat) return;
    this.fresh.push(entry);
    if (this.isDue) return;
    this.isDue = true;
    if (document.hidden) setTimeout(() => this.#draw(), 50);
    else requestAnimationFrame(() => this.#draw());
  }

  /** Add older entries above, without moving what is being read. */
  prepend(chat, entries) {
    const known = entries.filter((entry) => !chat.seqs.has(entry.seq));
    const isEmpty = !chat.entries.length;
    if (chat === this.chat) this.#draw();
    chat.entries.unshift(...known);
    for (const { seq } of known) chat.seqs.add(seq);
    if (chat !== this.chat) return;
    const fromEnd = this.box.scrollHeight - this.box.scrollTop;
    if (isEmpty || chat.marker) this.#rebuild();
    else {
      const first = chat.entries[known.length];
      const old = this.box.firstElementChild; // the rule of its day
      if (known.length && day(known.at(-1).ts) === day(first.ts) && old?.classList.contains("rule")) old.remove();
      this.box.prepend(this.#drawn(known));
    }
    this.box.scrollTop = this.box.scrollHeight - fromEnd;
  }

  #draw() {
    this.isDue = false;
    if (!this.fresh.length) return;
    const wasAtEnd = this.isAtEnd();
    const others = this.fresh.filter((entry) => !entry.mine).length;
    let before = this.chat.entries.at(-this.fresh.length - 1);
    const rows = document.createDocumentFragment();
    for (const entry of this.fresh) {
      rows.append(...this.#rows(entry, before));
      before = entry;
    }
    this.box.querySelector(".empty")?.remove();
    this.box.append(rows);
    const isMine = this.fresh.some((entry) => entry.mine && !entry.missed);
    this.fresh = [];
    if (wasAtEnd || isMine) {
      this.#trim();
      this.toEnd();
    } else this.#below(this.below + others);
  }

  #trim() {
    const chat = this.chat;
    if (chat.entries.length <= MOST_LINES + PAGE) return;
    for (const { seq } of chat.entries.splice(0, chat.entries.length - MOST_LINES)) chat.seqs.delete(seq);
    chat.hasOlder = chat.kind === "group";
    this.#rebuild();
  }

  #rebuild() {
    const { chat } = this;
    this.box.replaceChildren(this.#drawn(chat.entries));
    if (!chat.entries.length) {
      this.box.append(make("p", { className: "dim empty" }, say(chat.kind === "all" ? "p.lobby" : "p.nothing")));
    }
  }

  /** The rows of the oldest *entries*. */
  #drawn(entries) {
    const { chat } = this;
    const rows = document.createDocumentFragment();
    if (chat.isLoaded && !chat.hasOlder && chat.kind === "group") rows.append(rule(say("p.begin", { to: chat.name })));
    let before;
    for (const entry of entries) {
      if (chat.marker && entry.seq > chat.marker && !(before?.seq > chat.marker)) rows.append(rule(say("p.new"), "new"));
      rows.append(...this.#rows(entry, before));
      before = entry;
    }
    return rows;
  }

  #rows(entry, before) {
    const rows = before && day(before.ts) === day(entry.ts) ? [] : [rule(day(entry.ts))];
    const flags = ["mine", "mention", "missed"].filter((flag) => entry[flag]).join(" ");
    const time = make("time", { dateTime: entry.ts, title: entry.missed ? say("p.missed") : entry.ts }, hour(entry.ts));
    const body = make("span");
    if (entry.kind === "text") body.append(nick(entry.who), ": ", spoken(entry.text));
    else body.append(entry.text);
    if (entry.kind === "event") body.prepend("— ");
    const row = make("div", { className: `line ${entry.kind} ${flags}` }, time, body);
    entry.row = row;
    return [...rows, row];
  }

  #below(count) {
    this.below = count;
    this.down.hidden = this.isAtEnd() && !count;
    this.down.textContent = `↓ ${say("p.down")}${count ? ` (${count})` : ""}`;
  }
}

const rule = (text, kind = "") => make("div", { className: `rule ${kind}` }, clean(text));

/** Marks what holds *needle* among the entries that are shown, from the newest. */
export class Search {
  constructor() {
    this.hits = [];
    this.at = -1;
  }

  run(chat, needle) {
    for (const { row } of this.hits) row?.classList.remove("hit");
    const folded = needle.normalize("NFKD").toLowerCase();
    const holds = ({ text, who = "" }) => `${who} ${text}`.normalize("NFKD").toLowerCase().includes(folded);
    this.hits = folded ? chat.entries.filter(holds).reverse() : [];
    this.at = -1;
    return this.hits.length;
  }

  next() {
    if (!this.hits.length) return;
    this.hits[this.at]?.row?.classList.remove("hit");
    this.at = (this.at + 1) % this.hits.length;
    const { row } = this.hits[this.at];
    row?.classList.add("hit");
    row?.scrollIntoView({ block: "center" });
  }
}
