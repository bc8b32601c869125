// Everything but texts is a notice in French; lists are arrays in msg; no line ends; presence is a text to all.  PORT
const net = require("net");
const people = {}, groups = {};
const put = (n, o) => people[n] && people[n].write(JSON.stringify(o));
const info = (n, msg) => put(n, { sender: "SERVEUR", msg, action: "server-info" });
net.createServer((s) => {
  let me;
  s.on("error", () => {});
  s.on("close", () => {
    delete people[me];
    Object.keys(people).forEach((n) => put(n, { from: "SERVEUR", msg: `${me} s'est déconnecté`, action: "server-broadcast" }));
  });
  s.on("data", (d) => {
    let m;
    try { m = JSON.parse(d); } catch (e) { return; }
    const g = groups[m.group], all = (msg, but) => g.who.filter((n) => n !== but).forEach((n) => info(n, msg));
    const has = () => (g && g.who.includes(me)) || (info(me, `Vous n'êtes pas dans le groupe ${m.group}`), false);
    switch (m.action) {
      case "client-hello":
        me = m.from;
        people[me] = s;
        Object.keys(people).forEach((n) => put(n, { from: "SERVEUR", msg: `${me} s'est connecté`, action: "server-broadcast" }));
        break;
      case "client-send":
        if (!people[m.to]) info(me, `${m.to} n'est pas connecté`);
        else put(m.to, { from: me, msg: m.msg, action: "server-send" });
        break;
      case "client-broadcast": Object.keys(people).forEach((n) => put(n, { from: me, msg: m.msg, action: "server-broadcast" })); break;
      case "client-list-clients": put(me, { msg: Object.keys(people), action: "server-list-clients" }); break;
      case "groups": put(me, { msg: Object.keys(groups), action: "server-groups" }); break;
      case "cgroupe":
        if (g) return info(me, `Le groupe ${m.group} existe déjà`);
        groups[m.group] = { who: [me], out: [], msgs: [], log: [`${me} a créé le groupe`] };
        info(me, `Groupe ${m.group} créé`);
        break;
      case "join":
        if (!g) return info(me, `Le groupe ${m.group} n'existe pas`);
        if (g.out.includes(me)) return info(me, `Vous êtes banni du groupe ${m.group}`);
        g.who.push(me); g.log.push(`${me} est entré`); all(`${me} a rejoint le groupe ${m.group}`); break;
      case "gbroadcast": if (has()) { g.msgs.push(`${me} : ${m.msg}`); g.who.forEach((n) => put(n, { sender: me, group: m.group, msg: m.msg, action: "server-gbroadcast" })); } break;
      case "members": if (has()) put(me, { msg: g.who, action: "server-members" }); break;
      case "msgs": if (has()) put(me, { msg: g.msgs, action: "server-msgs" }); break;
      case "states": if (has()) put(me, { msg: g.log, action: "server-states" }); break;
      case "leave": if (has()) { all(`${me} a quitté le groupe ${m.group}`); g.who = g.who.filter((n) => n !== me); } break;
      case "invite": if (has()) { info(m.dest, `${me} vous invite dans le groupe ${m.group}`); info(me, "Invitation envoyée"); } break;
      case "kick": if (has()) { all(`${m.dest} a été exclu du groupe ${m.group} : ${m.reason}`); g.who = g.who.filter((n) => n !== m.dest); } break;
      case "ban": if (has()) { all(`${m.dest} a été banni du groupe ${m.group} : ${m.reason}`); g.who = g.who.filter((n) => n !== m.dest); g.out.push(m.dest); } break;
      case "unban": if (has()) { g.out = g.out.filter((n) => n !== m.dest); all(`${m.dest} n'est plus banni du groupe ${m.group}`); } break;
      case "client-quit": s.end(); break;
    }
  });
}).listen(+process.argv[2], "127.0.0.1");
