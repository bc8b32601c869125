// The wire: every object out and in, and what was understood by it.

import { fault, isEvent } from "./protocol.js";
import { clean, locale, make, refusal, say, told } from "./text.js";

const MOST = 300, NEAR_END = 60, LONG = 1500;
const SECRET = /("(?:password|old|invitation|token)"\s*:\s*")(?:[^"\\]|\\.)*/g;
const TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?/g;

export class Wire {
  constructor(box, mirror) {
    Object.assign(this, { box, mirror, entries: [], isShown: false });
  }

  add = (direction, text, about) => {
    const meaning = this.#understood(direction, about);
    const entry = { direction, text, meaning, at: new Date() };
    this.entries = [...this.entries.slice(1 - MOST), entry];
    if (!this.isShown) return; // what nobody looks at costs next to nothing
    const isAtEnd = this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < NEAR_END;
    this.box.append(row(entry));
    while (this.box.childElementCount > MOST) this.box.firstChild.remove();
    if (isAtEnd) this.box.scrollTop = this.box.scrollHeight;
  };

  show(isOn) {
    this.isShown = isOn;
    this.box.replaceChildren(...(isOn ? this.entries.map(row) : []));
    this.box.scrollTop = this.box.scrollHeight;
  }

  clear() {
    this.entries = [];
    this.show(this.isShown);
  }

  #understood(direction, { message, quiet, asked, waited, notices = [] }) {
    if (!message) return direction === "out" ? say("p.wire-yours") : say("p.wire-unknown");
    if (direction === "out") return quiet ? say("p.wire-asks") : say("p.wire-you");
    const parts = asked ? [say("p.wire-answer", { action: asked.request.action, ms: waited ?? 0 })] : [];
    if (isEvent(message)) {
      const { seq, group, action } = message;
      parts.push(say("p.wire-seq", { group, seq }));
      if (action !== "gbroadcast") parts.push(told(message, this.mirror()));
      if (!notices.length) parts.push(say(this.mirror().view(group).held.has(seq) ? "p.wire-held" : "p.wire-repeat"));
    } else if (message.code) parts.push(refusal(message, asked?.request, this.mirror().name));
    else if (message.event) parts.push(say(message.event, { name: message.name }));
    return parts.join(" · ") || message.action;
  }

  /** Say what a server will refuse in an object that is typed. */
  check(text) {
    if (!text.trim()) return "";
    let found;
    try {
      found = JSON.parse(text);
    } catch {
      return say("problem.json", { example: '{"action":"ping"}' });
    }
    const wrong = fault(found);
    return wrong ? say("p.wire-fault", wrong) : "";
  }
}

function row({ direction, text, meaning, at }) {
  const time = at.toLocaleTimeString(locale(), { hourCycle: "h23" });
  const arrow = make("b", {}, direction === "out" ? "→" : "←");
  return make("li", { className: direction }, make("small", {}, arrow, make("span", {}, meaning), make("time", {}, time)), coloured(text));
}

/** JSON with its keys dim and its action strong; secrets are left out. */
function coloured(text) {
  const code = make("code", text.length > LONG ? { className: "long", tabIndex: 0 } : {});
  const shown = clean(text).replace(SECRET, "$1***");
  let from = 0, isAction = false;
  for (const { 0: whole, 1: string, 2: colon, index } of shown.matchAll(TOKEN)) {
    code.append(shown.slice(from, index), make("wbr"));
    if (colon) code.append(make("i", {}, whole));
    else code.append(isAction ? make("b", {}, string) : string);
    isAction = colon !== undefined && string === '"action"';
    from = index + whole.length;
  }
  code.append(shown.slice(from));
  return code;
}
