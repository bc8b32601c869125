// One JSON.parse per chunk; answers are called server-...; what it does not know it passes over.  NAME HOST PORT
const net = require("net");
const readline = require("readline");
const [name, host, port] = process.argv.slice(2);
const socket = net.connect(port, host, () => socket.write(JSON.stringify({ from: name, action: "client-hello" })));
const send = (object) => socket.write(JSON.stringify(object));

socket.on("data", (data) => {
  const m = JSON.parse(data);
  switch (m.action) {
    case "server-hello": console.log(m.msg); break;
    case "server-send": console.log(`${m.from} > ${m.msg}`); break;
    case "server-broadcast": console.log(`[all] ${m.from} > ${m.msg}`); break;
    case "server-list-clients": console.log("Clients : " + m.list.join(" ")); break;
    case "server-cgroupe": console.log(`groupe ${m.group} créé par ${m.sender}`); break;
    case "server-join": console.log(m.sender === name ? `Vous avez rejoint ${m.group}` : `${m.sender} a rejoint ${m.group}`); break;
    case "server-gbroadcast": console.log(`[${m.group}] ${m.sender} > ${m.msg}`); break;
    case "server-members": console.log(`membres de ${m.group} : ${m.members}`); break;
    case "server-msgs": m.msgs.forEach((e) => console.log(`${e.sender} : ${e.msg}`)); break;
    case "server-groups": console.log("groupes : " + m.groups); break;
    case "server-leave": console.log(`${m.sender} a quitté ${m.group}`); break;
    case "server-invite": if (m.dest === name) console.log(`${m.sender} vous invite dans ${m.group}`); break;
    case "server-kick": console.log(`${m.dest} exclu de ${m.group} (${m.reason})`); break;
    case "server-ban": console.log(`${m.dest} banni de ${m.group} (${m.reason})`); break;
    case "server-unban": console.log(`${m.dest} n'est plus banni de ${m.group}`); break;
    case "server-states": m.states.forEach((e) => console.log("- " + e)); break;
    case "server-error": console.log("Erreur : " + m.msg); process.exit(1);
  }
});
socket.on("end", () => process.exit());

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const a = line.split(";");
  switch (a[0]) {
    case "s": send({ from: name, to: a[1], msg: a[2], action: "client-send" }); break;
    case "b": send({ from: name, msg: a[1], action: "client-broadcast" }); break;
    case "ls": send({ from: name, action: "client-list-clients" }); break;
    case "q": send({ from: name, action: "client-quit" }); process.exit();
    case "cg": send({ sender: name, group: a[1], action: "cgroupe" }); break;
    case "j": send({ sender: name, group: a[1], action: "join" }); break;
    case "bg": send({ sender: name, group: a[1], msg: a[2], action: "gbroadcast" }); break;
    case "members": send({ sender: name, group: a[1], action: "members" }); break;
    case "messages": send({ sender: name, group: a[1], action: "msgs" }); break;
    case "groups": send({ name, action: "groups" }); break;
    case "leave": send({ sender: name, group: a[1], action: "leave" }); break;
    case "invite": send({ sender: name, group: a[1], dest: a[2], action: "invite" }); break;
    case "kick": send({ sender: name, group: a[1], dest: a[2], reason: a[3], action: "kick" }); break;
    case "ban": send({ sender: name, group: a[1], dest: a[2], reason: a[3], action: "ban" }); break;
    case "unban": send({ sender: name, group: a[1], dest: a[2], action: "unban" }); break;
    case "states": send({ sender: name, group: a[1], action: "states" }); break;
    default: console.log("commande inconnue");
  }
});
