"""HTTP and WebSocket on the protocol's own port: who is let in, what is answered, and that others are unharmed."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from certificates import secure
from hypothesis import given
from hypothesis import strategies as st
from live import ROOT, TIMEOUT_SECONDS, Bystanders, Server, fresh, serving
from logs import on_loop
from loops import on_both_loops
from tls import trusting
from watching import memory_while_somebody_does_not_read
from websockets.asyncio.client import connect as connect_on_loop
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from libtchat.hub.hub import Hub
from libtchat.message.limits import DEFAULT_LIMITS
from tchat_server import server as shell
from tchat_server.net import web
from tchat_server.net.peer import PeerProtocol
from tchat_server.net.site import packaged_site
from tchat_server.net.websocket import WebSocketConnection
from tchat_server.store.memory import MemoryLog

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = {
    "Host": "127.0.0.1",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Protocol": "tchat.1",
}

CASES = json.loads((ROOT / "spec" / "vectors" / "websocket.json").read_text("utf-8"))["cases"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = ("--allow-origin", "https://chat.example", "--allow-host", "Chat.Example", "--broadcasts-per-second", "0")
    with serving(tmp_path_factory.mktemp("web"), *options) as found, Bystanders(found):
        yield found


def request(path: str = "/tchat", method: str = "GET", version: str = "1.1", **headers: str | None) -> bytes:
    """A request, by default the opening handshake; a header that is None is left out."""
    found = {**UPGRADE, **{name.replace("_", "-"): value for name, value in headers.items()}}
    lines = [f"{method} {path} HTTP/{version}", *(f"{name}: {value}" for name, value in found.items() if value)]
    return "\r\n".join([*lines, "", ""]).encode()


def get(path: str = "/", **headers: str | None) -> bytes:
    """A request for a file."""
    left_out = {name.replace("-", "_"): None for name in UPGRADE if name != "Host"}
    return request(path, **{**left_out, **headers})


def exchange(server: Server, data: bytes) -> bytes:
    """Write *data*, and return all that comes until the server closes."""
    with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_SECONDS) as sock:
        with suppress(OSError):
            sock.sendall(data)
        return rest(sock)


def rest(sock: socket.socket) -> bytes:
    found = b""
    with suppress(ConnectionResetError):
        while data := sock.recv(65536):
            found += data
    return found


def status(answer: bytes) -> int:
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer[9:12])


class Frames:
    """A socket behind a handshake, on which frames are written and read as they are."""

    def __init__(self, server: Server) -> None:
        self.sock = socket.create_connection(("127.0.0.1", server.port), TIMEOUT_SECONDS)
        self.sock.sendall(request())
        self.data = b""
        while b"\r\n\r\n" not in self.data:
            self.data += self.sock.recv(65536)
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head

    def __enter__(self) -> Frames:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, opcode: int, data: bytes, *, fin: bool = True) -> None:
        self.write(Frame(Opcode(opcode), data, fin).serialize(mask=True))

    def write(self, data: bytes) -> None:
        with suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(data)

    def _bytes(self, count: int) -> bytes:
        while len(self.data) < count:
            data = self.sock.recv(65536)
            assert data, "the connection was closed"
            self.data += data
        found, self.data = self.data[:count], self.data[count:]
        return found

    def next(self) -> tuple[int, bytes]:
        """Return the opcode and the payload of the next frame: whole, unmasked and not compressed."""
        head, length = self._bytes(2)
        assert head & 0xF0 == 0x80
        if length >= 126:
            (length,) = struct.unpack("!H" if length == 126 else "!Q", self._bytes(2 if length == 126 else 8))
        return head & 15, self._bytes(length)

    def get(self) -> dict[str, Any]:
        """Return the next message that is no presence notice."""
        while True:
            opcode, data = self.next()
            assert opcode == Opcode.TEXT, (opcode, data)
            found: dict[str, Any] = json.loads(data)
            if "event" not in found:
                return found

    def ask(self, **message: Any) -> dict[str, Any]:
        self.send(Opcode.TEXT, json.dumps(message).encode())
        return self.get()

    def closes(self, code: int) -> None:
        """Wait for the close frame and the end of the connection."""
        opcode, data = self.next()
        while opcode in (Opcode.PONG, Opcode.TEXT):
            opcode, data = self.next()
        assert (opcode, struct.unpack("!H", data[:2])[0]) == (Opcode.CLOSE, code), (opcode, data)
        self.send(Opcode.CLOSE, data[:2])
        assert rest(self.sock) == b""


@contextmanager
def peer(server: Server, name: str) -> Iterator[ClientConnection]:
    """A WebSocket client of somebody else's making, under a name."""
    with connect(f"ws://127.0.0.1:{server.port}/tchat", subprotocols=["tchat.1"]) as client:
        client.send(json.dumps({"action": "client-hello", "from": name}))
        assert json.loads(client.recv(TIMEOUT_SECONDS))["action"] == "server-hello"
        yield client


