"""A whole chat server on threads and blocking sockets: one hub behind a lock, events kept in a dictionary.

Of what SECURITY.md promises it keeps what the library does: the limits of users and groups, names, rates, frames of any
bytes; and who does not read costs 1 MiB and then his connection, and delays nobody. It does not keep what needs more of
a shell: nothing is stored, there are no passwords, all memory is taken by what was ever said, the number of connections
and the bytes they send are not limited, and silent ones stay.
"""

import itertools
import queue
import secrets
import socketserver
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from libtchat import (
    Answer,
    Append,
    Ask,
    CheckPassword,
    Close,
    Effect,
    FindUser,
    HashPassword,
    Hub,
    Key,
    Known,
    Loaded,
    LoadGroup,
    LoadUser,
    LogEvent,
    NumberGuest,
    PageKind,
    PeerId,
    Read,
    ReadGroups,
    Resend,
    Said,
    SaveUser,
    Send,
    ServerEnd,
    StoredUser,
    encode,
    encode_page,
    fill,
)

MAX_WAITING_BYTES = 1024 * 1024


class Chat:
    """The hub and everything it asks for. Call its methods with the lock held."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.hub = Hub("threads example")
        self.peers: dict[PeerId, Handler] = {}
        self.events: dict[Key, list[LogEvent]] = {}
        self.names: dict[Key, str] = {}
        self.guests = itertools.count(1)

    def tick(self) -> None:
        """Carry out what the hub wants, until it wants nothing more."""
        while effects := self.hub.drain():
            self.carry_out(effects)

    def carry_out(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case Send(peers=peers, message=message):
                    for peer in peers:
                        self.write(peer, encode(message))
                case Append(parts=parts):
                    for part in parts:
                        self.events.setdefault(part.key, []).extend(part.events)
                        if not part.after.private:
                            self.names[part.key] = part.after.name
                    self.carry_out(self.hub.committed(time.time()))
                case Ask(question=question):
                    self.hub.answered(effect, self.answer(question), time.time())
                case Close(peer=peer):
                    self.peers[peer].end()
                case Read():
                    self.write(effect.peer, self.page(effect))
                case ReadGroups(reply=reply, after=after):
                    names = [name for key, name in sorted(self.names.items()) if key > after]
                    self.write(effect.peer, encode(fill(reply, names, False, self.hub.limits)))
                case Resend(peer=peer, key=key, seq=seq):
                    self.write(peer, encode(self.events[key][seq - 1]))

    def answer(self, question: object) -> Answer:
        match question:
            case LoadGroup():
                return Loaded()  # what is not loaded was never created: nothing outlives this process
            case LoadUser():
                return StoredUser()
            case FindUser():
                return Known()  # who is not here is not known
            case HashPassword() | SaveUser() | CheckPassword():
                return None  # no passwords here: `unavailable`
            case NumberGuest():
                return next(self.guests)
        raise AssertionError(question)

    def page(self, read: Read) -> bytes:
        """Return the newest entries below the cursor, or the first above it."""
        wanted = [e for e in self.events[read.key][: read.before - 1] if self.shows(read.kinds, e)]
        if read.after is not None:
            wanted = [e for e in wanted if e.seq > read.after]
        page = wanted[-read.limit :] if read.after is None else wanted[: read.limit]
        ends = (page[0].seq, page[-1].seq) if page else (None, None)
        more = len(page) < len(wanted)
        lines = [encode(event) for event in page]
        return encode_page(read.action, read.group, lines, more=more, first=ends[0], last=ends[1], id=read.id)

    def shows(self, kinds: PageKind, event: LogEvent) -> bool:
        return kinds is PageKind.ALL or (kinds is PageKind.MESSAGES) == isinstance(event, Said)

    def write(self, peer: PeerId, line: bytes) -> None:
        if (handler := self.peers.get(peer)) is not None:
            handler.write(line)


class Handler(socketserver.BaseRequestHandler):
    """One connection, in a thread of its own."""

    server: "Server"

    def handle(self) -> None:
        chat, self.connection = self.server.chat, ServerEnd()
        self.lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.waiting = 0
        threading.Thread(target=self.send, daemon=True).start()
        with chat.lock:
            peer = chat.hub.connect(time.time(), token=secrets.token_urlsafe(16), origin=self.client_address[0])
            chat.peers[peer] = self
        try:
            while data := self.request.recv(65536):
                with chat.lock:
                    chat.hub.handle(peer, self.connection.receive(data), time.time())
                    chat.tick()
        except OSError:
            pass  # gone without a word
        with chat.lock:
            del chat.peers[peer]
            chat.hub.disconnected(peer, time.time())
            chat.tick()
            self.end()

    def write(self, line: bytes) -> None:
        """Keep a line until it is sent, in another thread: one who does not read holds nobody up."""
        data = self.connection.write(line)
        self.waiting += len(data)
        if self.waiting > MAX_WAITING_BYTES:
            self.cut()
        self.lines.put(data)

    def send(self) -> None:
        while data := self.lines.get():
            try:
                self.request.sendall(data)
            except OSError:
                return
            with self.server.chat.lock:
                self.waiting -= len(data)
        self.cut()  # all is sent

    def end(self) -> None:
        self.lines.put(b"")

    def cut(self) -> None:
        with suppress(OSError):  # it may be closed already
            self.request.shutdown(2)


class Server(socketserver.ThreadingTCPServer):
    """Accepts connections."""

    allow_reuse_address = daemon_threads = True

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.chat = Chat()


if __name__ == "__main__":
    with Server(int(sys.argv[1]) if len(sys.argv) > 1 else 8080) as server:
        print(f"chat on 127.0.0.1:{server.server_address[1]}")
        server.serve_forever()
