"""What the server must survive on its disk: rows of the table in SECURITY.md, as in test_robustness."""

from __future__ import annotations

import resource
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from live import Bystanders, Server, fresh, serving
from pairs import Pair, is_unavailable
from watching import whole_log

from tchat_server.store.event_log import LogUnusable
from tchat_server.store.sqlite.maintenance import backup, check


@pytest.mark.parametrize("limited", ["no room for a page", "no room at all"])
def test_row_54_a_file_size_limit_is_unavailable_while_it_lasts_and_nobody_waits(tmp_path: Path, limited: str) -> None:
    with serving(tmp_path, "--db", str(tmp_path / "tchat.db")) as server, Bystanders(server) as bystanders:
        alice, bob, group = bystanders.alice, bystanders.bob, bystanders.group
        limits = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
        size = (tmp_path / "tchat.db-wal").stat().st_size if limited == "no room for a page" else 8192
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, limits[1]))
        alice.sock.settimeout(5)
        for number in range(3):
            assert alice.code(action="gbroadcast", group=group, msg="lost", id="1") == "unavailable"
            assert bob.sync() == [], "he heard what was not stored"
            with server.client(fresh("newcomer")) as newcomer:
                assert newcomer.code(action="cgroupe", group=fresh("new")) == "unavailable", number
                assert newcomer.ask(action="ping")["action"] == "ping"
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, limits)
        answer = alice.ask(action="gbroadcast", group=group, msg="lost", id="1")
        assert bob.sync() == [answer]
        bystanders.seq += 1
        bystanders.chat()
        assert len(whole_log(alice, group)) == bystanders.seq


def test_row_55_no_other_program_locks_or_changes_the_database_of_a_server(tmp_path: Path) -> None:
    path = tmp_path / "tchat.db"
    with serving(tmp_path, "--db", str(path)) as server:
        pair = Pair.meeting(server)
        with closing(sqlite3.connect(path, isolation_level=None, timeout=0.1)) as other:
            for statement in ("BEGIN IMMEDIATE", "DELETE FROM entries", "PRAGMA wal_checkpoint(TRUNCATE)"):
                with pytest.raises(sqlite3.OperationalError, match="locked"):
                    other.execute(statement)
                assert pair.say("nobody waits")["action"] == "gbroadcast"
        assert len(pair.whole_log()) == pair.seq
    assert check(path).faults == []


def test_row_55_nothing_anybody_does_to_the_shared_index_ends_the_server(tmp_path: Path) -> None:
    path, index = tmp_path / "tchat.db", tmp_path / "tchat.db-shm"
    with serving(tmp_path, "--db", str(path)) as server:
        pair = Pair.meeting(server)
        for number in range(100):
            assert pair.say(f"{number}")["action"] == "gbroadcast"
            index.write_bytes(b"\x55" * 32768 if number % 2 else b"")
        assert len(pair.whole_log()) == pair.seq
        server.kill()
    assert (check(path).faults, check(path).events) == ([], pair.seq)


@pytest.mark.parametrize("take", ["removed", "emptied"])
def test_row_55_while_its_file_is_gone_a_server_acknowledges_nothing_and_goes_on(take: str, tmp_path: Path) -> None:
    path = tmp_path / "tchat.db"
    with serving(tmp_path, "--db", str(path)) as server:
        pair = Pair.meeting(server)
        assert pair.say("kept")["action"] == "gbroadcast"
        path.unlink() if take == "removed" else path.write_bytes(b"")
        for _ in range(3):
            assert is_unavailable(pair.say("lost"))
            assert pair.alice.ask(action="ping")["action"] == "ping"
        assert server.logs("nothing can be stored")
        if take == "removed":
            assert len(pair.whole_log()) == pair.seq
            backup(path, tmp_path / "saved.db")
            assert (check(tmp_path / "saved.db").faults, check(tmp_path / "saved.db").events) == ([], pair.seq)
        server.kill()
    with pytest.raises(AssertionError, match=r"is gone, or emptied|is truncated|lacks its last|is damaged"):
        Server(tmp_path, "--db", str(path))


def test_row_56_a_text_that_the_disk_changed_is_unavailable_and_all_others_are_told(tmp_path: Path) -> None:
    path = tmp_path / "tchat.db"
    with serving(tmp_path, "--db", str(path)) as server:
        pair = Pair.meeting(server)
        for number in range(5):
            pair.say(f"money for {number}")
        pair.alice.ask(action="cgroupe", group="dev")
        assert server.stop() == 0
    data = path.read_bytes()
    assert data.count(b"money for 3") == 1
    path.write_bytes(data.replace(b"money for 3", b"money for 8"))
    with serving(tmp_path, "--db", str(path)) as server, server.client("alice") as alice:
        assert alice.code(action="msgs", group="wob") == "unavailable"
        assert server.logs("events '6-6' of group wob is damaged on disk")
        assert alice.ask(action="gbroadcast", group="dev", msg="we go on")["action"] == "gbroadcast"
        with pytest.raises(LogUnusable, match="events 6-6 of group wob: no backup was made"):
            backup(path, tmp_path / "out.db")
        assert any("events 6-6 of group wob: damaged" in fault for fault in check(path).faults)
