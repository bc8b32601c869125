// From bytes to frames, and from a frame to an object: the section "Transport and framing" of spec/protocol.md.
"use strict";

const MAX_FRAME = 65536;
const MAX_DEPTH = 8;
const MAX_KEYS = 64;
const MAX_GARBAGE = 3;
const MAX_INTEGER = 2n ** 53n;
const SPACE = new Set(Buffer.from(" \t\r\n"));
const [LF, CR, OPEN, CLOSE, QUOTE, BACKSLASH] = Buffer.from('\n\r{}"\\');

// Cuts frames out of a stream of bytes. `push` yields {frame} (the bytes of one object), {lineEnd} (a frame was followed
// by LF) and {bad, limit, fatal} (the code for what the peer did wrong; after a fatal one nothing is read).
class Cutter {
  #held = Buffer.alloc(0); // what has come of the frame begun, or of the first bytes
  #scanned = 0;
  #depth = 0;
  #inString = false;
  #isEscaped = false;
  #isSkipping = false;
  #afterFrame = false;
  #garbage = 0;
  #isOver = false;
  #isFirst = true;

  get isInFrame() {
    return this.#depth > 0;
  }

  *push(chunk) {
    if (this.#isOver) return;
    const bytes = this.#held.length ? Buffer.concat([this.#held, chunk]) : chunk;
    if (this.#isFirst) {
      const head = bytes.toString("latin1", 0, 4);
      if (bytes[0] === 0x16 || head === "GET ") return yield this.#end({ bad: "bad-json" });
      this.#held = bytes;
      if ("GET ".startsWith(head)) return;
      this.#isFirst = false;
    }
    let start = 0; // of the frame
    let at = this.#scanned;
    for (; at < bytes.length; at++) {
      const byte = bytes[at];
      if (this.#isSkipping) {
        this.#isSkipping = byte !== LF;
      } else if (this.#depth) {
        this.#step(byte);
        if (at - start >= MAX_FRAME) return yield this.#end({ bad: "too-large", limit: MAX_FRAME });
        if (!this.#depth) {
          this.#afterFrame = true;
          yield { frame: bytes.subarray(start, at + 1) };
        }
      } else if (byte === OPEN) {
        start = at;
        this.#depth = 1;
      } else if (!SPACE.has(byte)) {
        if (++this.#garbage === MAX_GARBAGE) return yield this.#end({ bad: "bad-json" });
        this.#isSkipping = true;
        yield { bad: "bad-json" };
      }
      if (byte === LF && this.#afterFrame && !this.#depth) yield { lineEnd: true };
      if (byte !== CLOSE && !SPACE.has(byte)) this.#afterFrame = false;
    }
    this.#held = this.#depth ? bytes.subarray(start) : Buffer.alloc(0);
    this.#scanned = this.#held.length;
  }

  #step(byte) {
    if (this.#isEscaped) this.#isEscaped = false;
    else if (this.#inString) {
      if (byte === BACKSLASH) this.#isEscaped = true;
      else if (byte === QUOTE) this.#inString = false;
    } else if (byte === QUOTE) this.#inString = true;
    else if (byte === OPEN) this.#depth++;
    else if (byte === CLOSE) this.#depth--;
  }

  #end(what) {
    this.#isOver = true;
    return { ...what, fatal: true };
  }
}

const STRING = String.raw`"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"`;
const NUMBER = String.raw`-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?`;
const TOKEN = new RegExp(String.raw`[ \t\r\n]*([{}\[\],:]|${STRING}|${NUMBER}|true|false|null|$)`, "y");
const LITERALS = new Map([["true", true], ["false", false], ["null", null]]);

// A number that no field of a request can hold: one with a fraction or an exponent, or beyond 2^53.
class OddNumber {}

// Reads one frame; throws SyntaxError at whatever the text does not allow. Objects have no prototype.
function parse(frame) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(frame);
  } catch {
    throw new SyntaxError("not UTF-8");
  }
  let keys = 0;
  let place = 0;
  const next = () => {
    TOKEN.lastIndex = place;
    const found = TOKEN.exec(text);
    if (!found) throw new SyntaxError("not JSON");
    place = TOKEN.lastIndex;
    return found[1];
  };
  const expect = (token, ...wanted) => {
    if (!wanted.includes(token)) throw new SyntaxError(`wanted ${wanted.join(" or ")}`);
    return token;
  };
  const value = (token, depth) => {
    if ((token === "{" || token === "[") && depth > MAX_DEPTH) throw new SyntaxError("nested too deep");
    if (token === "{") return object(depth);
    if (token === "[") return list(depth);
    if (LITERALS.has(token)) return LITERALS.get(token);
    if (token[0] === '"') return JSON.parse(token);
    if (!/^[-0-9]/.test(token)) throw new SyntaxError("wanted a value");
    return number(token);
  };
  const object = (depth) => {
    const result = Object.create(null);
    let token = next();
    while (token !== "}") {
      if (token[0] !== '"') throw new SyntaxError("wanted a key");
      const key = JSON.parse(token);
      if (key in result) throw new SyntaxError("the same key twice");
      if (++keys > MAX_KEYS) throw new SyntaxError("too many keys");
      expect(next(), ":");
      result[key] = value(next(), depth + 1);
      token = expect(next(), ",", "}");
      if (token === "," && (token = next()) === "}") throw new SyntaxError("wanted a key");
    }
    return result;
  };
  const list = (depth) => {
    const result = [];
    let token = next();
    while (token !== "]") {
      result.push(value(token, depth + 1));
      token = expect(next(), ",", "]");
      if (token === "," && (token = next()) === "]") throw new SyntaxError("wanted a value");
    }
    return result;
  };
  const result = value(expect(next(), "{"), 1);
  expect(next(), "");
  return result;
}

function number(text) {
  if (!Number.isFinite(Number(text))) throw new SyntaxError("a number too large");
  if (/[.eE]/.test(text)) return new OddNumber();
  const size = BigInt(text.replace("-", ""));
  return size > MAX_INTEGER ? new OddNumber() : Number(text);
}

module.exports = { Cutter, parse };
