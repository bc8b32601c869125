// One connection: what it reads, and when what it is told is written.
"use strict";

const { Cutter } = require("./wire.js");

const MAX_QUEUE_BYTES = 2 ** 20;
const PACE_MS = 20;
const PACED_PRESENCE = 32;
const SILENT_MS = 60e3;
const MID_FRAME_MS = 30e3;
const CLOSING_MS = 10e3;

class Peer {
  user = null;
  saysCgroup = false;
  #socket;
  #serve;
  #depart;
  #cutter = new Cutter();
  #queue = [];
  #queued = 0;
  #isPaced = true;
  #last = 0;
  #timer = null;
  #isClosing = false;
  #patience = null;

  constructor(socket, serve, depart) {
    this.#serve = serve;
    this.#depart = depart;
    this.#socket = socket.setNoDelay(true);
    this.address = socket.remoteAddress;
    socket.on("data", (chunk) => this.#receive(chunk));
    socket.on("end", () => this.close());
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.close());
    this.#expect(SILENT_MS);
  }

  // Closes the connection if nothing changes for so long; 0: no hurry.
  #expect(ms) {
    clearTimeout(this.#patience);
    this.#patience = ms ? setTimeout(() => this.close(), ms) : null;
  }

  #receive(chunk) {
    const wasInFrame = this.#cutter.isInFrame;
    let frames = 0;
    for (const { frame, lineEnd, bad, limit, fatal } of this.#cutter.push(chunk)) {
      if (this.#isClosing) return;
      if (frame && ++frames) this.#serve(this, frame);
      if (lineEnd) this.#hurry();
      if (bad) this.send({ action: "error", code: bad, ...(limit && { limit }), msg: "send JSON objects in UTF-8, one a line" });
      if (fatal) this.close();
    }
    if (this.#cutter.isInFrame && (frames || !wasInFrame)) this.#expect(MID_FRAME_MS);
    else if (frames) this.#expect(0);
  }

  #hurry() {
    this.#isPaced = false;
    this.#write();
  }

  send(message) {
    if (this.#isClosing) return;
    if (message.event && this.#isPaced && this.#queue.length > PACED_PRESENCE) return;
    if (this.saysCgroup) message = spelled(message);
    this.#push(message);
    if (this.#socket.writableLength + this.#queued > MAX_QUEUE_BYTES) {
      this.#queue = [];
      this.#push({ action: "error", code: "unavailable", msg: "you read too slowly" });
      this.close();
    } else this.#write();
  }

  #push(message) {
    const bytes = Buffer.from(JSON.stringify(message) + "\r\n");
    this.#queue.push(bytes);
    this.#queued += bytes.length;
  }

  #write() {
    clearTimeout(this.#timer);
    while (this.#queue.length) {
      const wait = this.#isPaced ? this.#last + PACE_MS - performance.now() : 0;
      if (wait > 0) {
        this.#timer = setTimeout(() => this.#write(), Math.ceil(wait));
        return;
      }
      this.#queued -= this.#queue[0].length;
      this.#socket.write(this.#queue.shift());
      this.#last = performance.now();
    }
    if (this.#isClosing) this.#socket.end();
  }

  close() {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#expect(0);
    this.#depart(this);
    this.#write();
    setTimeout(() => this.#socket.destroy(), CLOSING_MS).unref();
  }
}

// The message for one who says `cgroup`.
function spelled(message) {
  if (message.action === "cgroupe") return { ...message, action: "cgroup" };
  return message.action === "states" ? { ...message, list: message.list.map(spelled) } : message;
}

module.exports = { Peer };
