// Wants a terminal; colours, and a prompt drawn again after every message; lines end with LF.  -n NAME -h HOST -p PORT
const net = require("net");
const readline = require("readline");
const argv = {};
for (let i = 2; i < process.argv.length; i += 2) argv[process.argv[i].slice(1)] = process.argv[i + 1];
if (!process.stdin.isTTY) {
  console.error("this program wants a terminal");
  process.exit(2);
}
const rl = readline.createInterface({ input: process.stdin, output: process.stdout, prompt: "\x1b[32m" + argv.n + "> \x1b[0m" });
const sock = net.connect(Number(argv.p), argv.h, () => {
  emit({ sender: argv.n, from: argv.n, action: "client-hello" });
  rl.prompt();
});
function emit(o) { sock.write(JSON.stringify(o) + "\n"); }
function show(text, colour = 36) {
  readline.clearLine(process.stdout, 0);
  readline.cursorTo(process.stdout, 0);
  console.log(`\x1b[${colour}m${text}\x1b[0m`);
  rl.prompt(true);
}
let rest = "";
sock.on("data", (d) => {
  rest += d;
  const lines = rest.split("\n");
  rest = lines.pop();
  for (const line of lines) {
    const o = JSON.parse(line);
    if (o.action === "error" || o.error) show("✗ " + (o.error || o.msg), 31);
    else if (o.action === "send-response" || o.action === "client-send") show("✉ " + o.from + " " + o.msg);
    else if (o.action === "broadcast-response" || o.action === "client-broadcast") show("☎ " + o.from + " " + o.msg);
    else if (o.action === "gbroadcast-response") show(`(${o.group}) ${o.sender}: ${o.msg}`);
    else if (o.action === "list-clients-response") show("present: " + o.clients.map((c) => c.name).join(", "));
    else if (o.action === "members-response") show(o.group + ": " + o.members.map((c) => c.name).join(", "));
    else if (o.action === "groups-response") show("groups: " + o.groups.map((g) => g.name).join(", "));
    else if (o.action === "msgs-response") o.messages.forEach((e) => show(`  ${e.from}: ${e.content}`));
    else if (o.action === "states-response") o.states.forEach((e) => show(`  ${e.event} ${e.name}`));
    else if (/-response$/.test(o.action)) show("✓ " + o.message);
  }
});
sock.on("close", () => process.exit(0));
rl.on("line", (line) => {
  const [c, a, b, d] = line.trim().split(";");
  const base = { sender: argv.n, from: argv.n };
  const table = {
    s: () => ({ to: a, msg: b, action: "client-send" }), b: () => ({ msg: a, action: "client-broadcast" }),
    ls: () => ({ action: "client-list-clients" }), q: () => ({ action: "client-quit" }),
    cg: () => ({ group: a, action: "cgroup" }), j: () => ({ group: a, action: "join" }),
    bg: () => ({ group: a, msg: b, action: "gbroadcast" }), members: () => ({ group: a, action: "members" }),
    messages: () => ({ group: a, action: "msgs" }), groups: () => ({ name: argv.n, action: "groups" }),
    leave: () => ({ group: a, action: "leave" }), invite: () => ({ group: a, dest: b, action: "invite" }),
    kick: () => ({ group: a, dest: b, reason: d, action: "kick" }), ban: () => ({ group: a, dest: b, reason: d, action: "ban" }),
    unban: () => ({ group: a, dest: b, action: "unban" }), states: () => ({ group: a, action: "states" }),
  };
  if (table[c]) emit({ ...base, ...table[c]() });
  rl.prompt();
});
