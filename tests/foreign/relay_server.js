// One JSON.parse per chunk; passes requests on to the others under server-...; says nothing to the one who asked.  PORT
const net = require("net");
const clients = new Map();
const groups = {};
const send = (n, o) => clients.has(n) && clients.get(n).write(JSON.stringify(o));
net.createServer((c) => {
  let me;
  c.on("error", () => {});
  c.on("close", () => { clients.delete(me); for (const n of clients.keys()) send(n, { from: "server", msg: me + " est parti", action: "server-broadcast" }); });
  c.on("data", (d) => {
    const m = JSON.parse(d);
    const g = groups[m.group];
    const others = () => g.members.filter((n) => n !== m.sender);
    switch (m.action) {
      case "client-hello":
        me = m.from;
        for (const n of clients.keys()) send(n, { from: "server", msg: me + " est connecté", action: "server-broadcast" });
        clients.set(me, c);
        send(me, { from: "server", msg: "Bienvenue " + me, action: "server-hello" });
        break;
      case "client-send": send(m.to, { from: m.from, to: m.to, msg: m.msg, action: "server-send" }); break;
      case "client-broadcast": for (const n of clients.keys()) if (n !== m.from) send(n, { from: m.from, msg: m.msg, action: "server-broadcast" }); break;
      case "client-list-clients": send(me, { list: [...clients.keys()], action: "server-list-clients" }); break;
      case "cgroupe":
        if (g) return send(me, { msg: "le groupe existe déjà", action: "server-error" });
        groups[m.group] = { members: [m.sender], banned: [], msgs: [], states: ["création par " + m.sender] };
        break;
      case "join":
        if (!g) return send(me, { msg: "ce groupe n'existe pas", action: "server-error" });
        if (g.banned.includes(m.sender)) return send(me, { msg: "vous êtes banni", action: "server-error" });
        g.members.push(m.sender);
        g.states.push(m.sender + " a rejoint");
        others().forEach((n) => send(n, { sender: m.sender, group: m.group, action: "server-join" }));
        break;
      case "gbroadcast":
        g.msgs.push({ sender: m.sender, msg: m.msg });
        others().forEach((n) => send(n, { sender: m.sender, group: m.group, msg: m.msg, action: "server-gbroadcast" }));
        break;
      case "members": send(me, { group: m.group, members: g.members, action: "server-members" }); break;
      case "msgs": send(me, { group: m.group, msgs: g.msgs, action: "server-msgs" }); break;
      case "groups": send(me, { groups: Object.keys(groups), action: "server-groups" }); break;
      case "states": send(me, { group: m.group, states: g.states, action: "server-states" }); break;
      case "leave":
        others().forEach((n) => send(n, { sender: m.sender, group: m.group, action: "server-leave" }));
        g.members = others();
        break;
      case "invite": send(m.dest, { sender: m.sender, group: m.group, dest: m.dest, action: "server-invite" }); break;
      case "kick":
      case "ban":
        others().forEach((n) => send(n, { sender: m.sender, group: m.group, dest: m.dest, reason: m.reason, action: "server-" + m.action }));
        g.members = g.members.filter((n) => n !== m.dest);
        if (m.action === "ban") g.banned.push(m.dest);
        break;
      case "unban":
        g.banned = g.banned.filter((n) => n !== m.dest);
        others().concat(m.dest).forEach((n) => send(n, { sender: m.sender, group: m.group, dest: m.dest, action: "server-unban" }));
        break;
      case "client-quit": c.end(); break;
    }
  });
}).listen(process.argv[2]);
