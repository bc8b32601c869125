"""What the server must survive: one test per row of the table in SECURITY.md, against a real server on a real socket.

Wherever somebody misbehaves, two innocent users chat before and after (`Bystanders`).
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from drivers import SocketDriver
from live import TIMEOUT_SECONDS, Bystanders, Client, Json, Server, fresh, serving
from scenario import SPEC, Run, cases
from watching import Clock, memory_while_somebody_does_not_read, whole_log

HERE = Path(__file__)
SECURITY = HERE.parents[2] / "SECURITY.md"

# Rows that conversations of the specification show already: they are played with bystanders around.
PLAYED = {
    1: ("framing/two-objects-in-one-write", "framing/one-byte-writes", "framing/cut-anywhere"),
    2: ("framing/invalid-utf8", "framing/overlong-utf8", "framing/surrogate-utf8", "framing/byte-order-mark"),
    3: ("fields/surrogate-in-text", "fields/surrogate-in-name"),
    5: ("framing/depth-8", "framing/depth-9", "framing/depth-5000"),
    6: ("framing/duplicate-keys", "framing/duplicate-keys-nested"),
    7: ("framing/nan", "framing/infinity", "framing/overflowing-number"),
    8: ("history/after-5000-digits", "history/after-beyond-2-53"),
    9: ("history/limit-true", "history/limit-1-0", "history/limit-text", "history/limit-list"),
    12: ("framing/raw-newline-in-string", "talk/text-verbatim"),
    13: ("talk/text-verbatim",),
    14: ("fields/nul-in-text", "fields/nul-in-name"),
    15: ("hello/name-in-use-other-case", "hello/name-in-use-full-width", "hello/name-in-use-composed"),
    16: ("hello/look-alike-name",),
    17: ("hello/name-key-too-long",),
    18: ("hello/other-sender",),
    19: ("hello/implicit", "hello/hello-other-name"),
    20: ("fields/unknown-action", "fields/missing-action", "fields/number-as-action"),
    21: ("fields/unknown-fields", "framing/keys-65"),
    30: (
        *("moderation/kick-by-outsider", "moderation/ban-by-outsider", "moderation/unban-by-outsider"),
        *("history/outsider", "lists/members-outside", "moderation/membership-before-target"),
    ),
    31: ("moderation/kick-the-owner", "moderation/kick-oneself"),
    32: ("invitations/banned", "moderation/banned-cannot-join"),
    36: ("moderation/kick-private-voids-invitation",),
    37: ("groups/join-empty", "groups/history-outlives-members", "groups/bans-outlive-members"),
    38: (
        *("moderation/kick-away", "invitations/known-from-a-group"),
        *("hello/no-group-after-kick", "hello/pending-invitation"),
    ),
    52: (
        *("hello/name-with-selector", "hello/name-of-a-filler"),
        *("groups/bad-name-invisible", "moderation/ban-invisible-name"),
    ),
    47: ("history/limit-billion", "history/after-the-end"),
}
CASES = {case["id"]: case for case in cases()}
VECTORS = {
    case["id"]
    for name in ("framing", "codec")
    for case in json.loads((SPEC / "vectors" / f"{name}.json").read_text())["cases"]
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for what needs no options of its own."""
    with serving(tmp_path_factory.mktemp("server"), "--broadcasts-per-second", "0") as server:
        yield server


@pytest.fixture
def bystanders(server: Server) -> Iterator[Bystanders]:
    with Bystanders(server) as bystanders:
        yield bystanders


def test_every_row_has_a_test() -> None:
    sources = "".join(path.read_text() for path in sorted(HERE.parent.glob("test_robustness*.py")))
    tested = {int(row) for row in re.findall(r"^def test_row_(\d+)_", sources, re.MULTILINE)}
    here, there = SECURITY.read_text("utf-8").split("\nRows 57 to 70 are in ")
    table, elsewhere = ([int(row) for row in re.findall(r"^\| (\d+) \|", part, re.MULTILINE)] for part in (here, there))
    assert sorted({*table, *elsewhere}) == list(range(1, 71))
    assert table + elsewhere == sorted(table + elsewhere)
    assert tested | PLAYED.keys() == set(table)
    assert {case for ids in PLAYED.values() for case in ids} <= CASES.keys()