def heard(client: ClientConnection, action: str) -> dict[str, Any]:
    while (message := json.loads(client.recv(TIMEOUT_SECONDS)))["action"] != action:
        pass
    return dict(message)


def test_a_page_and_a_terminal_are_users_of_one_server(server: Server) -> None:
    name, group = fresh("ada"), fresh("room")
    with peer(server, name) as page, server.client(fresh("bob")) as terminal:
        assert page.subprotocol == "tchat.1"
        page.send(json.dumps({"action": "cgroupe", "sender": name, "group": group}))
        created = heard(page, "cgroupe")
        assert created["owner"] == name
        assert terminal.ask(action="join", group=group)["seq"] == 2
        assert heard(page, "join")["seq"] == 2
        page.send(json.dumps({"action": "gbroadcast", "sender": name, "group": group, "msg": "é;\n\u2028😀"}))
        assert heard(page, "gbroadcast") == terminal.get()


def test_a_frame_is_one_object_without_a_line_end(server: Server) -> None:
    with Frames(server) as frames:
        frames.send(Opcode.TEXT, b'{"action":"ping"}')
        opcode, data = frames.next()
        assert opcode == Opcode.TEXT
        assert json.loads(data)["action"] == "ping"
        assert data.endswith(b"}")


def test_many_frames_in_one_write_are_answered_in_order(server: Server) -> None:
    with Frames(server) as frames:
        one = [Frame(Opcode.TEXT, b'{"action":"ping","id":"%d"}' % n).serialize(mask=True) for n in range(500)]
        frames.write(b"".join(one))
        assert [frames.get()["id"] for _ in range(500)] == [str(n) for n in range(500)]


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_frames_may_be_cut_anywhere(server: Server, size: int) -> None:
    data = b"".join(Frame(Opcode.TEXT, b'{"action":"ping","id":"%d"}' % n).serialize(mask=True) for n in range(5))
    with Frames(server) as frames:
        for start in range(0, len(data), size):
            frames.write(data[start : start + size])
        assert [frames.get()["id"] for _ in range(5)] == list("01234")


def test_fragments_are_one_message_and_a_ping_may_stand_between(server: Server) -> None:
    with Frames(server) as frames:
        frames.send(Opcode.TEXT, b'{"action":', fin=False)
        frames.send(Opcode.PING, b"there?")
        frames.send(Opcode.CONT, b'"ping",', fin=False)
        frames.send(Opcode.CONT, b'"id":"1"}')
        assert frames.next() == (Opcode.PONG, b"there?")
        assert frames.get()["id"] == "1"


@pytest.mark.parametrize(
    "text",
    [b"", b"x", b"[1]", b'{"action":"ping"}{"action":"ping"}', b'{"action":', b'{"a":"\n"}', b"\xef\xbb\xbf{}"],
    ids=["empty", "no JSON", "list", "two", "half", "raw line end", "BOM"],
)
def test_a_text_that_is_no_object_is_refused_and_the_connection_goes_on(server: Server, text: bytes) -> None:
    with Frames(server) as frames:
        frames.send(Opcode.TEXT, text)
        assert frames.get()["code"] == "bad-json"
        assert frames.ask(action="ping")["action"] == "ping"


