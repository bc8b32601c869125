// How a conversation is shown: a log that grows at both ends.

import { clean, face, locale, make, nick, say, spoken } from "./text.js";

const NEAR_END = 60, QUIET_MS = 300, MOST_READ_OUT = 20, TOGETHER_MS = 5 * 60_000;

const DAY = { weekday: "long", day: "numeric", month: "long", year: "numeric" };
const HOUR = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const WHOLE = { dateStyle: "long", timeStyle: "medium" };
const formats = new Map(); // to make one costs more than to use it a thousand times

function format(ts, options) {
  const name = locale() + JSON.stringify(options);
  if (!formats.has(name)) formats.set(name, new Intl.DateTimeFormat(locale(), options));
  return formats.get(name).format(new Date(ts));
}

const day = (ts) => format(ts, DAY);
const isSameDay = (a, b) => new Date(a).toDateString() === new Date(b).toDateString();

/** Shows one chat in *box*; `wantOlder` is called when its beginning comes into sight, `atEnd` when its end does. */
export class Log {
  constructor(box, down, wantOlder, atEnd) {
    Object.assign(this, { box, down, wantOlder, atEnd, chat: null, fresh: [], below: 0, marked: 0, isDue: false, isFollowing: true, isHidden: () => false });
    box.addEventListener("scroll", () => {
      if (box.scrollTop < 200 && this.chat?.hasOlder && !this.chat.isLoading) wantOlder(this.chat);
      if (box.clientHeight !== this.height) return; // who writes took of it, and #resized has not come yet
      if (!this.#follow()) return (down.hidden = false);
      this.#below(0);
      this.atEnd();
    }, { passive: true });
    new ResizeObserver(() => this.#resized()).observe(box);
    down.onclick = () => this.toEnd();
  }

  /** Find out whether the end is in sight: asking costs a layout, `isFollowing` does not. */
  #follow() {
    return (this.isFollowing = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < NEAR_END);
  }

  /** A panel or a keyboard takes of its height; in another width, pages that nobody sees have another height too. */
  #resized() {
    const { box } = this;
    if (box.clientWidth !== this.width) for (const page of box.querySelectorAll(".page")) page.replaceWith(...page.childNodes);
    [this.width, this.height] = [box.clientWidth, box.clientHeight];
    if (this.isFollowing) this.toEnd();
  }

  toEnd() {
    this.box.scrollTop = this.box.scrollHeight;
    this.isFollowing = true;
    this.#below(0);
  }

  /** Show *chat* from its marker on, else its end. */
  show(chat) {
    Object.assign(this, { chat, fresh: [] });
    this.#rebuild();
    this.toEnd();
    const marker = this.box.querySelector(".new");
    if (marker) this.box.scrollTop = marker.offsetTop - this.box.offsetTop - this.box.clientHeight / 4;
    this.#follow();
  }

  /** Add what has just happened; drawn with the next frame, however much comes at once. */
  add(chat, entry) {
    chat.entries.push(entry);
    if (entry.seq) chat.seqs.add(entry.seq);
    if (chat !== this.chat) return void chat.trim();
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
    this.#hush();
    const fromEnd = this.box.scrollHeight - this.box.scrollTop;
    let page = null;
    if (isEmpty || (chat.marker && known.at(-1)?.seq > chat.marker)) this.#rebuild(); // what is new begins further up
    else {
      const first = chat.entries[known.length];
      const old = this.box.querySelector(":not(.page)"); // the rule of its day
      if (known.length && isSameDay(known.at(-1).ts, first.ts) && old?.classList.contains("rule")) old.remove();
      this.box.prepend((page = make("div", { className: "page" }, this.#drawn(known))));
    }
    this.box.scrollTop = this.box.scrollHeight - fromEnd;
    if (!page) return;
    page.style.containIntrinsicHeight = `auto ${page.offsetHeight}px`;
    page.style.contentVisibility = "auto"; // out of sight it costs nothing, be they five hundred
  }

  /** Show *chat* anew: something in its middle is another one. */
  changed(chat) {
    if (chat !== this.chat) return;
    this.fresh = [];
    this.#rebuild();
    if (this.isFollowing) this.toEnd();
  }

  /** What was said before, or is too much at once, is not read out. */
  #hush() {
    this.box.ariaLive = "off";
    clearTimeout(this.hushed);
    this.hushed = setTimeout(() => (this.box.ariaLive = "polite"), QUIET_MS);
  }

  #draw() {
    this.isDue = false;
    if (!this.fresh.length) return;
    if (this.fresh.length > MOST_READ_OUT) this.#hush();
    const others = this.fresh.filter((entry) => !entry.mine).length;
    const rows = this.#rowsOf(this.fresh, this.chat.entries.at(-this.fresh.length - 1));
    this.box.querySelector(".empty")?.remove();
    this.box.append(rows);
    const isMine = this.fresh.some((entry) => entry.mine && !entry.missed);
    this.fresh = [];
    if (this.isFollowing || isMine) {
      if (this.chat.trim()) this.#forget();
      this.toEnd();
    } else this.#below(this.below + others);
  }

  /** Remove the rows of what was let go; the oldest one left is under its day, and has its name. */
  #forget() {
    const oldest = this.chat.entries.find((entry) => this.box.contains(entry.row ?? null));
    if (!oldest) return this.#rebuild();
    const gone = document.createRange();
    gone.setStart(this.box, 0);
    gone.setEndBefore(oldest.row);
    gone.deleteContents();
    const old = oldest.row;
    old.replaceWith(rule(day(oldest.ts)), (oldest.row = row(oldest, true)));
  }

