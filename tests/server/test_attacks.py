"""Attacks that are in no table: what somebody who read the source would try. Two innocent users chat all the while."""

from __future__ import annotations

import json
import re
import resource
import signal
import socket
import ssl
import threading
import time
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from certificates import secure
from live import TIMEOUT_SECONDS, Bystanders, Client, Server, fresh, serving
from loops import on_both_loops
from talker import Talk
from tls import sealed

MARKS = "\u0315\u0300"  # two accents of different classes: sorting many of them takes quadratic time


class Reader(threading.Thread):
    """Reads lines until so many came, or the connection ends."""

    def __init__(self, client: Client, count: int) -> None:
        super().__init__(daemon=True)
        self.client, self.count, self.lines = client, count, 0

    def run(self) -> None:
        while self.lines < self.count and self.client.line() is not None:
            self.lines += 1


def test_names_of_thousands_of_accents_cost_no_time(tmp_path: Path) -> None:
    with serving(tmp_path) as server, Bystanders(server) as bystanders, server.client(fresh("x")) as peer:
        before = server.cpu_seconds()
        for action in ("join", "cgroupe", "msgs", "members"):
            assert peer.code(action=action, group="a" + MARKS * 5000) in ("group-not-found", "bad-name")
            bystanders.chat()
        assert peer.code(action="client-send", to="a" + MARKS * 5000, msg="x") == "user-not-found"
        assert peer.code(action="ban", group=bystanders.group, dest="a" + MARKS * 5000) == "not-member"
        assert server.cpu_seconds() - before < 0.3


def test_long_names_are_not_remembered(tmp_path: Path) -> None:
    with serving(tmp_path) as server, Bystanders(server), server.client(fresh("x")) as peer:
        grown = []
        for _ in range(4):
            for _ in range(200):
                assert peer.code(action="join", group=fresh("x" * 60_000)) == "group-not-found"
            grown.append(server.rss_kib())
        assert grown[-1] - grown[0] < 2048, grown


def test_a_flood_of_the_smallest_frames_lets_everybody_else_have_a_turn(tmp_path: Path) -> None:
    """Measured before there were turns: one read of 256 KiB of them stopped the server for four seconds."""
    with serving(tmp_path) as server, Bystanders(server) as bystanders, server.client() as flooder:
        reader = Reader(flooder, 60_000)
        reader.start()
        sender = threading.Thread(target=flooder.write, args=(b"{}\n" * 60_000,))
        sender.start()
        chats = 0
        while reader.is_alive():
            bystanders.chat()
            chats += 1
        sender.join()
        assert reader.lines == 60_000
        assert chats >= 10


def test_a_flood_beyond_the_rate_waits_on_its_own_side(tmp_path: Path) -> None:
    with serving(tmp_path, "--rate", "50") as server, Bystanders(server) as bystanders:
        flooder = server.client()
        flooder.sock.settimeout(1.0)
        before = server.cpu_seconds()
        with pytest.raises(TimeoutError):
            flooder.sock.sendall(b"{}\n" * 10_000_000)
        bystanders.chat()
        assert server.cpu_seconds() - before < 0.5


def test_many_floods_at_once_let_everybody_else_have_a_turn(tmp_path: Path) -> None:
    with serving(tmp_path) as server, Bystanders(server) as bystanders:
        flooders = [server.client(fresh("f")) for _ in range(16)]
        line = json.dumps({"action": "ping"}).encode() + b"\n"
        readers = [Reader(flooder, 2_000) for flooder in flooders]
        senders = [threading.Thread(target=flooder.write, args=(line * 2_000,)) for flooder in flooders]
        for thread in (*readers, *senders):
            thread.start()
        chats = 0
        while any(reader.is_alive() for reader in readers):
            bystanders.chat()
            chats += 1
        for thread in senders:
            thread.join()
        assert [reader.lines for reader in readers] == [2_000] * 16
        assert chats >= 3