@pytest.mark.parametrize("row", PLAYED, ids=lambda row: f"row_{row:02}")
def test_row_by_conversations(row: int, server: Server, bystanders: Bystanders) -> None:
    for case in PLAYED[row]:
        Run(CASES[case], SocketDriver(server.port)).run()
        bystanders.chat()


def test_row_18_who_speaks_for_somebody_else_is_counted(tmp_path: Path) -> None:
    with serving(tmp_path, "--admin-listen", "127.0.0.1:0") as server, Bystanders(server) as bystanders:
        found = re.search(r"/metrics on port (\d+)", server.out_file.read_text())
        assert found is not None
        with server.client(fresh("eve")) as eve:
            for _ in range(3):
                assert eve.code(action="client-broadcast", sender=bystanders.alice.name, msg="hi") == "forbidden"
        with urllib.request.urlopen(f"http://127.0.0.1:{found[1]}/metrics", timeout=TIMEOUT_SECONDS) as answer:
            metrics = answer.read().decode()
        assert 'tchat_errors_total{code="forbidden"} 3\n' in metrics


def test_row_04_a_hundred_thousand_open_brackets_are_bad_json(server: Server, bystanders: Bystanders) -> None:
    with server.client() as peer:
        peer.write(b'{"action":"ping","x":' + b"[" * 60_000 + b"}\n")
        assert peer.get()["code"] == "bad-json"
        peer.write(b'{"action":"ping","x":' + b"[" * 30_000 + b"]" * 30_000 + b"}\n")
        assert peer.get()["code"] == "bad-json"
        assert peer.ask(action="ping")["action"] == "ping"
        peer.write(b"[" * 100_000)
        assert peer.get()["code"] == "bad-json"
    with server.client() as peer:
        peer.write(b'{"x":' + b"[" * 100_000)
        assert peer.get()["code"] == "too-large"
        assert peer.next() is None


@pytest.mark.parametrize("vector", ["codec/utf16", "codec/400-digits", "codec/integer-65-bits", "codec/raw-nul"])
def test_rows_whose_bytes_are_vectors(vector: str) -> None:
    assert vector in VECTORS


def test_row_10_an_object_of_90_000_keys_costs_no_more_than_64_kib(server: Server, bystanders: Bystanders) -> None:
    data = b"{" + b",".join(b'"k%d":1' % n for n in range(95_000)) + b"}"
    assert len(data) > 1_000_000
    with server.client() as peer:
        before = server.cpu_seconds()
        peer.write(data)
        answer = peer.get()
        assert (answer["code"], answer["limit"]) == ("too-large", 65536)
        assert peer.next() is None
        assert server.cpu_seconds() - before < 0.1


def test_row_11_a_frame_that_never_ends_costs_64_kib(server: Server, bystanders: Bystanders) -> None:
    before = server.rss_kib()
    for _ in range(20):
        with server.client() as peer:
            peer.write(b'{"msg":"' + b"x" * 8_000_000)
            assert [answer["code"] for answer in peer.rest()] in (["too-large"], [])  # [] when RST overtook it
    assert server.rss_kib() - before < 4096


def test_row_22_http_and_tls_are_closed_at_once_with_one_line_in_the_log(tmp_path: Path) -> None:
    with serving(tmp_path, "--no-web") as server, Bystanders(server):
        for start in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", bytes.fromhex("16030100c8010000c40303")):
            with server.client() as peer:
                port = peer.sock.getsockname()[1]
                peer.write(start)
                assert [answer["code"] for answer in peer.rest()] == ["bad-json"]
            assert server.logs(f":{port} gone: bad-json")
            assert server.log().count(f":{port} ") == 1


def test_row_23_slowloris_and_silence_end(tmp_path: Path) -> None:
    options = ("--mid-frame-seconds", "0.3", "--silent-seconds", "0.6")
    with serving(tmp_path, *options) as server, Bystanders(server):
        for drip, cause in ((b'{"action":"ping","x":"', "a frame did not end"), (b" ", "silent"), (b"", "silent")):
            with server.client() as peer:
                dripped = drip_until_closed(peer, drip)
                assert server.logs(f":{dripped} gone: {cause}"), server.log()
        with server.client(fresh("slow")) as peer:  # an honest one, longer there than the limits, in two pieces
            begun = time.monotonic()
            while time.monotonic() - begun < 0.8:
                assert peer.ask(action="ping")["action"] == "ping"
                peer.write(b'{"action":')
                peer.write(b'"ping"}\n')
                assert peer.get()["action"] == "ping"