def test_pretty_printed_objects_are_read(server: Server) -> None:
    with Frames(server) as frames:
        frames.send(Opcode.TEXT, b'\r\n{\n  "action": "ping",\n  "id": "1"\n}\r\n')
        assert frames.get()["id"] == "1"


@pytest.mark.parametrize("case", [case for case in CASES if "status" in case], ids=lambda case: case["id"])
def test_a_handshake_of_the_specification(server: Server, case: dict[str, Any]) -> None:
    with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_SECONDS) as sock:
        sock.sendall(request(case.get("path", "/tchat"), **case.get("headers", {})))
        head = sock.recv(65536).partition(b"\r\n\r\n")[0]
    assert status(head) == case["status"]
    is_offered = case.get("headers", {}).get("Sec-WebSocket-Protocol", "tchat.1") is not None
    assert (b"\r\nSec-WebSocket-Protocol: tchat.1" in head) == (is_offered and case["status"] == 101)
    assert b"Sec-WebSocket-Extensions" not in head


@pytest.mark.parametrize("case", [case for case in CASES if "frames" in case], ids=lambda case: case["id"])
def test_frames_of_the_specification(server: Server, case: dict[str, Any]) -> None:
    with Frames(server) as frames:
        for frame in case["frames"]:
            frames.write(bytes.fromhex(frame["raw"]) if "raw" in frame else written(frame))
        for wanted in case["answers"]:
            opcode, data = frames.next()
            if "$pong" in wanted:
                assert (opcode, data.decode()) == (Opcode.PONG, wanted["$pong"])
            else:
                assert data.startswith(b"{")
                assert data.endswith(b"}")
                assert wanted.items() <= json.loads(data).items()
        if "close" in case:
            frames.closes(case["close"])
        else:
            assert frames.ask(action="ping", id="end")["id"] == "end"


def written(frame: dict[str, Any]) -> bytes:
    """A masked frame from its first byte and its payload."""
    data = bytes.fromhex(frame["hex"]) if "hex" in frame else frame["text"].encode() * frame.get("times", 1)
    size = len(data)
    length = (
        bytes([0x80 | size])
        if size < 126
        else struct.pack("!BH" if size < 65536 else "!BQ", 0xFE + (size > 65535), size)
    )
    return bytes.fromhex(frame["head"]) + length + bytes(4) + data


TEXTS = st.sampled_from(
    [
        b'{"action":"ping"}',
        b'{"action":"ping","id":"\xc3\xa9"}',
        b"\x81\x85abcd" * 30,
        b"{}",
        b"",
        b" " * 130 + b"{}",
        b"\xff",
    ]
)


@st.composite
def some_frames(draw: st.DrawFn) -> bytes:
    """Frames of every kind, their masks random, whole or the last one in part."""
    written = b""
    for _ in range(draw(st.integers(1, 6))):
        text, kind = draw(TEXTS), draw(st.sampled_from(["text", "text", "text", "fragments", "ping", "binary", "bad"]))
        match kind:
            case "text":
                frames = [Frame(Opcode.TEXT, text)]
            case "fragments":
                cut = draw(st.integers(0, len(text)))
                parts = [Frame(Opcode.TEXT, text[:cut], False), Frame(Opcode.CONT, text[cut:])]
                frames = [parts[0], Frame(Opcode.PING, b"\x81\x81"), parts[1]]
            case "ping":
                frames = [Frame(Opcode.PING, text[:125])]
            case "binary":
                frames = [Frame(Opcode.BINARY, text)]
            case _:
                frames = []
                written += masked("c182", b"{}")
        written += b"".join(frame.serialize(mask=True) for frame in frames)
    return written[: len(written) - draw(st.integers(0, 5))]