def test_a_paced_peer_that_never_reads_is_closed_too(tmp_path: Path) -> None:
    """It never ends a message with LF, so it gets one line every 20 ms: these queues are bounded as well."""
    with serving(tmp_path, "--max-out-bytes", "100000") as server, Bystanders(server):
        group = fresh("g")
        speaker, deaf = server.client(fresh("speaker")), server.client()
        speaker.ask(action="cgroupe", group=group)
        deaf.write(json.dumps({"action": "join", "sender": fresh("deaf"), "group": group}).encode())
        assert speaker.get()["action"] == "join"
        while "gone: does not read" not in server.log():
            for _ in range(100):
                speaker.ask(action="gbroadcast", group=group, msg="x" * 8000)


def test_what_waits_for_many_paced_peers_is_not_counted_again_and_again(tmp_path: Path) -> None:
    """Thirty queues of thousands of lines each: summing them up for every text would take minutes."""
    with serving(tmp_path) as server, Bystanders(server) as bystanders:
        group = fresh("g")
        speaker = server.client(fresh("speaker"))
        speaker.ask(action="cgroupe", group=group)
        for _ in range(30):
            server.client().write(json.dumps({"action": "join", "sender": fresh("p"), "group": group}).encode())
            assert speaker.get()["action"] == "join"
        before = server.cpu_seconds()
        Talk(speaker, group, 4_000).run()
        bystanders.chat()
        assert server.cpu_seconds() - before < 3


def test_who_asks_for_thousands_of_pages_and_goes_leaves_no_work_behind(tmp_path: Path) -> None:
    with serving(tmp_path, "--db", str(tmp_path / "tchat.db")) as server, Bystanders(server) as bystanders:
        group = fresh("g")
        with server.client(fresh("asker")) as asker:
            asker.ask(action="cgroupe", group=group)
            for _ in range(20):
                asker.ask(action="gbroadcast", group=group, msg="x" * 8000)
            page = json.dumps({"action": "states", "group": group, "all": True}).encode() + b"\n"
            token, name = asker.welcome["token"], asker.name
            descriptors = server.descriptors()
        for _ in range(10):
            peer = server.client()
            peer.hello(name, token=token)
            peer.sock.settimeout(0.2)
            peer.write_some(page * 5_000)
            peer.reset()
            assert server.has_descriptors(descriptors)
        bystanders.chat()
        before = server.cpu_seconds()
        for _ in range(20):
            bystanders.alice.ask(action="states", group=bystanders.group)
        assert server.cpu_seconds() - before < 0.5


def test_pages_are_read_as_fast_as_their_reader_takes_them(tmp_path: Path) -> None:
    """Somebody who asks for 10 MB of history in one go gets it all, and is not taken for one who does not read."""
    with serving(tmp_path) as server, Bystanders(server) as bystanders, server.client(fresh("reader")) as reader:
        group = fresh("g")
        reader.ask(action="cgroupe", group=group)
        for _ in range(3):
            reader.ask(action="gbroadcast", group=group, msg="x" * 8000)
        reader.write(json.dumps({"action": "msgs", "group": group}).encode() * 600)
        bystanders.chat()
        for _ in range(600):
            assert reader.get()["action"] == "msgs"


def test_small_requests_with_large_answers_are_taken_as_fast_as_these_are_read(tmp_path: Path) -> None:
    with serving(tmp_path) as server, server.client(fresh("asker")) as peer:
        peer.ask(action="cgroupe", group="wide")
        for number in range(600):
            peer.send(action="ban", group="wide", dest=f"somebody-with-a-long-name-{number}")
        peer.sync()
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        before, asked, came = server.rss_kib(), 1500, 0
        sender = threading.Thread(target=peer.write, args=(b'{"action":"members","group":"wide"}\n' * asked,))
        sender.start()
        while came < asked:
            data = peer.sock.recv(1 << 16)
            assert data, f"who read was closed after {came} answers"
            came += data.count(b"\n")
            time.sleep(0.002)  # it reads, but not as fast as the server makes answers
        sender.join()
        grown = server.rss_kib(peak=True) - before
        assert grown < 8 * 1024, f"{grown} KiB waited for one peer"