def drip_until_closed(peer: Client, drip: bytes) -> int:
    """Send a byte every 50 ms until the server closes; return the port it was done from."""
    port: int = peer.sock.getsockname()[1]
    peer.sock.settimeout(0.05)
    begun, sent = time.monotonic(), 0
    while time.monotonic() - begun < TIMEOUT_SECONDS:
        if drip:
            peer.write(drip[sent : sent + 1] if sent < len(drip) else b"x" if drip != b" " else b" ")
            sent += 1
        try:
            data = peer.sock.recv(4096)
        except TimeoutError:
            continue
        except ConnectionResetError:
            return port
        if not data:
            return port
    raise AssertionError("never closed")


def test_row_24_idle_connections_are_capped_per_address_and_leave_nothing_behind(tmp_path: Path) -> None:
    with serving(tmp_path, "--max-peers-per-address", "20") as server, Bystanders(server):
        flood_with_idle(server, 300, source="127.0.0.2", stay=20)
        descriptors = server.descriptors()
        grown = [rss_after_idle_flood(server, 300, descriptors) for _ in range(5)]
        assert grown[-1] - grown[1] < 1024, grown


@pytest.mark.nightly
def test_row_24_with_5_000_connections(tmp_path: Path) -> None:
    with serving(tmp_path) as server, Bystanders(server):
        flood_with_idle(server, 5_000, source="127.0.0.2", stay=64)
        descriptors = server.descriptors()
        grown = [rss_after_idle_flood(server, 5_000, descriptors) for _ in range(5)]
        assert grown[-1] - grown[1] < 4096, grown


def rss_after_idle_flood(server: Server, count: int, descriptors: int) -> int:
    flood_with_idle(server, count, source="127.0.0.1", stay=count)
    assert server.has_descriptors(descriptors)
    return server.rss_kib()


def flood_with_idle(server: Server, count: int, *, source: str, stay: int) -> None:
    """Open connections that say nothing; *stay* of them are kept, the others told why not."""
    with ExitStack() as stack:
        peers = [stack.enter_context(server.client(source=source)) for _ in range(count)]
        with Bystanders(server):
            for number, peer in enumerate(peers):
                if number < stay:
                    continue
                assert [(answer["code"], answer["limit"]) for answer in peer.rest()] == [("limit-reached", stay)]
        assert peers[0].ask(action="ping")["action"] == "ping"
    with Bystanders(server):
        pass


