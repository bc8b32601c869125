"""`tchat-server --db nats://…` as people run it: two nodes are one server, and what goes wrong is one line."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from commandline import COMMAND, environment
from engine import Engine, engine, free_ports
from live import TIMEOUT_SECONDS, Server, fresh, serving

from libtchat.message.event import Said
from libtchat.message.reply import Foreign, Message
from libtchat.message.request import Join, Say
from tchat_client.address import parse_addresses
from tchat_client.errors import Lost, NotOpen
from tchat_client.link import Link

SHORT_LEASE = """
from tchat_server.store.nats import lease
lease.RENEW_SECONDS, lease.FENCE_SECONDS, lease.LEASE_SECONDS = 0.2, 1.5, 3.0
"""


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with engine(tmp_path_factory.mktemp("engine")) as found:
        yield found


@contextmanager
def nodes(directory: Path, url: str, *options: str, prelude: str = "") -> Iterator[tuple[Server, Server]]:
    """Run two nodes of one chat."""
    places = [directory / "here", directory / "there"]
    for place in places:
        place.mkdir(exist_ok=True)
    here, there = (("--db", url, "--cache", str(place / "copy.db"), *options) for place in places)
    with serving(places[0], *here, prelude=prelude) as first, serving(places[1], *there, prelude=prelude) as second:
        yield first, second


def run(*args: str, code: int = 0) -> str:
    """Run the command to its end; a failure is exactly one line."""
    done = subprocess.run(
        [*COMMAND, *args], env=environment(), capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    assert done.returncode == code, done
    lines = [line for line in done.stderr.splitlines() if " warning " not in line]
    assert len(lines) == (code != 0), done.stderr
    return "\n".join(lines) or done.stdout


def get(port: int, page: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=TIMEOUT_SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_two_nodes_are_one_server_to_their_users(tmp_path: Path, one: Engine) -> None:
    with nodes(tmp_path, one.url(fresh("chat").replace(".", "-"))) as (here, there):
        alice, bob = here.client("alice"), there.client("bob")
        assert alice.ask(action="cgroupe", group="wob")["seq"] == 1
        assert bob.ask(action="join", group="wob")["seq"] == 2
        assert alice.get()["action"] == "join"
        alice.send(action="gbroadcast", group="wob", msg="bonjour")
        bob.send(action="gbroadcast", group="wob", msg="salut")
        heard = [[client.line(), client.line()] for client in (alice, bob)]
        assert heard[0] == heard[1]
        assert [json.loads(line or b"")["seq"] for line in heard[0]] == [3, 4]
        assert bob.code(action="cgroupe", group="WOB") == "group-exists"
        assert alice.ask(action="members", group="wob")["list"] == ["alice", "bob"]
        page = there.client("carl").ask(action="groups")
        assert page["list"] == ["wob"]


def test_a_node_that_was_stopped_and_lost_its_copy_knows_everything_again(tmp_path: Path, one: Engine) -> None:
    with nodes(tmp_path, one.url(fresh("chat").replace(".", "-"))) as (here, there):
        alice, bob = here.client("alice"), there.client("bob")
        alice.ask(action="cgroupe", group="wob")
        bob.ask(action="join", group="wob")
        here.stop()
        (tmp_path / "here" / "copy.db").unlink()
        bob.ask(action="gbroadcast", group="wob", msg="are you there?")
        here.start()
        again = here.client()
        again.hello("alice", token=alice.welcome["token"])
        assert again.welcome["seqs"] == {"wob": 3}
        assert [entry["seq"] for entry in again.ask(action="states", group="wob")["list"]] == [1, 2]


def test_what_an_operator_sees_of_a_node(tmp_path: Path, one: Engine) -> None:
    (port,) = free_ports(1)
    url = one.url(fresh("chat").replace(".", "-"), monitor=f"127.0.0.1:{one.monitors[0]}")
    options = ("--db", url, "--cache", str(tmp_path / "copy.db"), "--admin-listen", f"127.0.0.1:{port}")
    with serving(tmp_path, *options) as node:
        node.client("alice").ask(action="cgroupe", group="wob")
        _, text = get(port, "metrics")
        found = dict(re.findall(r"^tchat_cluster_(\w+) (\S+)$", text, re.MULTILINE))
        assert int(found["records_appended_total"]) >= 1
        assert int(found["records_followed_total"]) >= 1
        assert float(found["lease_age_seconds"]) < 10
        assert (found["engine_connected"], found["engine_syncs"], found["lag"]) == ("1", "1", "0")
        assert {"conflicts_total", "proofs_total", "damaged"} < set(found)
        assert get(port, "readyz")[0] == 200
        assert "sync" not in node.log()
        assert one.password not in node.log() + node.out_file.read_text()


def test_an_engine_not_known_to_sync_is_warned_of_at_each_start(tmp_path: Path) -> None:
    with engine(tmp_path, sync="2m") as lazy:
        url = lazy.url()
        with serving(tmp_path, "--db", url, "--cache", str(tmp_path / "copy.db")) as node:
            assert "is not known to sync each record" in node.log()
        monitored = lazy.url(monitor=f"127.0.0.1:{lazy.monitors[0]}")
        (tmp_path / "log").unlink()
        with serving(tmp_path, "--db", monitored, "--cache", str(tmp_path / "copy.db")) as node:
            assert "is not set to sync each record" in node.log()


def test_monitors_that_answer_later_are_asked_again(tmp_path: Path, one: Engine) -> None:
    port, monitor = free_ports(2)
    url = one.url(fresh("chat").replace(".", "-"), monitor=f"127.0.0.1:{monitor}")
    options = ("--db", url, "--cache", str(tmp_path / "copy.db"), "--admin-listen", f"127.0.0.1:{port}")

    class Monitor(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"jetstream": {"config": {"sync_always": true}}}')

        def log_message(self, *_: object) -> None:
            pass

    with serving(tmp_path, *options) as node:
        assert "its monitors do not answer" in node.log()
        assert "engine_syncs -1" in get(port, "metrics")[1]
        with ThreadingHTTPServer(("127.0.0.1", monitor), Monitor) as answering:
            Thread(target=answering.serve_forever, daemon=True).start()
            deadline = time.monotonic() + TIMEOUT_SECONDS
            while "engine_syncs 1\n" not in get(port, "metrics")[1]:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            answering.shutdown()


def test_a_chat_in_an_engine_is_verified_and_given_an_owner_while_nodes_serve_it(tmp_path: Path, one: Engine) -> None:
    url = one.url(fresh("chat").replace(".", "-"))
    assert "there is no chat" in run("check", url, code=4)
    with nodes(tmp_path, url) as (here, there):
        alice, bob = here.client("alice"), there.client("bob")
        alice.ask(action="cgroupe", group="wob")
        bob.ask(action="join", group="wob")
        assert run("check", url) == "1 groups, 2 events, 0 of them messages\n"
        assert run("own", url, "wob", "bob") == "bob owns wob (event 3)\n"
        assert bob.get()["seq"] == 3
        assert bob.ask(action="members", group="wob")["owner"] == "bob"
        assert "owns wob already" in run("own", url, "wob", "bob", code=4)
        assert "there is no group nowhere" in run("own", url, "nowhere", "bob", code=4)
        assert "nats stream backup tchat-" in run("backup", url, str(tmp_path / "out"), code=4)


FAILURES = [
    ("nats://host", 2, "--db is not nats://"),
    ("nats://u:SECRET@host/chat?colour=red", 2, "there is no 'colour'"),
    ("nats://u:SECRET@127.0.0.1:1/chat", 4, "Connection refused"),
    ("nats://tchat:SECRET@{hosts}/chat", 4, "does not accept this user and password"),
    ("nats://tchat:{password}@{hosts}/chat", 4, "fewer than 3 servers"),
]


@pytest.mark.parametrize(("url", "code", "line"), FAILURES, ids=[line for _, _, line in FAILURES])
def test_what_is_wrong_with_the_url_or_the_engine_is_one_line(
    url: str, code: int, line: str, tmp_path: Path, one: Engine
) -> None:
    url = url.format(hosts=one.hosts, password=one.password)
    told = run("--listen", "127.0.0.1:0", "--db", url, "--cache", str(tmp_path / "copy.db"), code=code)
    assert line in told
    assert "SECRET" not in told
    assert one.password not in told
    assert line in run("check", url, code=code) or code == 4


def test_without_the_extra_it_is_one_line_that_says_what_to_install(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['nats'] = None; from tchat_server.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", hidden, "--db", "nats://127.0.0.1/chat", "--cache", str(tmp_path / "copy.db")],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1] == "--db nats:// needs the extra `cluster`: pip install 'libtchat[cluster]'"


def test_nothing_of_the_engine_is_imported_without_the_url() -> None:
    code = "import sys, tchat_server.cli; print([name for name in sys.modules if 'nats' in name.split('.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    assert done.stdout == "[]\n"


def test_a_node_cut_off_from_the_engine_closes_its_connections_and_comes_back_by_itself(tmp_path: Path) -> None:
    with engine(tmp_path) as lone:
        options = ("--db", lone.url(), "--cache", str(tmp_path / "copy.db"))
        with serving(tmp_path, *options, prelude=SHORT_LEASE) as node:
            alice = node.client("alice")
            alice.ask(action="cgroupe", group="wob")
            lone.servers[0].end()
            assert alice.rest() == []
            assert node.logs("waiting: the engine")
            lone.servers[0].start()
            deadline = time.monotonic() + TIMEOUT_SECONDS
            again = None
            while again is None and time.monotonic() < deadline:
                try:
                    again = node.client()
                except ConnectionRefusedError:
                    time.sleep(0.05)
            assert again is not None
            again.hello("alice", token=alice.welcome["token"])
            assert again.welcome["seqs"] == {"wob": 1}
            assert again.ask(action="gbroadcast", group="wob", msg="back")["seq"] == 2


def test_two_who_want_one_name_on_two_nodes_are_told_apart(tmp_path: Path, one: Engine) -> None:
    with nodes(tmp_path, one.url(fresh("chat").replace(".", "-"))) as (here, there):
        alice = here.client("alice")
        stranger = there.client()
        assert stranger.code(action="client-hello", **{"from": "ALICE"}) == "name-in-use"
        tab = there.client()
        tab.hello("alice", token=alice.welcome["token"])
        guests = [node.client() for node in (here, there)]
        for guest in guests:
            guest.welcome = guest.ask(action="client-hello")
        assert len({guest.welcome["from"] for guest in guests}) == 2
        assert here.client("bob").ask(action="register", password="correct horse")["action"] == "register"
        assert there.client().code(action="client-hello", **{"from": "bob"}) in ("name-in-use", "auth-required")
        texts = there.client("carl")
        texts.ask(action="client-send", dest="alice", msg="hi")
        assert [client.get()["msg"] for client in (alice, tab)] == ["hi", "hi"]


async def _insist(link: Link, request: Say) -> Message | Foreign:
    """Ask until it is answered, with the same id each time."""
    while True:
        await link.opened.wait()
        try:
            return await link.ask(request)
        except (Lost, NotOpen):
            await asyncio.sleep(0.01)


def test_who_is_on_a_node_that_is_killed_is_back_on_another_with_nothing_lost(tmp_path: Path, one: Engine) -> None:
    async def talk(here: Server, there: Server) -> float:
        addresses = parse_addresses(f"{here.address},{there.address}")
        link = Link(addresses[0], "alice", others=addresses[1:])
        running = asyncio.create_task(link.run())
        await link.opened.wait()
        await link.ask(Join("wob"))
        away = 0.0
        for number in range(20):
            if number == 10:
                here.kill()
                away = time.monotonic()
            answer = await _insist(link, Say("wob", str(number), id=f"n{number}"))
            assert isinstance(answer, Said), answer
            away = time.monotonic() - away if number == 10 else away
        await link.quit()
        await running
        return away

    with nodes(tmp_path, one.url(fresh("chat").replace(".", "-"))) as (here, there):
        bob = there.client("bob")
        assert bob.ask(action="cgroupe", group="wob")["seq"] == 1
        assert asyncio.run(talk(here, there)) < 2
        heard = [bob.get() for _ in range(21)][1:]
        assert [(event["seq"], event["msg"]) for event in heard] == [(number + 3, str(number)) for number in range(20)]