def test_who_quits_without_reading_the_end_does_not_stay_for_ever(tmp_path: Path) -> None:
    options = ("--mid-frame-seconds", "0.5", "--max-out-bytes", "100000000")
    with serving(tmp_path, *options) as server, Bystanders(server), server.client(fresh("deaf")) as deaf:
        group = fresh("g")
        deaf.ask(action="cgroupe", group=group)
        descriptors = server.descriptors()
        with server.client(fresh("talker")) as talker:
            talker.ask(action="join", group=group)
            for _ in range(2_000):
                talker.ask(action="gbroadcast", group=group, msg="x" * 8000)
        deaf.send(action="client-quit")
        assert server.has_descriptors(descriptors - 1)
        assert server.logs("gone: quit")


@on_both_loops
def test_a_server_without_descriptors_serves_those_it_has(tmp_path: Path, prelude: str) -> None:
    options = ("--db", str(tmp_path / "tchat.db"), "--admin-listen", "127.0.0.1:0")
    with serving(tmp_path, *options, prelude=prelude) as server, Bystanders(server) as bystanders:
        soft, hard = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (server.descriptors() + 10, hard))
        with ExitStack() as stack:
            crowd = [stack.enter_context(Client(server.port)) for _ in range(200)]
            stack.enter_context(Client(admin_port(server)))
            assert server.logs("can't accept connections, they wait: Too many open files")
            before, begun = server.cpu_seconds(), time.monotonic()
            while time.monotonic() - begun < 1.0:
                bystanders.chat()
                time.sleep(0.1)
            bystanders.alice.ask(action="states", group=bystanders.group)
            assert server.cpu_seconds() - before < 0.3
            assert server.logs("\n")
            assert server.log().count("\n") == 1
            crowd[-1].send(action="ping")
            resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (soft, hard))
            assert crowd[-1].get()["action"] == "ping", "who waited is served"
        assert int(metrics(server)["tchat_accept_failures_total"]) > 0


def taken_meanwhile(server: Server, stack: ExitStack, port: int) -> int:
    """Return how much the kernel takes over TLS while the server looks away: so much is opened at once, by records.

    Records of one byte took everybody's time: 256 KiB of them are opened in 30 ms, for each of as many as do it.
    """
    sock = stack.enter_context(socket.socket())
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
    sock.settimeout(TIMEOUT_SECONDS)
    sock.connect(("127.0.0.1", port))
    data, taken = sealed(sock, (b" " * (1 << 18),)), 0
    sock.settimeout(0.2)
    server.process.send_signal(signal.SIGSTOP)
    with suppress(TimeoutError):
        while taken < len(data):
            taken += sock.send(data[taken:])
    server.process.send_signal(signal.SIGCONT)
    return taken


