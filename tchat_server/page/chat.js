// A conversation, and what is in it.

import { mentions, say, told } from "./text.js";

const MOST_ENTRIES = 3000, SLACK = 100;

/** A group, a user, or everybody ("*"). `entries` rise by seq where they have one. */
export class Chat {
  constructor(id, kind, name) {
    Object.assign(this, { id, kind, name, entries: [], seqs: new Set(), draft: "", unread: 0, mentions: 0, hasMore: false, read: 0 });
    Object.assign(this, { isLoaded: false, isLoading: false, hasOlder: kind !== "all", marker: 0, waiting: [] });
  }

  /** Let the oldest entries go when there are too many; true if some went. What is kept can be had again. */
  trim() {
    if (this.entries.length <= MOST_ENTRIES + SLACK) return false;
    for (const { seq } of this.entries.splice(0, this.entries.length - MOST_ENTRIES)) this.seqs.delete(seq);
    this.hasOlder = this.kind !== "all";
    return true;
  }

  /** Let the text *seq*, which was removed, be *entry*; true if it was here. */
  redact(seq, entry) {
    const at = this.entries.findIndex((each) => each.seq === seq);
    if (at >= 0) this.entries[at] = { ...entry, ts: this.entries[at].ts, row: null };
    return at >= 0;
  }

  get first() {
    return this.entries.find((entry) => entry.seq)?.seq ?? null;
  }

  get last() {
    return this.entries.findLast((entry) => entry.seq)?.seq ?? 0;
  }
}

const TEXTS = ["gbroadcast", "server-send", "server-broadcast"];

/** What *message* is in a conversation: {kind: "text" or "event", seq, ts, who, text, missed, mine, mention}. */
export function entryOf(message, mirror, missed = message.kept === true && !mirror.isMe(message.sender)) {
  const { action, seq, msg, redacted, ts = new Date().toISOString() } = message;
  const sender = message.sender === "server" ? say("announce") : message.sender;
  const isText = TEXTS.includes(action) && !redacted;
  const mine = mirror.isMe(sender);
  const mention = isText && !mine && mentions(msg, mirror.name);
  const text = () => (isText ? msg : told(message, mirror)); // in the language of the moment
  return { kind: isText ? "text" : "event", seq, ts, who: sender, missed, mine, mention, get text() { return text(); } };
}
