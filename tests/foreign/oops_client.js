// Asks for a name; snake_case answers, "oops" for errors, keys of its own (emitter, grpName, txt); shows nothing else.  HOST:PORT
const net = require("net");
const rl = require("readline").createInterface({ input: process.stdin });
const [host, port] = process.argv[2].split(":");
let nick = "";
let sock = null;
const out = (o) => sock.write(JSON.stringify(o) + "\n");
const show = (s) => console.log("=> " + s);
let buf = "";
const got = (d) => {
  buf += d;
  let at;
  while ((at = buf.indexOf("\n")) >= 0) {
    const m = JSON.parse(buf.slice(0, at));
    buf = buf.slice(at + 1);
    switch (m.action) {
      case "hello_ok": show("welcome aboard"); break;
      case "private_msg": show(m.emitter + " whispers: " + m.txt); break;
      case "public_msg": show(m.emitter + " says: " + m.txt); break;
      case "user_list": m.connected.forEach((u) => show("user " + u)); break;
      case "group_created": show("group " + m.grpName + " is ready"); break;
      case "group_joined": show(m.emitter + " entered " + m.grpName); break;
      case "group_text": show("(" + m.grpName + ") " + m.emitter + ": " + m.txt); break;
      case "group_members": show("in " + m.grpName + ": " + m.people.join(" + ")); break;
      case "group_history": for (const h of m.history) show(h.emitter + " wrote " + h.txt); break;
      case "group_list": show("groups: " + m.all.join(" + ")); break;
      case "group_left": show(m.emitter + " walked out of " + m.grpName); break;
      case "group_invite": show(m.emitter + " wants you in " + m.grpName); break;
      case "group_kick": show(m.victim + " was shown the door of " + m.grpName + " because " + m.motive); break;
      case "group_ban": show(m.victim + " may never come back to " + m.grpName + " because " + m.motive); break;
      case "group_unban": show(m.victim + " may come back to " + m.grpName); break;
      case "group_states": m.events.forEach((e) => show("event " + e)); break;
      case "oops": show("OOPS " + m.why); break;
    }
  }
};
const typed = (line) => {
  const [c, x, y, z] = line.trim().split(";");
  const g = { emitter: nick, grpName: x };
  if (c === "s") out({ action: "client-send", from: nick, to: x, txt: y });
  else if (c === "b") out({ action: "client-broadcast", from: nick, txt: x });
  else if (c === "ls") out({ action: "client-list-clients", from: nick });
  else if (c === "q") { out({ action: "client-quit", from: nick }); sock.end(); process.exit(0); }
  else if (c === "cg") out({ action: "cgroup", ...g });
  else if (c === "bg") out({ action: "gbroadcast", ...g, txt: y });
  else if (c === "j") out({ action: "join", ...g });
  else if (c === "members" || c === "leave" || c === "states") out({ action: c, ...g });
  else if (c === "messages") out({ action: "msgs", ...g });
  else if (c === "groups") out({ action: "groups", emitter: nick });
  else if (c === "invite" || c === "unban") out({ action: c, ...g, victim: y });
  else if (c === "kick" || c === "ban") out({ action: c, ...g, victim: y, motive: z || "" });
  else show("what?");
};
process.stdout.write("How shall we call you? ");
rl.once("line", (l) => {
  nick = l.trim();
  sock = net.connect(Number(port), host, () => { out({ action: "client-hello", from: nick }); rl.on("line", typed); });
  sock.on("data", got);
  sock.on("close", () => process.exit(0));
});
