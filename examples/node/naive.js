// A client as one writes it in a hurry: each chunk is taken for one message, and no line end is sent.
// node naive.js HOST PORT NAME GROUP COUNT: joins the group and prints the texts that come, until there are COUNT.
const [host, port, name, group, count] = process.argv.slice(2);
const socket = require("net").connect(Number(port), host);
let texts = 0;
socket.on("connect", () => socket.write(JSON.stringify({ action: "client-hello", from: name })));
socket.on("data", (chunk) => {
  const message = JSON.parse(chunk);
  if (message.action === "server-hello") socket.write(JSON.stringify({ action: "join", sender: name, group }));
  else if (message.action === "gbroadcast") console.log(`${++texts} ${message.msg}`);
  else console.log(message.msg);
  if (texts === Number(count)) process.exit(0);
});
