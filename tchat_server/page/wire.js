// The wire: every object out and in, and what was understood by it.

import { fault, isEvent } from "./protocol.js";
import { clean, make, say, told } from "./text.js";

const MOST = 300;

export class Wire {
  constructor(box, mirror) {
    Object.assign(this, { box, mirror });
  }

  add = (direction, text, about) => {
    const shown = clean(text).replace(/("(?:password|token)":")(?:[^"\\]|\\.)*/g, "$1***");
    const time = new Date().toLocaleTimeString([], { hour12: false });
    this.box.append(make("li", { className: direction }, make("code", {}, shown), make("small", {}, `${time} ${this.#about(direction, about)}`)));
    while (this.box.childElementCount > MOST) this.box.firstChild.remove();
    this.box.scrollTop = this.box.scrollHeight;
  };

  #about(direction, { message, quiet, asked, waited, notices = [] }) {
    if (!message) return direction === "out" ? "" : say("p.wire-unknown");
    if (direction === "out") return quiet ? say("p.wire-asks") : "";
    const parts = [];
    if (asked) parts.push(say("p.wire-answer", { action: asked.request.action, ms: waited ?? 0 }));
    if (isEvent(message)) {
      const view = this.mirror().view(message.group);
      if (message.action !== "gbroadcast") parts.push(told(message, this.mirror()));
      if (!notices.length) parts.push(say(view.held.has(message.seq) ? "p.wire-held" : "p.wire-repeat"));
    } else if (message.msg && message.action !== "states") parts.push(clean(message.msg).slice(0, 120));
    return parts.join(" · ");
  }

  /** Say what a server will refuse in an object that is typed. */
  check(text) {
    if (!text.trim()) return "";
    let found;
    try {
      found = JSON.parse(text);
    } catch {
      return say("error.bad-json");
    }
    const wrong = fault(found);
    return wrong ? say("p.wire-fault", wrong) : "";
  }
}