@given(data=some_frames(), cuts=st.lists(st.integers(0, 400), max_size=6))
def test_frames_mean_the_same_however_they_are_cut(data: bytes, cuts: list[int]) -> None:
    def heard(pieces: list[bytes]) -> tuple[list[Any], bytes, bool]:
        pongs: list[bytes] = []
        connection = WebSocketConnection(
            DEFAULT_LIMITS, heard=None, reply=pongs.append, hurry=lambda: None, clock=lambda: 0.0
        )
        items = [item for piece in pieces for item in connection.receive(piece)]
        if connection.closing:  # whether a ping behind the fault is still answered is nobody's concern
            return items, b"closed", False
        return items, b"".join(pongs), connection.mid_frame

    edges = [0, *sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    whole = heard([data])
    assert heard(pieces) == whole
    assert heard([bytes([byte]) for byte in data]) == whole


class Mute(asyncio.Transport):
    """Takes what is written, and nothing else."""

    def write(self, data: Any) -> None: ...
    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0


def masked(head: str, payload: bytes = b"") -> bytes:
    """A frame from its first bytes in hexadecimal, with a mask of zeros."""
    return bytes.fromhex(head) + bytes(4) + payload


ENDS = {
    "binary": (masked("8282", b"{}"), 1003, "bad-json"),
    "not UTF-8": (masked("8183", b"\xc3\x28\xff"), 1007, "bad-json"),
    "one byte too many": (masked("81ff0000000000010001"), 1009, "too-large"),
    "100 MB announced": (masked("81ff0000000006400000"), 1009, "too-large"),
    "2^63 announced": (masked("81ff8000000000000000"), 1009, "too-large"),
    "fragments of nothing": (masked("0180") + masked("0080") * 256, 1009, "too-large"),
    "too large in fragments": (masked("01fe8000", b" " * 0x8000) + masked("80fe8001"), 1009, "too-large"),
    "not masked": (bytes.fromhex("81027b7d"), 1002, "bad-json"),
    "compressed": (masked("c182", b"{}"), 1002, "bad-json"),
    "unknown opcode": (masked("8380"), 1002, "bad-json"),
    "ping of 126 bytes": (masked("89fe007e", bytes(126)), 1002, "bad-json"),
    "ping in fragments": (masked("0980"), 1002, "bad-json"),
    "continues nothing": (masked("8080"), 1002, "bad-json"),
    "text within a text": (masked("0181", b"{") + masked("8181", b"}"), 1002, "bad-json"),
    "close of one byte": (masked("8881", b"\x03"), 1002, "bad-json"),
    "close with a forbidden code": (masked("8882", struct.pack("!H", 1005)), 1002, "bad-json"),
    "close with a reason that is not UTF-8": (masked("8883", struct.pack("!H", 1000) + b"\xff"), 1007, "bad-json"),
}


@pytest.mark.parametrize(("data", "code", "error"), ENDS.values(), ids=ENDS)
def test_a_frame_that_may_not_be_ends_it_with_the_reason(server: Server, data: bytes, code: int, error: str) -> None:
    with Frames(server) as frames:
        frames.ask(action="ping")
        frames.write(data)
        assert frames.get()["code"] == error
        frames.closes(code)


def test_a_frame_of_64_kib_is_read(server: Server) -> None:
    with Frames(server) as frames:
        frames.send(Opcode.TEXT, b'{"action":"ping"}'.ljust(65536))
        assert frames.get()["action"] == "ping"


@pytest.mark.parametrize("size", [1, 256])
def test_a_message_in_256_fragments_is_read(server: Server, size: int) -> None:
    text = b'{"action":"ping"}'.ljust(256 * size)
    with Frames(server) as frames:
        for at in range(0, len(text), size):
            opcode = Opcode.CONT if at else Opcode.TEXT
            frames.send(opcode, text[at : at + size], fin=at + size == len(text))
        assert frames.get()["action"] == "ping"


def test_quit_is_answered_and_closes_with_1000(server: Server) -> None:
    with Frames(server) as frames:
        assert frames.ask(action="client-quit")["action"] == "server-quit"
        frames.closes(1000)


def test_a_goodbye_comes_behind_what_was_asked_and_is_answered(server: Server) -> None:
    name = fresh("eve")
    with server.client(fresh("x")) as other, Frames(server) as frames:
        frames.ask(action="client-hello", **{"from": name})
        ask = Frame(Opcode.TEXT, b'{"action":"groups"}').serialize(mask=True)
        frames.write(ask + Frame(Opcode.CLOSE, struct.pack("!H", 1001)).serialize(mask=True))
        assert frames.get()["action"] == "groups"
        assert frames.next() == (Opcode.CLOSE, struct.pack("!H", 1001))
        assert rest(frames.sock) == b""
        assert name not in other.ask(action="client-list-clients")["list"]


def test_nothing_is_written_behind_the_goodbye(server: Server) -> None:
    with Bystanders(server) as bystanders, Frames(server) as frames:
        frames.ask(action="client-hello", **{"from": fresh("leaver")})
        assert frames.ask(action="client-quit")["action"] == "server-quit"
        bystanders.alice.ask(action="client-broadcast", msg="anybody there?")
        bystanders.bob.get()
        frames.write(masked("8282", b"{}"))
        frames.closes(1000)


def test_a_page_that_is_gone_without_a_word_is_gone(server: Server) -> None:
    name = fresh("gone")
    with server.client(fresh("x")) as other:
        with Frames(server) as frames:
            frames.ask(action="client-hello", **{"from": name})
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while name in other.ask(action="client-list-clients")["list"]:
            assert time.monotonic() < deadline


@on_loop
async def test_a_page_that_is_gone_leaves_nothing_to_the_garbage_collector() -> None:
    server = shell.Server(Hub(), MemoryLog(), site=packaged_site((), (), ()))
    gc.collect()
    gc.disable()
    try:
        for number in range(10):
            peer = PeerProtocol(server, "127.0.0.1", "127.0.0.1:1")
            peer.connection_made(Mute())
            hello = b'{"action":"client-hello","from":"u%d"}' % number
            for data in (request(), masked(f"81{0x80 | len(hello):02x}", hello), masked("8980")):
                peer.data_received(data)
            await asyncio.sleep(0.001)
            assert peer.frames_in == 1
            peer.connection_lost(None)
            await asyncio.sleep(0)
        del peer
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_a_server_that_stops_says_so_with_1001(tmp_path: Path) -> None:
    with serving(tmp_path) as server, peer(server, "ada") as page:
        server.ask_to_stop()
        assert heard(page, "server-quit")["action"] == "server-quit"
        with pytest.raises(ConnectionClosed):
            page.recv(TIMEOUT_SECONDS)
        assert page.close_code == 1001
        assert server.process.wait(TIMEOUT_SECONDS) == 0


def test_a_page_that_does_not_read_costs_its_buffer_then_its_connection(tmp_path: Path) -> None:
    def join(server: Server, group: str) -> Frames:
        asleep = Frames(server)
        asleep.ask(action="client-hello", **{"from": "asleep"})
        asleep.ask(action="join", group=group)
        return asleep

    assert max(memory_while_somebody_does_not_read(tmp_path, 60_000, join)) <= 3 * 1024


def test_pings_without_end_leave_the_others_their_turn(tmp_path: Path) -> None:
    with serving(tmp_path, "--rate", "50") as server, Bystanders(server) as bystanders, Frames(server) as flooder:
        flooder.sock.settimeout(1.0)
        with suppress(TimeoutError):
            flooder.sock.sendall(Frame(Opcode.PING, b"").serialize(mask=True) * 1_000_000)
            raise AssertionError("a million pings were read in a second")
        before = server.cpu_seconds()
        for _ in range(5):
            assert bystanders.chat() < 1.0
        assert server.cpu_seconds() - before < 0.5


STATUSES = {
    "the page": (get(), 200),
    "the page with a query": (get("/?lang=fr"), 200),
    "HEAD": (get().replace(b"GET", b"HEAD", 1), 200),
    "HTTP/1.0": (get().replace(b"HTTP/1.1", b"HTTP/1.0"), 200),
    "another path": (get("/nowhere"), 404),
    "dots": (get("/../pyproject.toml"), 404),
    "encoded dots": (get("/%2e%2e/%2e%2e/etc/passwd"), 404),
    "back slashes": (get("/..\\settings.py"), 404),
    "two slashes": (get("//index.html"), 404),
    "an absolute path": (get("/etc/passwd"), 404),
    "a NUL": (get("/index.html%00.css"), 404),
    "a whole URL": (get("http://127.0.0.1/"), 404),
    "POST": (get().replace(b"GET", b"POST", 1), 405),
    "OPTIONS": (get().replace(b"GET", b"OPTIONS", 1), 405),
    "DELETE": (get().replace(b"GET", b"DELETE", 1), 405),
    "a body": (get(Content_Length="5") + b"hello", 400),
    "a chunked body": (get(Transfer_Encoding="chunked") + b"0\r\n\r\n", 400),
    "no host": (get(Host=None), 400),
    "two hosts": (get().replace(b"\r\n", b"\r\nHost: localhost\r\n", 1), 400),
    "a host that is none": (get(Host="a b"), 400),
    "localhost": (get(Host="LocalHost:8080"), 200),
    "IPv6": (get(Host="[::1]:8080"), 200),
    "a host that was named": (get(Host="chat.example."), 200),
    "a host that resolves here": (get(Host="rebound.example"), 421),
    "localhost of somebody": (get(Host="localhost.example"), 421),
    "an upgrade for such a host": (request(Host="rebound.example"), 421),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/0.9": (b"GET /\r\n\r\n", 400),
    "bare line feeds": (b"GET / HTTP/1.1\nHost: localhost\n\n", 400),
    "a header that is none": (b"GET / HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n", 400),
    "a header with NUL": (get(X_Y="a\0b"), 400),
    "huge headers": (get(X_Y="x" * 20_000), 431),
    "huge headers without end": (get(X_Y="x" * 20_000)[:-4], 431),
    "pipelined": (get() + get("/nowhere"), 200),
    "an upgrade on another path": (request("/"), 200),
    "an upgrade on no path": (request("/chat"), 404),
    "no upgrade": (get("/tchat"), 426),
    "another upgrade": (request(Upgrade="h2c"), 426),
    "wrong version": (request(Sec_WebSocket_Version="8"), 426),
    "no version": (request(Sec_WebSocket_Version=None), 426),
    "no key": (request(Sec_WebSocket_Key=None), 400),
    "a bad key": (request(Sec_WebSocket_Key="short"), 400),
    "wrong subprotocol": (request(Sec_WebSocket_Protocol="chat, tchat.2"), 400),
    "an upgrade in HTTP/1.0": (request(version="1.0"), 505),
    "an upgrade by POST": (request(method="POST"), 405),
    "another origin": (request(Origin="https://evil.example"), 403),
    "own origin, other scheme": (request(Origin="https://127.0.0.1"), 403),
    "own origin, other port": (request(Origin="http://127.0.0.1:81"), 403),
    "no origin at all": (request(Origin="null"), 403),
    "own origin in another domain": (request(Origin="http://127.0.0.1.evil.example"), 403),
}


@pytest.mark.parametrize(("data", "expected"), STATUSES.values(), ids=STATUSES)
def test_a_request_has_the_right_status(server: Server, data: bytes, expected: int) -> None:
    answer = exchange(server, data)
    assert status(answer) == expected
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"HTTP/1.1" not in body
    if not data.startswith(b"HEAD"):
        assert b"Content-Length: %d\r\n" % len(body) in head + b"\r\n"
    for policy in (b"default-src 'none'", b"frame-ancestors 'none'", b"nosniff", b"Connection: close"):
        assert policy in head
    assert b"Access-Control" not in head
    assert server.logs(f"http: {expected} ")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://127.0.0.1"},
        {"Origin": "https://chat.example"},
        {"Host": "localhost:1", "Origin": "http://localhost:1"},
        {"Sec_WebSocket_Protocol": None},
        {"Sec_WebSocket_Protocol": "soap, tchat.1"},
        {"Sec_WebSocket_Extensions": "permessage-deflate; client_max_window_bits"},
        {"Connection": "keep-alive, Upgrade", "Upgrade": "WebSocket"},
    ],
    ids=str,
)
def test_a_handshake_that_is_right_is_taken_and_never_with_an_extension(
    server: Server, headers: dict[str, str | None]
) -> None:
    with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_SECONDS) as sock:
        sock.sendall(request(**headers))
        head = sock.recv(65536)
    assert status(head) == 101
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
    assert b"Extensions" not in head
    is_offered = headers.get("Sec_WebSocket_Protocol", "tchat.1") is not None
    assert (b"Sec-WebSocket-Protocol: tchat.1" in head) == is_offered