def test_row_43_a_clock_that_jumps_back_only_stops_time_stamps(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    with serving(tmp_path, prelude=clock.prelude) as server, server.client(fresh("alice")) as alice:
        group = fresh("g")
        events = [alice.ask(action="cgroupe", group=group)]
        for jump in (0, -3600, 0, -7200, 60):
            clock.set(jump)
            events += [alice.ask(action="gbroadcast", group=group, msg=str(jump)) for _ in range(3)]
        assert [event["seq"] for event in events] == list(range(1, 17))
        stamps = [event["ts"] for event in events]
        assert stamps == sorted(stamps)
        assert stamps[4] == stamps[5], "it stands still while the clock is behind"


def test_row_25_who_does_not_read_costs_its_buffer_then_its_connection(tmp_path: Path) -> None:
    grown = memory_while_somebody_does_not_read(tmp_path, messages=60_000)
    assert max(grown) <= (2 + 1) * 1024, grown


@pytest.mark.nightly
def test_row_25_with_a_million_messages(tmp_path: Path) -> None:
    grown = memory_while_somebody_does_not_read(tmp_path, messages=1_000_000)
    assert max(grown) <= (2 + 1) * 1024, grown


def test_row_26_who_closes_its_sending_side_still_gets_all_answers(server: Server, bystanders: Bystanders) -> None:
    with server.client(fresh("half")) as peer:
        group = fresh("g")
        peer.ask(action="cgroupe", group=group)
        for _ in range(5):
            peer.send(action="gbroadcast", group=group, msg="x" * 8000)
            peer.send(action="states", group=group, all=True)
        peer.sock.shutdown(socket.SHUT_WR)
        answers = peer.rest()
        assert [answer["action"] for answer in answers] == ["gbroadcast", "states"] * 5
        assert [answer["last"] for answer in answers[1::2]] == [2, 3, 4, 5, 6]


def test_row_27_a_reset_in_the_middle_of_a_broadcast_costs_nobody_else(server: Server, bystanders: Bystanders) -> None:
    group = fresh("g")
    members = [server.client(fresh("m")) for _ in range(9)]
    members[0].ask(action="cgroupe", group=group)
    for member in members[1:]:
        member.ask(action="join", group=group)
    for round in range(6):
        for number in range(50):
            members[0].send(action="gbroadcast", group=group, msg=f"{round}.{number}")
        members.pop().reset()
    for member in members:
        heard: list[str] = []
        while len(heard) < 300:
            message = member.get()
            if message["action"] == "gbroadcast":
                heard.append(message["msg"])
        assert heard == [f"{round}.{number}" for round in range(6) for number in range(50)]
        member.sock.close()


def test_row_28_a_flood_of_joins_and_texts_is_limited_and_loses_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, "--rate", "500") as server, Bystanders(server) as bystanders:
        group = fresh("g")
        owner, spammer = server.client(fresh("owner")), server.client(fresh("spam"))
        owner.ask(action="cgroupe", group=group)
        for _ in range(80):
            spammer.send(action="join", group=group)
            spammer.send(action="gbroadcast", group=group, msg="buy")
            spammer.send(action="leave", group=group)
        answers = [spammer.get() for _ in range(240)]
        bystanders.chat()
        refused = [answer for answer in answers if answer["action"] == "error"]
        limited = [answer for answer in refused if answer["code"] == "rate-limited"]
        assert limited
        assert all(0 < answer["retry_after"] <= 1 for answer in limited)
        assert {answer["code"] for answer in refused} <= {"rate-limited", "already-member", "not-member"}
        accepted = [answer for answer in answers if answer["action"] != "error"]
        assert owner.sync() == accepted
        assert [event["seq"] for event in accepted] == list(range(2, 2 + len(accepted)))


def test_row_29_a_user_creates_15_groups(server: Server, bystanders: Bystanders) -> None:
    with server.client(fresh("greedy")) as peer:
        for _ in range(15):
            assert peer.ask(action="cgroupe", group=fresh("g"))["action"] == "cgroupe"
        for _ in range(985):
            peer.send(action="cgroupe", group=fresh("g"))
        assert {(peer.get()["code"], 15) for _ in range(985)} == {("limit-reached", 15)}


def test_row_33_nothing_of_a_kicked_user_follows_the_kick(server: Server, bystanders: Bystanders) -> None:
    for _ in range(20):
        group = fresh("g")
        with server.client(fresh("alice")) as alice, server.client(fresh("bob")) as bob:
            alice.ask(action="cgroupe", group=group)
            bob.ask(action="join", group=group)
            alice.get()
            text = json.dumps({"action": "gbroadcast", "group": group, "msg": "in flight"}).encode() + b"\n"
            talk = threading.Thread(target=bob.write, args=(text * 300,))
            talk.start()
            alice.send(action="kick", group=group, dest=bob.name)
            talk.join()
            heard = [bob.get() for _ in range(301)]
            actions = [message["action"] for message in heard]
            kick = actions.index("kick")
            assert set(actions[:kick]) <= {"gbroadcast"}
            assert {message.get("code") for message in heard[kick + 1 :]} <= {"not-member"}
            assert [message["seq"] for message in heard[: kick + 1]] == list(range(3, kick + 4))
            alice.sync()
            assert whole_log(alice, group)[-1]["action"] == "kick"