@on_both_loops
def test_tls_handshakes_that_never_end_count_as_connections(tmp_path: Path, prelude: str) -> None:
    files = secure(tmp_path)
    limits = ("--max-peers-per-address", "20", "--max-peers", "50")
    addresses = ("--tls-listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
    with serving(tmp_path, *files, *addresses, *limits, prelude=prelude) as server, Bystanders(server) as bystanders:
        before, port = server.descriptors(), server.other_ports[0]
        with ExitStack() as stack:
            away = flood_with_handshakes(stack, port, 100, source="127.0.0.2", stay=20)
            assert server.has_descriptors(before + 20)
            assert server.logs(f":{away} gone: too many connections")
            bystanders.chat()
            with server.client(source="127.0.0.2") as plain:
                assert [(it["code"], it["limit"]) for it in plain.rest()] == [("limit-reached", 20)]
            flood_with_handshakes(stack, port, 100, source="127.0.0.1", stay=50 - 20 - 2)
            assert server.has_descriptors(before + 50 - 2)
            bystanders.chat()
            numbers = metrics(server)
            assert numbers["tchat_handshakes"] == "48"
            assert numbers['tchat_closed_total{cause="too many connections"}'] == "153"
        assert server.has_descriptors(before)
        with ExitStack() as stack:
            for _ in range(20):  # a finished handshake counts once
                peer = stack.enter_context(encrypted(server, tmp_path / "cert.pem", source="127.0.0.2"))
                assert peer.ask(action="ping")["action"] == "ping"
            with pytest.raises((ssl.SSLError, ConnectionError)):
                encrypted(server, tmp_path / "cert.pem", source="127.0.0.2")
            assert (metrics(server)["tchat_handshakes"], metrics(server)["tchat_peers"]) == ("0", "22")
            assert taken_meanwhile(server, stack, port) < 96 * 1024
        assert server.has_descriptors(before)


@on_both_loops
def test_connections_reset_at_once_do_not_stay_counted(tmp_path: Path, prelude: str) -> None:
    with serving(tmp_path, "--admin-listen", "127.0.0.1:0", prelude=prelude) as server, Bystanders(server):
        before = server.descriptors()
        for _ in range(1000):
            Client(server.port, source="127.0.0.2").reset()
        with server.client(source="127.0.0.3") as late:  # it is accepted after all the others
            assert late.ask(action="ping")["action"] == "ping"
        assert server.has_descriptors(before)
        assert (metrics(server)["tchat_handshakes"], metrics(server)["tchat_peers"]) == ("0", "2")
        with server.client(source="127.0.0.2") as again:
            assert again.ask(action="ping")["action"] == "ping"


FAULTY = """
from libtchat.hub.hub import Hub
answered = Hub.answered
def faulty(self, ask, answer, now):
    if ask.peer not in self._peers:
        raise RuntimeError("planted")
    answered(self, ask, answer, now)
Hub.answered = faulty
"""


def test_a_fault_in_an_answer_for_somebody_who_is_gone_ends_nothing(tmp_path: Path) -> None:
    server = Server(tmp_path, "--db", str(tmp_path / "tchat.db"), prelude=FAULTY)
    try:
        with Bystanders(server):
            for _ in range(100):
                client = Client(server.port)
                client.send(action="client-hello", **{"from": fresh("gone")})
                client.reset()
                if "planted" in server.log():
                    break
            assert server.logs("a peer that is gone")
        assert server.stop() == 0
    finally:
        server.end()


def flood_with_handshakes(stack: ExitStack, port: int, count: int, *, source: str, stay: int) -> int:
    """Begin handshakes, or do not even that; *stay* of them are kept. Return the port of one that is not."""
    begin = bytes.fromhex("16030100c8010000c40303")
    crowd = [stack.enter_context(Client(port, source=source)) for _ in range(count)]
    for number, client in enumerate(crowd):
        client.write(begin if number % 2 else b"")
    for client in crowd[stay:]:
        client.sock.settimeout(5.0)
        with suppress(ConnectionResetError):
            assert client.sock.recv(1) == b""
    for client in crowd[:stay]:
        client.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.sock.recv(1)
    away: int = crowd[stay].sock.getsockname()[1]
    return away


def encrypted(server: Server, certificate: Path, *, source: str) -> Client:
    client = Client(server.other_ports[0], source=source)
    context = ssl.create_default_context(cafile=certificate)
    client.sock = context.wrap_socket(client.sock, server_hostname="127.0.0.1")  # closes the other if it fails
    return client


def admin_port(server: Server) -> int:
    found = re.search(r"/metrics on port (\d+)", server.out_file.read_text())
    assert found is not None
    return int(found[1])


def metrics(server: Server) -> dict[str, str]:
    address = f"http://127.0.0.1:{admin_port(server)}/metrics"
    with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer:
        lines = answer.read().decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def test_names_that_come_and_go_are_forgotten(tmp_path: Path) -> None:
    """Each leaves a token that holds for an hour, and nothing else."""
    with serving(tmp_path, "--presence", "none") as server, Bystanders(server):
        grown = []
        for _ in range(4):
            come_and_go(server, 300)
            grown.append(server.rss_kib())
        per_name = (grown[-1] - grown[0]) / 900
        assert per_name < 1.5, f"{per_name} KiB a name"


def come_and_go(server: Server, count: int) -> None:
    for _ in range(count):
        with server.client(fresh("n")) as client:
            client.send(action="client-quit")
            assert client.next() is not None


def test_a_crowd_that_comes_and_goes_does_not_flood_the_log(tmp_path: Path) -> None:
    with serving(tmp_path) as server, Bystanders(server):
        begun = time.monotonic()
        come_and_go(server, 600)
        took = time.monotonic() - begun
        assert server.log().count("\n") <= 100 + 10 * (took + 1)
        assert took < TIMEOUT_SECONDS
