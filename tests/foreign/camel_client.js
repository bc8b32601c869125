// Long names of its own; lists of objects with texts and times; does not show what it did itself.  PORT NAME
const net = require("net");
const [, , port, me] = process.argv;
class Client {
  constructor() {
    this.buffer = "";
    this.joined = new Set();
    this.socket = net.connect({ port: +port }, () => this.emit("client-hello", { from: me }));
    this.socket.on("data", (chunk) => this.feed(chunk.toString()));
    this.socket.on("error", (e) => console.error(e.message));
    process.stdin.on("data", (d) => d.toString().split("\n").filter(Boolean).forEach((l) => this.command(l)));
  }
  emit(action, o) { this.socket.write(JSON.stringify({ ...o, action })); }
  feed(text) {
    this.buffer += text;
    let depth = 0, start = 0;
    for (let i = 0; i < this.buffer.length; i++) {
      if (this.buffer[i] === "{") depth++;
      if (this.buffer[i] === "}" && --depth === 0) { this.on(JSON.parse(this.buffer.slice(start, i + 1))); start = i + 1; }
    }
    this.buffer = this.buffer.slice(start);
  }
  on(o) {
    if (o.sender === me && o.action !== "groupCreated" && o.action !== "groupJoined") return;
    switch (o.action) {
      case "welcome": return console.log("Welcome!");
      case "privateMessage": return console.log(`${o.sender} (private): ${o.text}`);
      case "publicMessage": return console.log(`${o.sender} (public): ${o.text}`);
      case "clientsList": return console.log("online: " + o.clients.join(" | "));
      case "groupCreated": return console.log(`${o.group} is yours now`);
      case "groupJoined": return console.log(`${o.sender} is in ${o.group} now`);
      case "groupMessage": return console.log(`${o.group} / ${o.sender}: ${o.text}`);
      case "membersList": return console.log(`in ${o.group}: ` + o.members.join(" | "));
      case "messagesList": return o.messages.forEach((m) => console.log(`${m.sentAt} ${m.sender}: ${m.text}`));
      case "groupsList": return console.log("groups: " + o.groups.join(" | "));
      case "groupLeft": return console.log(`${o.sender} has left ${o.group}`);
      case "invitation": return console.log(`come to ${o.group}, says ${o.sender}`);
      case "memberKicked": return console.log(`${o.dest} was thrown out of ${o.group}`);
      case "failure": return console.log(`Oops: ${o.text}`);
      default: console.error("? " + JSON.stringify(o));
    }
  }
  command(line) {
    const [c, a, b, d] = line.split(";");
    const w = { sender: me };
    switch (c) {
      case "s": return this.emit("client-send", { from: me, to: a, msg: b });
      case "b": return this.emit("client-broadcast", { from: me, msg: a });
      case "ls": return this.emit("client-list-clients", { from: me });
      case "cg": return this.emit("cgroupe", { ...w, group: a });
      case "j": return this.emit("join", { ...w, group: a });
      case "bg": return this.emit("gbroadcast", { ...w, group: a, msg: b });
      case "members": return this.emit("members", { ...w, group: a });
      case "messages": return this.emit("msgs", { ...w, group: a });
      case "groups": return this.emit("groups", { name: me });
      case "leave": return this.emit("leave", { ...w, group: a });
      case "invite": return this.emit("invite", { ...w, group: a, dest: b });
      case "kick": return this.emit("kick", { ...w, group: a, dest: b, reason: d });
      case "ban": return this.emit("ban", { ...w, group: a, dest: b, reason: d });
      case "unban": return this.emit("unban", { ...w, group: a, dest: b });
      case "states": return this.emit("states", { ...w, group: a });
      case "q": this.emit("client-quit", { from: me }); return process.exit();
    }
  }
}
new Client();