def test_a_request_in_pieces_is_one(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_SECONDS) as sock:
        for byte in get():
            sock.sendall(bytes([byte]))
        assert status(rest(sock)) == 200


def test_a_file_that_did_not_change_is_not_sent_again(server: Server) -> None:
    head, _, body = exchange(server, get()).partition(b"\r\n\r\n")
    assert body
    tag = head.partition(b"ETag: ")[2].partition(b"\r\n")[0].decode()
    answer = exchange(server, get(If_None_Match=tag))
    assert status(answer) == 304
    assert answer.endswith(b"\r\n\r\n")


def answer(sock: socket.socket) -> bytes:
    """Read one answer, its body too."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += sock.recv(1)
    length = int(found.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    while len(found.partition(b"\r\n\r\n")[2]) < length:
        found += sock.recv(65536)
    return found


MORE = get(Connection="keep-alive")


@contextmanager
def waiting(directory: Path, seconds: float) -> Iterator[Server]:
    """A server that waits so long for another request on a connection."""
    with serving(
        directory, prelude=f"import tchat_server.net.web as web; web._NEXT_REQUEST_SECONDS = {seconds}"
    ) as found:
        yield found


def test_a_browser_asks_for_many_files_on_one_connection(tmp_path: Path) -> None:
    with waiting(tmp_path, 60) as server, Bystanders(server):
        with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_SECONDS) as sock:
            for number in range(1, 33):
                sock.sendall(MORE)
                found = answer(sock)
                assert status(found) == 200
                assert found.endswith(b"</html>\n")
                assert (b"Connection: keep-alive\r\n" in found) == (number < 32)
            assert sock.recv(1) == b""
        assert server.logs("200 GET / HTTP/1.1 (no name, 32 in")
        for last in (get(), get("/nowhere", Connection="keep-alive"), MORE.replace(b"GET", b"POST", 1), MORE + MORE):
            with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_SECONDS) as sock:
                sock.sendall(MORE)
                answer(sock)
                sock.sendall(last)
                found = rest(sock)
                assert found.count(b"HTTP/1.1 ") == 1
                assert b"Connection: close\r\n" in found


def test_who_has_all_files_takes_nobody_s_place(tmp_path: Path) -> None:
    with waiting(tmp_path, 0.1) as server, Bystanders(server):
        for last in (b"", b"GET /"):
            with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_SECONDS) as sock:
                sock.sendall(MORE)
                answer(sock)
                sock.sendall(last)
                assert rest(sock) == b""
        assert server.logs("gone: http: 200 GET / HTTP/1.1 (no name, 1 in")


@on_loop
async def test_a_websocket_behind_a_file_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "_NEXT_REQUEST_SECONDS", 0.0)
    peer = PeerProtocol(shell.Server(Hub(), MemoryLog(), site=packaged_site((), (), ())), "127.0.0.1", "127.0.0.1:1")
    peer.connection_made(Mute())
    for data in (MORE, request()):
        peer.data_received(data)
    await asyncio.sleep(0.02)
    assert isinstance(peer.connection, WebSocketConnection)
    assert peer.ending is None


def test_what_begins_like_http_and_is_not_is_the_protocol_s(server: Server) -> None:
    with server.client() as client:
        client.write(b"GE")
        time.sleep(0.02)
        client.write(b"NERAL\n")
        assert client.get()["code"] == "bad-json"
        assert client.ask(action="ping")["action"] == "ping"


def test_half_a_request_is_closed_in_time(tmp_path: Path) -> None:
    with serving(tmp_path, "--mid-frame-seconds", "0.3", "--silent-seconds", "5") as server, Bystanders(server):
        began = time.monotonic()
        for data in (get()[:-2], request()[:40]):
            with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_SECONDS) as sock:
                sock.sendall(data)
                assert rest(sock) == b""
        assert time.monotonic() - began < 4


@on_both_loops
def test_who_passes_a_limit_is_told_with_1008(tmp_path: Path, prelude: str) -> None:
    limits = ("--mid-frame-seconds", "0.3", "--silent-seconds", "1")
    with serving(tmp_path, *limits, prelude=prelude) as server, Bystanders(server):
        with Frames(server) as silent, Frames(server) as unfinished:
            unfinished.ask(action="ping")
            unfinished.send(Opcode.TEXT, b"{", fin=False)
            unfinished.closes(1008)
            silent.closes(1008)
        for why in ("silent", "a frame did not end"):
            assert server.logs(why)


def test_without_web_the_port_speaks_the_protocol_only(tmp_path: Path) -> None:
    with serving(tmp_path, "--no-web") as server, Bystanders(server):
        for data in (get(), request()):
            assert json.loads(exchange(server, data))["code"] == "bad-json"


@pytest.mark.parametrize(
    ("option", "value", "complaint"),
    [
        ("--allow-origin", "*", "'*' is no origin, for example https://chat.example.org"),
        ("--allow-origin", "https://chat.example/", "'https://chat.example/' is no origin"),
        ("--allow-origin", "chat.example", "'chat.example' is no origin"),
        (
            "--allow-host",
            "https://chat.example",
            "'https://chat.example' is no host name, for example chat.example.org",
        ),
        ("--allow-host", "chat.example:8080", "'chat.example:8080' is no host name"),
    ],
)
def test_what_is_no_origin_or_host_is_one_clear_line(option: str, value: str, complaint: str) -> None:
    command = [sys.executable, "-m", "tchat_server", "--db", ":memory:", option, value]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, cwd=ROOT, check=False)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


def test_over_tls_it_is_https_and_wss(tmp_path: Path) -> None:
    context = trusting()
    with serving(tmp_path, *secure(tmp_path)) as server:
        with context.wrap_socket(socket.create_connection(("127.0.0.1", server.port), TIMEOUT_SECONDS)) as sock:
            sock.sendall(get(Host="chat.example:8443"))
            assert status(rest(sock)) == 200
        asyncio.run(over_wss(f"127.0.0.1:{server.port}", context))


async def over_wss(place: str, context: ssl.SSLContext) -> None:
    """Talk from the page's own origin, and be refused from another; in one thread: one TLS socket in two is no good."""
    url = f"wss://{place}/tchat"
    async with connect_on_loop(url, ssl=context, origin=f"https://{place}") as page:
        await page.send('{"action":"ping"}')
        assert json.loads(await asyncio.wait_for(page.recv(), TIMEOUT_SECONDS))["action"] == "ping"
    with pytest.raises(InvalidStatus, match="403"):
        await connect_on_loop(url, ssl=context, origin=f"http://{place}")


