// Node's `ws` as it is used for a chat: every text goes to all who joined, encoded by the package for each of them.

import { WebSocketServer } from "ws";

const members = new Set();
const answers = { hello: "welcome", join: "joined", ask: "answer" };

new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2]), perMessageDeflate: false, backlog: 1024 }).on(
  "connection",
  (socket) => {
    socket.on("message", (data) => {
      const text = data.toString();
      if (text === "join") members.add(socket);
      if (text in answers) socket.send(answers[text]);
      else for (const member of members) if (member.readyState === 1) member.send(text);
    });
    socket.on("close", () => members.delete(socket));
  },
);