def test_row_34_a_ban_and_a_join_at_once_are_one_of_two_histories(server: Server, bystanders: Bystanders) -> None:
    rounds, batch = 10_000, 250
    group = fresh("g")
    with server.client(fresh("alice")) as alice, server.client(fresh("bob")) as bob:
        alice.ask(action="cgroupe", group=group)
        join = json.dumps({"action": "join", "group": group}).encode() + b"\n"
        ban = b"".join(
            json.dumps({"action": action, "group": group, "dest": bob.name}).encode() + b"\n"
            for action in ("ban", "unban")
        )
        told: list[Json] = []
        for _ in range(rounds // batch):
            racing = [
                threading.Thread(target=it.write, args=(data * batch,)) for it, data in ((alice, ban), (bob, join))
            ]
            for thread in racing:
                thread.start()
            for thread in racing:
                thread.join()
            bob.sync()
            told += alice.sync()
        log = [event for event in told if event["action"] != "error"]
        assert [event["seq"] for event in log] == list(range(2, 2 + len(log)))
        bob_is = "none"
        for event in log:
            legal = {"join": ("none",), "ban": ("none", "member"), "unban": ("banned",)}[event["action"]]
            assert bob_is in legal, event
            bob_is = {"join": "member", "ban": "banned", "unban": "none"}[event["action"]]
        assert sum(event["action"] == "unban" for event in log) == rounds
        assert {"join", "ban"} <= {event["action"] for event in log}


def test_row_35_a_group_created_twice_at_once_is_created_once(server: Server, bystanders: Bystanders) -> None:
    for _ in range(10):
        with server.client(fresh("a")) as alice, server.client(fresh("b")) as bob:
            groups = [fresh("g") for _ in range(15)]
            data = b"".join(json.dumps({"action": "cgroupe", "group": group}).encode() + b"\n" for group in groups)
            racing = [threading.Thread(target=it.write, args=(data,)) for it in (alice, bob)]
            for thread in racing:
                thread.start()
            for thread in racing:
                thread.join()
            answers = [(alice.get(), bob.get()) for _ in groups]
            for pair in answers:
                assert sorted(answer.get("code", "created") for answer in pair) == ["created", "group-exists"]


def test_row_39_an_id_sent_twice_makes_one_event_also_after_a_restart(tmp_path: Path) -> None:
    database = ("--db", str(tmp_path / "tchat.db"))
    request = {"action": "gbroadcast", "group": "wob", "msg": "once", "id": "x1"}
    with serving(tmp_path, *database) as server:
        with server.client("alice") as alice:
            alice.ask(action="cgroupe", group="wob")
            answers = [alice.ask(**request), alice.ask(**request)]
            token = alice.welcome["token"]
        with server.client() as alice:
            alice.ask(action="client-hello", token=token, **{"from": "alice"})
            answers.append(alice.ask(**request))
        assert server.stop() == 0
    with serving(tmp_path, *database) as server, server.client("alice") as alice:
        answers.append(alice.ask(**request))
        assert alice.code(**request | {"msg": "another"}) == "bad-request"
        log = whole_log(alice, "wob")
    assert answers == [log[1]] * 4
    assert len(log) == 2


def test_row_40_killed_between_commit_and_reply_the_retry_gets_the_first_answer(tmp_path: Path) -> None:
    database, fuse = ("--db", str(tmp_path / "tchat.db")), tmp_path / "fuse"
    prelude = f"""
import os, pathlib
from tchat_server.store.sqlite.log import SqliteLog
append = SqliteLog.append
async def append_then_die(self, parts):
    failed = await append(self, parts)
    if pathlib.Path({str(fuse)!r}).exists():
        os.kill(os.getpid(), 9)
    return failed
SqliteLog.append = append_then_die
"""
    request = {"action": "gbroadcast", "group": "wob", "msg": "stored", "id": "x1"}
    with serving(tmp_path, *database, prelude=prelude) as server, server.client("alice") as alice:
        alice.ask(action="cgroupe", group="wob")
        fuse.touch()
        alice.send(**request)
        assert alice.next() is None, "it was told"
        server.process.wait(TIMEOUT_SECONDS)
    fuse.unlink()
    with serving(tmp_path, *database) as server, server.client("alice") as alice:
        assert alice.welcome["seqs"] == {"wob": 2}
        answer = alice.ask(**request)
        assert (answer["seq"], answer["id"], answer["msg"]) == (2, "x1", "stored")
        assert alice.ask(action="gbroadcast", group="wob", msg="next")["seq"] == 3


@pytest.mark.parametrize(
    "cycles", [pytest.param(4, id="a_few_times"), pytest.param(100, id="a_hundred_times", marks=pytest.mark.nightly)]
)
def test_row_40_killed_at_random_under_load_nothing_acknowledged_is_lost(tmp_path: Path, cycles: int) -> None:
    database = ("--db", str(tmp_path / "tchat.db"))
    acknowledged: dict[int, str] = {}
    for cycle in range(cycles):
        with serving(tmp_path, *database) as server:
            writers = [Writer(server, f"w{number}", acknowledged, cycle) for number in range(8)]
            for writer in writers:
                writer.start()
            while sum(writer.done for writer in writers) < 40 + 37 * (cycle % 7):
                time.sleep(0)
            server.kill()
            for writer in writers:
                writer.join()
    with serving(tmp_path, *database) as server, server.client("w0") as reader:
        log = whole_log(reader, "wob")
    assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
    texts = [event["msg"] for event in log if event["action"] == "gbroadcast"]
    assert len(texts) == len(set(texts)), "something is there twice"
    stored = {event["seq"]: event["msg"] for event in log}
    assert acknowledged.items() <= stored.items()
    assert len(acknowledged) >= 40 * cycles


class Writer(threading.Thread):
    """Says one text after another and notes which were acknowledged, until the connection ends."""

    def __init__(self, server: Server, name: str, acknowledged: dict[int, str], cycle: int) -> None:
        super().__init__(daemon=True)
        self.client, self.acknowledged, self.cycle, self.done = server.client(name), acknowledged, cycle, 0
        self.client.ask(action="cgroupe", group="wob")
        self.client.ask(action="join", group="wob")
        self.ended_by: Json | None = None

    def run(self) -> None:
        client, number = self.client, 0
        while True:
            number += 1
            text = f"{client.name} {self.cycle} {number}"
            client.send(action="gbroadcast", group="wob", msg=text)
            while True:
                message = client.next()
                if message is None or message["action"] == "server-quit":
                    self.ended_by = message
                    client.sock.close()
                    return
                if message.get("msg") == text:
                    break
            self.acknowledged[message["seq"]] = text
            self.done += 1


def test_row_41_a_disk_that_fails_is_unavailable_until_it_works(tmp_path: Path) -> None:
    database, full = tmp_path / "tchat.db", tmp_path / "full"
    prelude = f"""
import pathlib, sqlite3
from tchat_server.store.sqlite.log import SqliteLog
class Connection(sqlite3.Connection):
    def execute(self, sql, *arguments):
        if sql.startswith("BEGIN"):
            most = 1 if pathlib.Path({str(full)!r}).exists() else 1_000_000
            super().execute(f"PRAGMA max_page_count = {{most}}")
        return super().execute(sql, *arguments)
open_ = SqliteLog.open
SqliteLog.open = lambda path, **options: open_(path, factory=Connection, **options)
"""
    with serving(tmp_path, "--db", str(database), prelude=prelude) as server, Bystanders(server) as bystanders:
        alice, bob, group = bystanders.alice, bystanders.bob, bystanders.group
        for _ in range(2):
            full.touch()
            for _ in range(2):
                assert alice.code(action="gbroadcast", group=group, msg="x" * 8000) == "unavailable"
                assert bob.ask(action="ping")["action"] == "ping", "he heard what was not stored"
            full.unlink()
            bystanders.chat()
            log = whole_log(alice, group)
            assert [event["seq"] for event in log] == list(range(1, bystanders.seq + 1))


def test_row_41_a_database_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = tchat_server("--listen", "127.0.0.1:0", "--db", str(tmp_path / "file" / "tchat.db"))
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1, done.stderr


@pytest.mark.parametrize("damage", ["wal", "page"])
def test_row_42_a_damaged_database_is_refused_and_says_what_is_wrong(tmp_path: Path, damage: str) -> None:
    database = tmp_path / "tchat.db"
    with serving(tmp_path, "--db", str(database)) as server:
        with Bystanders(server) as bystanders:
            for _ in range(100):
                bystanders.chat()
        if damage == "wal":
            server.kill()
        else:
            assert server.stop() == 0
    if damage == "wal":
        wal = database.with_name(database.name + "-wal")
        wal.write_bytes(wal.read_bytes()[: wal.stat().st_size // 2])
    else:
        data = bytearray(database.read_bytes())
        for page in range(1, len(data) // 4096):
            data[page * 4096 : page * 4096 + 100] = b"\x55" * 100
        database.write_bytes(data)
    done = tchat_server("--listen", "127.0.0.1:0", "--db", str(database))
    assert (done.returncode, done.stderr.count("\n")) == (4, 1), done.stderr
    assert str(database) in done.stderr
    checked = tchat_server("check", str(database))
    if damage == "page":
        assert checked.returncode == 4
        assert "page" in (checked.stdout + checked.stderr).lower()


def tchat_server(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tchat_server", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        cwd=HERE.parents[2],
    )


def test_row_48_sql_is_only_text(tmp_path: Path) -> None:
    database = ("--db", str(tmp_path / "tchat.db"))
    texts = ["'; DROP TABLE users; --", '" OR 1=1 --', "%_\\' || char(0x41)", "?1 :name @x $y", "');ATTACH 'x' AS y;--"]
    with serving(tmp_path, *database) as server:
        with Bystanders(server), server.client("alice") as alice:
            alice.ask(action="cgroupe", group="drop-table_users.--")
            for text in texts:
                assert alice.code(action="cgroupe", group=text) == "bad-name"
                assert alice.code(action="join", group=text) == "group-not-found"
                assert alice.code(action="client-hello", **{"from": text}) == "forbidden"
                alice.ask(action="gbroadcast", group="drop-table_users.--", msg=text)
        assert server.stop() == 0
    with serving(tmp_path, *database) as server, server.client("alice") as alice:
        log = whole_log(alice, "drop-table_users.--")
        assert [event["msg"] for event in log[1:]] == texts


def test_row_44_wrong_passwords_are_throttled_and_tell_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, "--password-burst", "5") as server, Bystanders(server) as bystanders:
        with server.client("alice") as alice:
            assert alice.ask(action="register", password="secret")["action"] == "register"
        with server.client() as guesser:
            for number in range(30):
                guesser.send(action="client-hello", password=f"guess {number}", **{"from": "alice"})
            bystanders.chat()
            answers = [guesser.get() for _ in range(30)]
        codes = [answer["code"] for answer in answers]
        assert codes == ["auth-failed"] * 5 + ["rate-limited"] * 25
        assert all(answer["retry_after"] > 0 for answer in answers[5:])
        took: dict[str, list[float]] = {"bob": [], "nobody": []}
        told = set()
        with server.client("bob", source="127.0.0.5") as bob:
            bob.ask(action="register", password="secret")
        for name, source in (("bob", "127.0.0.2"), ("nobody", "127.0.0.3")):
            with server.client(source=source) as guesser:
                for _ in range(5):
                    begun = time.monotonic()
                    answer = guesser.ask(action="client-hello", password="guess", **{"from": name})
                    took[name].append(time.monotonic() - begun)
                    told.add((answer["code"], answer["msg"]))
        assert len(told) == 1, told
        assert 1 / 3 < min(took["bob"]) / min(took["nobody"]) < 3, took


def test_row_45_a_token_is_worth_nothing_an_hour_after_its_user_went(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    with serving(tmp_path, prelude=clock.time_goes_by) as server, Bystanders(server):
        tokens = {}
        for name in ("alice", "bob"):
            with server.client(name) as client:
                tokens[name] = client.welcome["token"]
                if name == "alice":
                    client.ask(action="register", password="secret")
                assert client.ask(action="client-quit")["action"] == "server-quit"
                assert client.next() is None
        clock.set(3590)
        with server.client() as client:
            hello = client.ask(action="client-hello", token=tokens["alice"], **{"from": "alice"})
            assert hello["action"] == "server-hello"
            assert client.ask(action="client-quit")["action"] == "server-quit"
            assert client.next() is None
        clock.set(3590 + 3610)
        with server.client("bob"), server.client() as thief:
            assert thief.code(action="client-hello", token=tokens["bob"], **{"from": "bob"}) == "name-in-use"
            assert thief.code(action="client-hello", token=tokens["alice"], **{"from": "alice"}) == "auth-failed"


def test_row_46_sigterm_under_load_loses_nothing_and_tells_everybody(tmp_path: Path) -> None:
    database = ("--db", str(tmp_path / "tchat.db"))
    acknowledged: dict[int, str] = {}
    with serving(tmp_path, *database) as server:
        writers = [Writer(server, f"w{number}", acknowledged, 0) for number in range(8)]
        for writer in writers:
            writer.start()
        while sum(writer.done for writer in writers) < 200:
            time.sleep(0)
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < 10
        for writer in writers:
            writer.join()
    assert all(writer.ended_by is not None for writer in writers), "somebody was not told"
    with serving(tmp_path, *database) as server, server.client("w0") as reader:
        log = whole_log(reader, "wob")
    assert acknowledged.items() <= {event["seq"]: event["msg"] for event in log}.items()
    assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
