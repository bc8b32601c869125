// A user's connection to a server over WebSocket, and then the next one. No page in here.

import { Mirror, SUBPROTOCOL, patience, read, request } from "./protocol.js";

const OPENING_SECONDS = 20, IDLE_SECONDS = 25, FRESH_SECONDS = 5, DEAD_SECONDS = 10, UNCONFIRMED_SECONDS = 3;
const FIRST_RETRY_SECONDS = 0.5, LAST_RETRY_SECONDS = 30, SETTLED_SECONDS = 10;
const FOR_EVER = new Set(["bad-name", "auth-required", "auth-failed", "forbidden"]);

/** Return 64 random bits as text (R-client-id). */
export function randomId() {
  return [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What cannot be done with one message is told to the browser's console; the next ones are not to suffer. */
function attempt(act) {
  try {
    return act();
  } catch (error) {
    (globalThis.reportError ?? console.error)(error);
    return null;
  }
}

/** Stays connected as one user, keeps `mirror` complete, and tells *watcher* what happens:
 *  heard(notices), status(state, seconds), refused(error), wire(direction, text, about), unconfirmed(request), token(token). */
export class Link {
  constructor(url, { name = "", password = "", token = "", watcher = {}, socket = globalThis.WebSocket } = {}) {
    Object.assign(this, { url, name, password, token, watcher, Socket: socket, mirror: new Mirror(name) });
    Object.assign(this, { isOpen: false, isOver: false, socket: null, failures: 0, timers: new Set(), restingUntil: 0 });
  }

  open() {
    clearTimeout(this.retry);
    this.retry = null;
    this.#tell("status", "connecting");
    const socket = new this.Socket(this.url, SUBPROTOCOL);
    this.socket = socket;
    this.#after(OPENING_SECONDS, () => this.isOpen || this.#giveUp());
    socket.onopen = () => {
      const { password, token } = this;
      const hello = { ...(token && { token }), ...(password && { password }), id: randomId() };
      this.#write(request("client-hello", hello, this.name), true);
    };
    socket.onmessage = ({ data }) => socket === this.socket && this.#take(data);
    socket.onclose = ({ code }) => socket === this.socket && this.#lost(code);
  }

  /** Try again at once, if it is waited for the next try; see else whether the server is still there. */
  wake() {
    if (this.retry) this.open();
    else if (this.isOpen && Date.now() - this.heardAt > FRESH_SECONDS * 1000) this.#probe();
  }

  /** Send a request; returns it as it went, null if there is no connection. */
  send(action, fields = {}, quiet = false) {
    if (!this.isOpen) return null;
    const made = request(action, { ...fields, id: fields.id ?? randomId() }, this.mirror.name);
    this.#write(made, quiet);
    if (!quiet) this.#after(UNCONFIRMED_SECONDS, () => this.mirror.pending.has(made.id) && this.#tell("unconfirmed", made));
    return made;
  }

  /** Send a text as it is. */
  sendRaw(text) {
    if (!this.isOpen) return false;
    this.socket.send(text);
    this.#tell("wire", "out", text, {});
    return true;
  }

  /** Say goodbye; nothing comes back. */
  quit() {
    this.isOver = true;
    clearTimeout(this.retry);
    this.retry = null;
    if (this.isOpen) this.send("client-quit", {}, true);
    else this.socket?.close();
  }

  #write(message, quiet) {
    this.mirror.sent(message, quiet);
    const text = JSON.stringify(message);
    this.askedAt ??= new Map();
    this.askedAt.set(message.id, Date.now());
    this.socket.send(text);
    this.#tell("wire", "out", text, { message, quiet });
  }

  #take(text) {
    this.heardAt = Date.now();
    const message = read(text);
    if (!message) return this.#tell("wire", "in", text, {});
    const waited = this.askedAt?.has(message.id) ? Date.now() - this.askedAt.get(message.id) : null;
    const asked = this.mirror.pending.get(message.id);
    this.askedAt?.delete(message.id);
    const notices = attempt(() => this.mirror.apply(message)) ?? [];
    this.#tell("wire", "in", text, { message, asked, waited, notices });
    if (asked?.request.action === "client-hello") this.#greeted(message);
    if (message.action === "register" && asked) this.password = asked.request.password; // for the next server, which knows no token
    if (message.action === "server-quit" && !this.isOver) this.failures = Math.max(this.failures, 1);
    if (notices.length) this.#tell("heard", notices, waited);
    for (const { quiet, message: each } of notices) if (quiet && each.action === "error") this.#rest(patience(each.retry_after));
    this.#pump();
  }

  #greeted(message) {
    if (message.action === "server-hello") {
      Object.assign(this, { isOpen: true, openedAt: Date.now(), token: message.token });
      this.name = /^guest-\d+$/.test(message.from) ? "" : message.from;
      this.#tell("token", message.token);
      this.#tell("status", "online");
      this.#keepAlive();
    } else if (message.action === "error") {
      if (message.code === "name-in-use" && this.openedAt) return this.socket.close(); // our own old connection, perhaps
      if (!FOR_EVER.has(message.code) && this.openedAt) return this.socket.close();
      this.isOver = true;
      this.#tell("refused", message);
      this.socket.close();
    }
  }

  #lost(code) {
    this.socket = null; // what it still says is of no interest
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    this.askedAt?.clear();
    const wasOpen = this.isOpen;
    this.isOpen = false;
    const notices = this.mirror.disconnected();
    if (wasOpen && notices.length) this.#tell("heard", notices);
    if (this.isOver) return this.#tell("status", "over");
    this.failures = wasOpen && Date.now() - this.openedAt > SETTLED_SECONDS * 1000 ? 0 : this.failures + 1;
    const most = Math.min(LAST_RETRY_SECONDS, FIRST_RETRY_SECONDS * 2 ** Math.min(this.failures, 10));
    const seconds = most * (0.5 + Math.random() / 2);
    this.retry = setTimeout(() => this.open(), seconds * 1000);
    this.#tell("status", "offline", seconds, code);
  }

  #keepAlive() {
    const seconds = Math.max(1, IDLE_SECONDS - (Date.now() - this.heardAt) / 1000);
    this.#after(seconds, () => {
      if (Date.now() - this.heardAt >= IDLE_SECONDS * 1000) this.#probe();
      this.#keepAlive();
    });
  }

  /** Ask for a sign of life; a server that stays silent is gone, whatever the socket says. */
  #probe() {
    const askedAt = Date.now();
    this.send("ping", {}, true);
    this.#after(DEAD_SECONDS, () => this.heardAt >= askedAt || this.#giveUp());
  }

  /** Close, and wait for no answer: there may be nobody. */
  #giveUp() {
    this.socket.close();
    this.#lost(1006);
  }

  #pump() {
    if (!this.isOpen || Date.now() < this.restingUntil) return;
    for (const { action, ...fields } of this.mirror.wanted()) this.send(action, fields, true);
  }

  #rest(seconds) {
    this.restingUntil = Date.now() + seconds * 1000;
    this.#after(seconds + 0.01, () => this.#pump());
  }

  #after(seconds, act) {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      act();
    }, seconds * 1000);
    this.timers.add(timer);
  }

  #tell(what, ...about) {
    attempt(() => this.watcher[what]?.(...about));
  }
}
