// A menu, one question after the other; answers under their own names; PORT and HOST from the environment.  NAME
const net = require("net");
const readline = require("readline");
const name = process.argv[2];
const s = net.connect({ host: process.env.HOST, port: process.env.PORT });
const rl = readline.createInterface({ input: process.stdin, output: process.stdout });
const send = (o) => s.write(JSON.stringify(o));
const ask = (q) => new Promise((done) => rl.question(q, done));
const menu = [
  ["Envoyer un message privé", async () => send({ from: name, to: await ask("Destinataire : "), msg: await ask("Message : "), action: "client-send" })],
  ["Diffuser à tous", async () => send({ from: name, msg: await ask("Message : "), action: "client-broadcast" })],
  ["Liste des clients", async () => send({ from: name, action: "client-list-clients" })],
  ["Créer un groupe", async () => send({ sender: name, group: await ask("Groupe : "), action: "cgroupe" })],
  ["Rejoindre un groupe", async () => send({ sender: name, group: await ask("Groupe : "), action: "join" })],
  ["Message au groupe", async () => send({ sender: name, group: await ask("Groupe : "), msg: await ask("Message : "), action: "gbroadcast" })],
  ["Membres du groupe", async () => send({ sender: name, group: await ask("Groupe : "), action: "members" })],
  ["Groupes", async () => send({ name, action: "groups" })],
  ["Quitter le groupe", async () => send({ sender: name, group: await ask("Groupe : "), action: "leave" })],
  ["Inviter", async () => send({ sender: name, group: await ask("Groupe : "), dest: await ask("Qui : "), action: "invite" })],
  ["Exclure", async () => send({ sender: name, group: await ask("Groupe : "), dest: await ask("Qui : "), reason: await ask("Raison : "), action: "kick" })],
  ["Quitter", async () => (send({ from: name, action: "client-quit" }), process.exit())],
];
async function loop() {
  for (;;) {
    menu.forEach(([label], i) => console.log(`${i + 1}. ${label}`));
    const item = menu[Number(await ask("Votre choix : ")) - 1];
    if (item) await item[1]();
    else console.log("choix invalide");
  }
}
s.on("connect", () => { send({ from: name, action: "client-hello" }); loop(); });
s.on("data", (d) => {
  for (const line of d.toString().split("\n").filter((l) => l.trim())) {
    const m = JSON.parse(line);
    if (m.action === "client-send") console.log("\nprivé de " + m.from + ": " + m.msg);
    else if (m.action === "client-broadcast") console.log("\n" + m.from + " à tous: " + m.msg);
    else if (m.action === "gbroadcast") console.log("\n" + m.group + "/" + m.sender + ": " + m.msg);
    else if (m.action === "client-list-clients" || m.action === "members" || m.action === "groups") console.log("\n" + m.msg);
    else if (m.action === "error") console.log("\nErreur: " + m.error);
    else if (["join", "leave", "invite", "kick", "cgroupe"].includes(m.action)) console.log("\n" + m.msg);
  }
});
