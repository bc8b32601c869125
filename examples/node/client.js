// A tchat client, written from spec/protocol.md alone.  node client.js [--name NAME] HOST PORT
"use strict";

const crypto = require("node:crypto");
const net = require("node:net");
const readline = require("node:readline");
const { parseArgs } = require("node:util");

// Typed word: the action, its fields in the order typed (`?` marks one that may be missing), the field for who asks.
const COMMANDS = {
  s: ["client-send", ["to", "msg"], "from"],
  b: ["client-broadcast", ["msg"], "from"],
  ls: ["client-list-clients", [], "from"],
  q: ["client-quit", [], "from"],
  cg: ["cgroupe", ["group", "private?"]],
  j: ["join", ["group"]],
  bg: ["gbroadcast", ["group", "msg"]],
  members: ["members", ["group"]],
  messages: ["msgs", ["group"]],
  groups: ["groups", [], "name"],
  leave: ["leave", ["group"]],
  invite: ["invite", ["group", "dest"]],
  kick: ["kick", ["group", "dest", "reason?"]],
  ban: ["ban", ["group", "dest", "reason?"]],
  unban: ["unban", ["group", "dest"]],
  states: ["states", ["group"]],
};
const PATIENCE_MS = 50;

const { values: options, positionals } = parseArgs({ options: { name: { type: "string" } }, allowPositionals: true });
const [host, port] = positionals;
const socket = net.connect({ host, port: Number(port) });
const seen = new Map(); // by group: the seqs that came, and the last of them
const catchingUp = new Set(); // ids of our own requests for what we missed
const waiting = []; // requests to send when the one before is answered
let name = options.name;
let asked = null; // the id of the request that is not answered yet
let patience;
let hasQuit = false;

const print = (text) => console.log(text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "\ufffd"));

function typed(line) {
  const [word] = line.split(";", 1);
  if (!Object.hasOwn(COMMANDS, word)) return print(`? there is no command ${word}: ${Object.keys(COMMANDS).join(" ")}`);
  const [action, fields, who = "sender"] = COMMANDS[word];
  const rest = line.slice(word.length + 1).split(";");
  const values = fields.length ? [...rest.slice(0, fields.length - 1), rest.slice(fields.length - 1).join(";")] : [];
  const request = { action, [who]: name };
  if (who === "sender") request.from = name;
  for (const [index, field] of fields.entries()) {
    if (values[index]) request[field.replace("?", "")] = values[index];
    else if (!field.endsWith("?")) return print(`? ${[word, ...fields].join(";")}`);
  }
  if (request.private !== undefined && request.private !== "private") return print("? cg;group or cg;group;private");
  if (request.private) request.private = true;
  if (hasQuit) return;
  hasQuit = action === "client-quit";
  ask(request);
}

// Sends a request when those before are answered, or have had their time.
function ask(request) {
  const id = crypto.randomUUID();
  waiting.push({ ...request, id });
  next();
  return id;
}

function next() {
  if (asked || !waiting.length) return;
  const request = waiting.shift();
  asked = request.id;
  patience = setTimeout(answered, PATIENCE_MS);
  socket.write(JSON.stringify(request) + "\n");
}

function answered() {
  clearTimeout(patience);
  asked = null;
  next();
}

function received(message) {
  const { action, group, seq, list } = message;
  if (action === "server-hello") {
    name = message.from;
    for (const [known, last] of Object.entries(message.seqs)) seen.set(known, { seqs: new Set([last]), last });
  }
  if (seq !== undefined && message.from !== undefined) event(message);
  else if (catchingUp.delete(message.id) && Array.isArray(list)) missed(message);
  else if (action === "error") print(`! ${message.code}: ${message.msg}`);
  else if (action === "server-send") print(`${message.from} -> ${message.to}: ${message.msg}`);
  else if (action === "server-broadcast" && !message.event) print(`${message.from} -> all: ${message.msg}`);
  else if (action === "msgs" || action === "states") list.forEach((entry) => print(`  ${shown(entry)}`));
  else print(`* ${message.msg}`);
  if (action === "members") print(`  online in ${group}: ${message.online.join(", ")}`);
  if (message.id === asked) answered();
}

const shown = ({ action, group, seq, from, msg }) => `[${group} ${seq}] ${action === "gbroadcast" ? `${from}: ` : ""}${msg}`;

function event(message) {
  const { group, seq } = message;
  const known = seen.get(group) ?? { seqs: new Set(), last: seq };
  seen.set(group, known);
  if (known.seqs.has(seq)) return;
  if (seq > known.last + 1) catchUp(group, known.last);
  known.seqs.add(seq);
  known.last = Math.max(known.last, seq);
  print(shown(message));
}

function missed({ group, list, more, last }) {
  const { seqs } = seen.get(group);
  for (const entry of list.filter(({ seq }) => !seqs.has(seq))) {
    seqs.add(entry.seq);
    print(shown(entry));
  }
  if (more) catchUp(group, last);
}

function catchUp(group, after) {
  catchingUp.add(ask({ action: "states", sender: name, from: name, group, all: true, after }));
}

let held = Buffer.alloc(0);
socket.on("data", (chunk) => {
  held = Buffer.concat([held, chunk]);
  for (let end = held.indexOf("\n"); end >= 0; end = held.indexOf("\n")) {
    const line = held.toString("utf8", 0, end).trim();
    held = held.subarray(end + 1);
    if (line) received(JSON.parse(line));
  }
});
socket.on("connect", () => {
  ask({ action: "client-hello", ...(name && { from: name, name }) });
  const lines = readline.createInterface({ input: process.stdin });
  lines.on("line", (line) => line && typed(line));
  lines.on("close", () => typed("q;"));
});
socket.on("close", () => process.exit(0));
socket.on("error", (error) => (print(`! ${error.message}`), process.exit(1)));
process.on("SIGINT", () => ask({ action: "client-error", code: "SIGINT", msg: "interrupted" }));
