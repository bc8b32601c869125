// socket.io as it is used for a chat: a room, and a text emitted to it.

import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false });

io.on("connection", (socket) => {
  socket.on("join", () => {
    socket.join("g");
    socket.emit("joined");
  });
  socket.on("ask", () => socket.emit("answer"));
  socket.on("say", (text) => io.to("g").emit("say", text));
});
http.listen(Number(process.argv[2]), "127.0.0.1", 1024);
