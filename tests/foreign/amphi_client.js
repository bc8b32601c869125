// Asks for the name, reads line by line, draws in colours, and has names of its own for every answer.  HOST PORT
const net = require("net");
const readline = require("readline");
const [host, port] = process.argv.slice(2);
const rl = readline.createInterface({ input: process.stdin, output: process.stdout });
const say = (t) => console.log(`\x1b[36m${t}\x1b[0m`);

rl.question("Votre pseudo ? ", (pseudo) => {
  const sock = net.connect(Number(port), host, () => {
    send({ from: pseudo, action: "client-hello" });
    rl.setPrompt(`${pseudo}> `);
    rl.prompt();
  });
  const send = (o) => sock.write(JSON.stringify(o) + "\n");
  const grp = (action, group, plus) => send({ sender: pseudo, group, ...plus, action });

  const show = {
    "hello-ok": (m) => say(`Bienvenue ${m.user}`),
    "user-joined": (m) => say(`-> ${m.user} arrive`),
    "user-left": (m) => say(`<- ${m.user} part`),
    "private-message": (m) => say(`[${m.from}] ${m.content}`),
    "public-message": (m) => say(`<${m.from}> ${m.content}`),
    "user-list": (m) => say("En ligne : " + m.users.join(", ")),
    "group-created": (m) => say(`Groupe ${m.group} cree`),
    "group-joined": (m) => say(`${m.user} entre dans ${m.group}`),
    "group-message": (m) => say(`#${m.group} ${m.from} : ${m.content}`),
    "group-members": (m) => say(`Dans ${m.group} : ${m.users.join(", ")}`),
    "group-history": (m) => m.messages.forEach((x) => say(`  ${x.from} : ${x.content}`)),
    "group-list": (m) => say("Groupes : " + m.groups.join(", ")),
    "group-left": (m) => say(`${m.user} sort de ${m.group}`),
    "group-invited": (m) => say(`${m.from} vous invite dans ${m.group}`),
    "group-kicked": (m) => say(`${m.user} est vire de ${m.group} (${m.reason})`),
    "group-banned": (m) => say(`${m.user} est banni de ${m.group} (${m.reason})`),
    "group-unbanned": (m) => say(`${m.user} n'est plus banni de ${m.group}`),
    "group-events": (m) => m.events.forEach((x) => say(`  * ${x}`)),
    "failure": (m) => say(`!! ${m.description}`),
  };

  let rest = "";
  sock.on("data", (d) => {
    rest += d;
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (!line) continue;
      const m = JSON.parse(line);
      if (show[m.action]) show[m.action](m);
      rl.prompt(true);
    }
  });
  sock.on("close", () => process.exit(0));
  sock.on("error", (e) => { console.log("erreur reseau : " + e.code); process.exit(1); });

  rl.on("line", (line) => {
    const [cmd, a, b, c] = line.trim().split(";");
    switch (cmd) {
      case "s": send({ from: pseudo, to: a, content: b, action: "client-send" }); break;
      case "b": send({ from: pseudo, content: a, action: "client-broadcast" }); break;
      case "ls": send({ from: pseudo, action: "client-list-clients" }); break;
      case "q": send({ from: pseudo, action: "client-quit" }); sock.end(); break;
      case "cg": grp("create-group", a); break;
      case "j": grp("join-group", a); break;
      case "bg": grp("message-group", a, { content: b }); break;
      case "members": grp("members-group", a); break;
      case "messages": grp("history-group", a); break;
      case "groups": send({ sender: pseudo, action: "list-groups" }); break;
      case "leave": grp("leave-group", a); break;
      case "invite": grp("invite-group", a, { user: b }); break;
      case "kick": grp("kick-group", a, { user: b, reason: c }); break;
      case "ban": grp("ban-group", a, { user: b, reason: c }); break;
      case "unban": grp("unban-group", a, { user: b }); break;
      case "states": grp("events-group", a); break;
      default: say("commande inconnue");
    }
    rl.prompt();
  });
});
