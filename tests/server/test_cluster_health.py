"""What is done to a node's stream in the engine while it runs: it says so in one line, and is not ready."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import time
import urllib.error
import urllib.request
from contextlib import closing, suppress
from pathlib import Path

import pytest
from engine import free_ports, shared_engine
from live import TIMEOUT_SECONDS, Client, Server, fresh, serving
from logs import Book, create
from watching import LeaseClock

from tchat_server.store.nats.connection import Connection
from tchat_server.store.nats.log import NatsLog
from tchat_server.store.nats.url import parse_url
from tchat_server.store.sqlite import cache_file
from tchat_server.store.sqlite.inspection import APPLICATION_ID

ASK_SOON = "from tchat_server.store.nats import health; health.ASK_SECONDS = 0.1"


def test_a_node_whose_stream_is_deleted_says_so_and_is_not_ready(tmp_path: Path) -> None:
    (port,), name = free_ports(1), fresh("chat").replace(".", "-")
    url = shared_engine().url(name)
    options = ("--db", url, "--cache", str(tmp_path / "copy.db"), "--admin-listen", f"127.0.0.1:{port}")
    with serving(tmp_path, *options, prelude=ASK_SOON) as node:
        alice, bob = node.client("alice"), node.client()
        assert alice.ask(action="cgroupe", group="wob")["seq"] == 1
        assert is_ready(port)
        before = len(node.log())
        asyncio.run(delete_stream(url, f"tchat-{name}"))
        alice.send(action="gbroadcast", group="wob", msg="is anybody there?")
        bob.send(action="client-hello", **{"from": "bob"})
        assert node.logs(f"engine: the stream tchat-{name} was deleted: nothing can be stored or proved")
        assert not is_ready(port)
        assert node.log()[before:].count("engine: ") == 1, node.log()


def test_a_node_that_was_killed_and_is_started_again_has_its_names_at_once(tmp_path: Path) -> None:
    url = shared_engine().url(fresh("chat").replace(".", "-"))
    with serving(tmp_path, "--db", url, "--cache", str(tmp_path / "copy.db")) as node:
        node.client("alice").ask(action="cgroupe", group="wob")
        guest = node.client()
        guest.ask(action="client-hello")
        assert guest.ask(action="join", group="wob")["seq"] == 2
        node.kill()
        node.start()
        alice, deadline = node.client(), time.monotonic() + 10
        while alice.ask(action="client-hello", **{"from": "alice"})["action"] == "error":
            assert time.monotonic() < deadline
            alice = node.client()
        while alice.ask(action="members", group="wob").get("list") != ["alice"]:
            assert time.monotonic() < deadline


def test_two_nodes_with_one_copy_do_not_both_go_on_for_long(tmp_path: Path) -> None:
    """Somebody copied all files of a node that runs: the new one takes the old one for gone, and that one knows."""
    url = shared_engine().url(fresh("chat").replace(".", "-"))
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    with serving(here, "--db", url, "--cache", str(here / "copy.db")) as node:
        alice = node.client("alice")
        shutil.copy(here / "copy.db.node", there)
        with serving(there, "--db", url, "--cache", str(there / "copy.db")):
            assert alice.rest() == []
            assert node.logs("another node took it for gone")
            deadline = time.monotonic() + TIMEOUT_SECONDS
            while not serves(node):
                assert time.monotonic() < deadline, node.log()


def test_a_copy_that_turns_out_damaged_is_filled_again(tmp_path: Path) -> None:
    url = shared_engine().url(fresh("chat").replace(".", "-"))
    options = ("--db", url, "--cache", str(tmp_path / "copy.db"))
    with serving(tmp_path, *options, prelude=UNSEEN) as node:
        alice = node.client("alice")
        alice.ask(action="cgroupe", group="wob")
        for _ in range(20):
            alice.ask(action="gbroadcast", group="wob", msg="x" * 4000)
        node.stop()
        asyncio.run(append_elsewhere(url, tmp_path / "other.db"))
        with closing(sqlite3.connect(tmp_path / "copy.db")) as connection:
            ((page,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'entries'")
        with (tmp_path / "copy.db").open("r+b") as file:
            file.seek((page - 1) * 4096)
            file.write(bytes(4096))
        node.start()
        assert node.logs("copy.db is damaged: it is put aside, and filled again")
        again = node.client()
        again.hello("alice", token=alice.welcome["token"])
        assert again.welcome["seqs"] == {"wob": 21}


def test_a_large_copy_that_was_cut_beside_its_wal_file_is_put_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Large ones are not read through at the start; that it is shorter than it notes itself is seen all the same."""
    monkeypatch.setattr(cache_file, "_MAX_CHECKED_BYTES", 0)
    path, found = tmp_path / "copy.db", tmp_path / "found.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"PRAGMA journal_mode = WAL; PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("CREATE TABLE followed (identity TEXT)")
        connection.executemany("INSERT INTO followed VALUES (?)", [("x" * 4000,)] * 50)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("INSERT INTO followed VALUES ('more')")
        connection.commit()
        shutil.copy(path, found)  # as a node leaves them that is killed
        shutil.copy(f"{path}-wal", f"{found}-wal")
    with found.open("r+b") as file:
        file.truncate(found.stat().st_size // 2)
    assert cache_file.look(found, "any") == 0.0
    assert not found.exists()


def serves(node: Server) -> bool:
    with suppress(OSError), Client(node.port) as client:
        client.send(action="ping")
        return client.next() is not None
    return False


async def append_elsewhere(url: str, path: Path) -> None:
    """Append something that the node must copy when it starts."""
    log = await NatsLog.open(parse_url(url), path)
    assert await log.append([Book().part(create(f"g{number}", by="bob")) for number in range(20)]) == {}
    await log.close()


async def delete_stream(url: str, stream: str) -> None:
    connection = await Connection.open(parse_url(url))
    await connection.ask(f"STREAM.DELETE.{stream}")
    await connection.close()


def is_ready(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError as error:
        error.close()
        return False
    return True


UNSEEN = """
from tchat_server.store.sqlite import cache_file, inspection
cache_file._MAX_CHECKED_BYTES = inspection._MAX_CHECKED_BYTES = 0
"""


def test_a_node_that_lost_who_is_connected_where_begins_anew(tmp_path: Path) -> None:
    name = fresh("chat").replace(".", "-")
    url, clock = shared_engine().url(name), LeaseClock(tmp_path)
    with serving(tmp_path, "--db", url, "--cache", str(tmp_path / "copy.db"), prelude=clock.prelude) as node:
        alice = node.client("alice")
        assert alice.ask(action="cgroupe", group="wob")["seq"] == 1
        asyncio.run(delete_stream(url, f"tchat-{name}-roster"))
        clock.end_the_lease()
        assert alice.rest() == []
        assert node.logs("connections are closed: the engine has not taken it for 2")
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not serves(node):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert node.client("alice").welcome["seqs"] == {"wob": 1}
