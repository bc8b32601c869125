// Everything in messageFormat, indented; texts under description; dies of an action it does not know.  --name= --port=
const net = require("net");
const rl = require("readline").createInterface({ input: process.stdin });
const opt = Object.fromEntries(process.argv.slice(2).map((a) => a.replace("--", "").split("=")));
const sock = net.createConnection({ port: opt.port, host: opt.host || "127.0.0.1" });
const write = (o) => sock.write(JSON.stringify({ messageFormat: o }, null, 2));
write({ action: "client-hello", sender: opt.name });
const handlers = {
  "server-hello": (m) => console.log("OK " + m.description),
  "client-send": (m) => console.log(m.sender + "@ " + m.description),
  "client-broadcast": (m) => console.log(m.sender + "* " + m.description),
  "client-list-clients": (m) => console.log(m.description),
  "cgroup-response": (m) => console.log(m.description),
  "join-response": (m) => console.log(m.description),
  gbroadcast: (m) => console.log(m.groupe + "| " + m.sender + ": " + m.description),
  "members-response": (m) => console.log(m.description),
  "msgs-response": (m) => console.log(m.description),
  "groups-response": (m) => console.log(m.description),
  "leave-response": (m) => console.log(m.description),
  "invite-response": (m) => console.log(m.description),
  "kick-response": (m) => console.log(m.description),
  "error-response": (m) => console.log("ERR " + m.description),
};
sock.on("data", (d) => {
  const m = JSON.parse(d.toString()).messageFormat;
  handlers[m.action](m);
});
rl.on("line", (l) => {
  const [c, g, x, r] = l.split(";");
  const me = { sender: opt.name };
  if (c === "s") write({ action: "client-send", ...me, dest: g, description: x });
  else if (c === "b") write({ action: "client-broadcast", ...me, description: g });
  else if (c === "ls") write({ action: "client-list-clients", ...me });
  else if (c === "cg") write({ action: "cgroup", ...me, groupe: g });
  else if (c === "j") write({ action: "join", ...me, groupe: g });
  else if (c === "bg") write({ action: "gbroadcast", ...me, groupe: g, description: x });
  else if (c === "members") write({ action: "members", ...me, groupe: g });
  else if (c === "messages") write({ action: "msgs", ...me, groupe: g });
  else if (c === "groups") write({ action: "groups", ...me });
  else if (c === "leave") write({ action: "leave", ...me, groupe: g });
  else if (c === "invite") write({ action: "invite", ...me, groupe: g, dest: x });
  else if (c === "kick") write({ action: "kick", ...me, groupe: g, dest: x, reason: r });
  else if (c === "q") { write({ action: "client-quit", ...me }); sock.end(); process.exit(); }
});