def test_ten_thousand_requests_leave_the_others_their_turn(tmp_path: Path) -> None:
    """As fast as they come, ten in a write: the first is answered, and what stands behind it is not read."""
    with serving(tmp_path) as server, Bystanders(server) as bystanders:
        slowest = 0.0
        for number in range(1_000):
            with socket.create_connection(("127.0.0.1", server.port), TIMEOUT_SECONDS) as sock:
                sock.sendall(get("/nowhere") * 10)
                if number % 50 == 0:
                    slowest = max(slowest, bystanders.chat())
                    answer = rest(sock)
                    assert status(answer) == 404
                    assert answer.count(b"HTTP/1.1 ") == 1
        assert slowest < 1.0
        assert len(server.log().splitlines()) < 400  # of each kind a hundred, then ten a second
        assert server.has_descriptors(40)


@on_both_loops
def test_who_asks_for_a_page_and_is_gone_at_once_is_no_fault_of_ours(tmp_path: Path, prelude: str) -> None:
    with serving(tmp_path, prelude=prelude) as server, Bystanders(server):
        for number in range(100):
            client = server.client()
            client.write(get("/"))
            client.reset() if number % 2 else client.sock.close()


def test_the_trace_shows_texts_and_no_frames(tmp_path: Path) -> None:
    with serving(tmp_path, "--trace") as server, Frames(server) as frames:
        frames.ask(action="ping", id="traced")
        assert server.logs('< {"action": "ping", "id": "traced"}')
        assert server.logs('> {"action":"ping","ts"')
