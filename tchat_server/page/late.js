// Texts of one's own that the server has not confirmed.

import { clean, make, say } from "./text.js";

export class Late {
  constructor(box) {
    Object.assign(this, { box, rows: new Map() });
  }

  /** *request* is not answered yet. */
  show(request) {
    if (!this.rows.has(request.id)) this.#put(request, "not-confirmed");
  }

  /** *request* will not be answered any more; *again* sends it once more, true if that could be done. */
  ask(request, again) {
    const onclick = () => again(request) && this.settle(request.id);
    this.settle(request.id);
    this.#put(request, "no-answer", make("button", { type: "button", onclick }, say("p.again")));
  }

  settle(id) {
    this.rows.get(id)?.remove();
    this.rows.delete(id);
  }

  #put(request, word, ...more) {
    const row = make("div", {}, `${clean(request.msg ?? request.action)} — ${say(word)} `, ...more);
    this.rows.set(request.id, row);
    this.box.append(row);
  }
}
