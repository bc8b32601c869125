// Everything in messageFormat, indented, both ways; texts under description; invite adds at once.  --port=
const net = require("net");
const port = Number(process.argv[2].split("=")[1]);
const socks = {}, groups = {};
const tell = (n, o) => socks[n] && socks[n].write(JSON.stringify({ messageFormat: o }, null, 2));
const error = (n, description) => tell(n, { action: "error-response", sender: "server", description });
net.createServer((sock) => {
  sock.on("error", () => {});
  let me = null;
  sock.on("close", () => { if (me) delete socks[me]; });
  sock.on("data", (d) => {
    let all;
    try { all = JSON.parse(d); } catch (e) { return sock.write(JSON.stringify({ messageFormat: { action: "error-response", description: "JSON ?" } }, null, 2)); }
    const m = all.messageFormat;
    const g = groups[m.groupe];
    const all_of = (o) => g.members.forEach((n) => tell(n, o));
    switch (m.action) {
      case "client-hello": me = m.sender; socks[me] = sock; tell(me, { action: "server-hello", sender: "server", description: "connecté" }); break;
      case "client-send":
        if (!socks[m.dest]) return error(me, "destinataire inconnu");
        tell(m.dest, { action: "client-send", sender: me, dest: m.dest, description: m.description }); break;
      case "client-broadcast": Object.keys(socks).forEach((n) => tell(n, { action: "client-broadcast", sender: me, description: m.description })); break;
      case "client-list-clients": tell(me, { action: "client-list-clients", sender: "server", description: Object.keys(socks).join(",") }); break;
      case "cgroup": if (g) return error(me, "existe"); groups[m.groupe] = { owner: me, members: [me], msgs: [] }; tell(me, { action: "cgroup-response", sender: "server", description: "groupe " + m.groupe + " créé" }); break;
      case "join": if (!g) return error(me, "pas de groupe"); if (!g.members.includes(me)) g.members.push(me); all_of({ action: "join-response", sender: "server", description: me + " dans " + m.groupe }); break;
      case "gbroadcast": if (!g) return error(me, "pas de groupe"); g.msgs.push(me + ":" + m.description); all_of({ action: "gbroadcast", sender: me, groupe: m.groupe, description: m.description }); break;
      case "members": if (!g) return error(me, "pas de groupe"); tell(me, { action: "members-response", sender: "server", description: g.members.join(",") }); break;
      case "msgs": if (!g) return error(me, "pas de groupe"); tell(me, { action: "msgs-response", sender: "server", description: g.msgs.join("/") }); break;
      case "groups": tell(me, { action: "groups-response", sender: "server", description: Object.keys(groups).join(",") }); break;
      case "leave": if (!g) return error(me, "pas de groupe"); all_of({ action: "leave-response", sender: "server", description: me + " parti de " + m.groupe }); g.members = g.members.filter((n) => n !== me); break;
      case "invite": if (!g) return error(me, "pas de groupe"); g.members.push(m.dest); all_of({ action: "invite-response", sender: "server", description: me + " invite " + m.dest + " dans " + m.groupe }); break;
      case "kick": if (!g || g.owner !== me) return error(me, "non"); all_of({ action: "kick-response", sender: "server", description: m.dest + " exclu de " + m.groupe + " car " + m.reason }); g.members = g.members.filter((n) => n !== m.dest); break;
      case "client-quit": sock.end(); break;
      default: error(me, "action inconnue");
    }
  });
}).listen(port);