  #rebuild() {
    const { chat } = this;
    this.marked = 0;
    this.#hush();
    this.box.replaceChildren(this.#drawn(chat.entries));
    if (!chat.entries.length) {
      this.box.append(make("p", { className: "empty" }, say(chat.kind === "all" ? "p.lobby" : "p.nothing")));
    }
  }

  /** The rows of the oldest *entries*. */
  #drawn(entries) {
    const { isLoaded, hasOlder, isCut, kind, name } = this.chat;
    const rows = this.#rowsOf(entries, null);
    if (isLoaded && !hasOlder && kind === "group") rows.prepend(rule(say(isCut ? "p.removed" : "p.begin", { to: name })));
    return rows;
  }

  #rowsOf(entries, before) {
    const rows = document.createDocumentFragment();
    const { marker } = this.chat;
    for (const entry of entries) {
      if (this.isHidden(entry)) continue;
      const isNew = marker > 0 && entry.seq > marker && this.marked !== marker;
      if (isNew) this.marked = marker;
      const isNewDay = !before || !isSameDay(before.ts, entry.ts);
      if (isNewDay) rows.append(rule(day(entry.ts)));
      if (isNew) rows.append(rule(say("p.new"), "new"));
      rows.append((entry.row = row(entry, isNewDay || isNew || !belongs(entry, before))));
      before = entry;
    }
    return rows;
  }

  #below(count) {
    this.below = count;
    this.down.hidden = this.isFollowing && !count;
    this.down.textContent = `↓ ${say("p.down")}${count ? ` (${count})` : ""}`;
  }
}

const rule = (text, kind = "") => make("div", { className: `rule ${kind}` }, clean(text));

/** Whether a text goes on under the name of the one *before* it. */
function belongs(entry, before) {
  return before.kind === "text" && before.who === entry.who && Date.parse(entry.ts) - Date.parse(before.ts) < TOGETHER_MS;
}

function row(entry, isFirst) {
  const { kind, who, text, ts, missed } = entry;
  const flags = ["mine", "mention", "missed"].filter((flag) => entry[flag]).join(" ");
  const time = make("time", { dateTime: ts, title: missed ? say("p.missed") : format(ts, WHOLE) }, format(ts, HOUR));
  const made = (more, ...children) => make("div", { className: `line ${kind} ${flags} ${more}` }, ...children);
  if (kind !== "text") return text.includes("\n") ? made("list", time, table(text)) : made("", time, make("span", {}, text));
  const isDoing = text.startsWith("/me ");
  const said = make("span", { className: `said ${isDoing ? "doing" : ""}`, dir: "auto" }, spoken(isDoing ? `${who} ${text.slice(4)}` : text));
  if (isFirst) return made("first", face(who), nick(who), time, said);
  return made("", time, make("span", { className: "off-screen" }, `${clean(who)}: `), said);
}

/** Lines, some of them with a tab between what is typed and what it does. */
function table(text) {
  const cells = text.split("\n").flatMap((line) => {
    const [typed, does] = line.split("\t");
    return does ? [make("code", {}, typed), make("span", {}, does)] : [make("span", { className: "wide" }, typed)];
  });
  return make("div", {}, ...cells);
}

/** Marks what holds a text among the entries that are loaded; `hits` are in order, the newest first. */
export class Search {
  constructor(box) {
    Object.assign(this, { box, hits: [], at: 0, from: null });
  }

  /** What is in sight now is where to begin. */
  begin({ entries }) {
    const { bottom } = this.box.getBoundingClientRect();
    this.from = entries.findLast(({ row }) => row?.getBoundingClientRect().bottom <= bottom);
  }

  /** Find *needle*, and show the hit number *at*, else the first one where it began or above. */
  run({ entries }, needle, at) {
    this.#mark(false);
    const folded = fold(needle);
    const found = folded ? [...entries.entries()].filter(([, { text, who = "" }]) => fold(`${who} ${text}`).includes(folded)).reverse() : [];
    const from = entries.indexOf(this.from);
    this.hits = found.map(([, entry]) => entry);
    this.at = at ?? Math.max(0, found.findIndex(([index]) => index <= from));
    if (folded && !found.length) this.from?.row.scrollIntoView({ block: "end" });
    this.step(0);
    return found.length;
  }

  step(by) {
    const { length } = this.hits;
    if (!length) return;
    this.#mark(false);
    this.at = (this.at + by + length) % length;
    this.#mark(true);
    this.hits[this.at].row?.scrollIntoView({ block: "center" });
  }

  #mark(isOn) {
    this.hits[this.at]?.row?.classList.toggle("hit", isOn);
  }
}

const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
