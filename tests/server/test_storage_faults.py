"""Storage that fails under a whole server, and under a hub: who waits is told, nobody else, and nothing changes."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from harness import UNLIMITED, Shell, at_once
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from live import serving
from pairs import Pair, is_unavailable

from libtchat.effect import PeerId
from libtchat.group import Group, Standing, evolve
from libtchat.hub.hub import Hub
from libtchat.message.errors import Refused
from libtchat.message.event import Event
from libtchat.message.names import group_key, user_key
from libtchat.message.request import (
    Ban,
    Create,
    GroupRequest,
    Hello,
    Invite,
    Join,
    Kick,
    Leave,
    ListMembers,
    ListStates,
    Say,
    Unban,
)
from libtchat.rules import decide
from libtchat.wire import codec
from tchat_server.store.event_log import Ready, encode_part
from tchat_server.store.sqlite.log import SqliteLog
from tchat_server.store.sqlite.maintenance import check

T = TypeVar("T")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tchat-test", str(disk)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may mount a small disk")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"a small disk can't be mounted: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_on_a_full_disk_nobody_is_told_and_all_goes_on_when_there_is_room(small_disk: Path, tmp_path: Path) -> None:
    path, ballast = small_disk / "tchat.db", small_disk / "ballast"
    with serving(tmp_path, "--db", str(path)) as server:
        pair = Pair.meeting(server)
        ballast.write_bytes(bytes(1 << 20))
        told = [pair.say(f"{number} {'x' * 8000}", id=f"id{number}") for number in range(200)]
        refused = [number for number, answer in enumerate(told) if is_unavailable(answer)]
        assert refused, "the disk never was full"
        assert pair.bob.ask(action="msgs", group="wob", limit=1)["list"], "nothing can be read from a full disk"
        assert server.log().count("nothing can be stored") <= len(refused)
        ballast.unlink()
        assert pair.say("there is room again")["action"] == "gbroadcast"
        number = refused[0]
        assert pair.say(f"{number} {'x' * 8000}", id=f"id{number}")["action"] == "gbroadcast"
        assert server.logs("storing works again")
        log = pair.whole_log()
        assert [event["seq"] for event in log] == list(range(1, pair.seq + 1))
        kept = {event.get("id"): event for event in log}
        assert all(kept[answer["id"]] == answer for answer in told if not is_unavailable(answer))
        server.kill()
    assert (check(path).faults, check(path).events) == ([], pair.seq)
    with serving(tmp_path, "--db", str(path)) as server:
        assert Pair(server).whole_log() == log


PLANNED = """
import os, pathlib, sqlite3
from tchat_server.store.sqlite import log as sqlite
plan = pathlib.Path({plan!r})
class Faulty(sqlite3.Connection):
    def execute(self, sql, *values):
        return self._do(super().execute, sql, *values)
    def executemany(self, sql, *values):
        return self._do(super().executemany, sql, *values)
    def _do(self, run, sql, *values):
        statement, _, when = plan.read_text().partition("/") if plan.exists() else ("-", "", "")
        is_planned = sql.startswith(statement)
        if is_planned and "once" in when:
            plan.unlink()
        if not is_planned or "after" in when:
            cursor = run(sql, *values)
        if is_planned:
            raise sqlite3.OperationalError("disk I/O error (planned)")
        return cursor
sqlite.SqliteLog.open.__func__.__kwdefaults__["factory"] = Faulty
"""


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "INSERT INTO entries", "UPDATE groups", "COMMIT/before once"])
def test_an_io_error_at_any_step_is_unavailable_until_it_is_over(statement: str, tmp_path: Path) -> None:
    plan, path = tmp_path / "plan", tmp_path / "tchat.db"
    with serving(tmp_path, "--db", str(path), prelude=PLANNED.format(plan=str(plan))) as server:
        pair = Pair.meeting(server)
        plan.write_text(statement)
        assert is_unavailable(pair.say("lost", id="1"))
        if plan.exists():
            assert is_unavailable(pair.say("lost", id="1"))
            assert pair.bob.code(action="gbroadcast", group="wob", msg="lost too") == "unavailable"
            assert pair.alice.sync() == []
            plan.unlink()
        assert pair.say("lost", id="1")["seq"] == 3
        assert pair.say("lost", id="2")["seq"] == 4
        assert len(pair.whole_log()) == 4
    assert check(path).faults == []


def test_a_commit_that_fails_although_it_was_stored_is_read_back_and_told_once(tmp_path: Path) -> None:
    plan, path = tmp_path / "plan", tmp_path / "tchat.db"
    with serving(tmp_path, "--db", str(path), prelude=PLANNED.format(plan=str(plan))) as server:
        pair = Pair.meeting(server)
        plan.write_text("COMMIT/after once")
        answer = pair.say("kept", id="1")
        assert (answer["action"], answer["seq"]) == ("gbroadcast", 3)
        assert not plan.exists()
        assert pair.alice.ask(action="gbroadcast", group="wob", msg="kept", id="1") == answer
        assert pair.bob.sync() == []
        assert len(pair.whole_log()) == 3
        assert server.logs("reading back")


@pytest.mark.parametrize("is_stored", [True, False])
def test_while_nothing_is_certain_nobody_is_told_anything(is_stored: bool, tmp_path: Path) -> None:
    plan, path = tmp_path / "plan", tmp_path / "tchat.db"
    with serving(tmp_path, "--db", str(path), prelude=PLANNED.format(plan=str(plan))) as server:
        pair = Pair.meeting(server)
        plan.write_text("COMMIT/after" if is_stored else "COMMIT/before")
        pair.alice.send(action="gbroadcast", group="wob", msg="perhaps", id="1")
        assert server.logs("still not known")
        pair.bob.sock.settimeout(0.2)
        with pytest.raises(TimeoutError):
            pair.bob.line()
        pair.bob.sock.settimeout(20)
        plan.unlink()
        answer = pair.alice.get()
        assert is_unavailable(answer) is not is_stored
        assert pair.bob.sync() == ([answer] if is_stored else [])
        pair.seq += is_stored
        assert pair.say("perhaps" if not is_stored else "certainly", id="2")["seq"] == pair.seq
        assert [event["seq"] for event in pair.whole_log()] == list(range(1, pair.seq + 1))
    assert check(path).faults == []


class Lying(sqlite3.Connection):
    """A connection whose next COMMIT fails: "before" it is done, or "after"."""

    plan = ""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        plan = Lying.plan if sql == "COMMIT" else ""
        if plan:
            Lying.plan = ""
        if plan != "before":
            cursor = super().execute(sql, *values)
        if plan:
            raise sqlite3.OperationalError("disk I/O error (planned)")
        return cursor


class Awaited:
    """The real adapter for a shell that waits for nothing: each call runs the loop until it is done."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._loop = asyncio.new_event_loop()
        self._log = SqliteLog.open(path, clock=clock, limits=UNLIMITED, factory=Lying)

    def __getattr__(self, name: str) -> Callable[..., Ready[Any]]:
        method = getattr(self._log, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            return await method(*args, **kwargs)

        return lambda *args, **kwargs: Ready(self._loop.run_until_complete(call(*args, **kwargs)))

    def close(self) -> None:
        self._loop.run_until_complete(self._log.close())
        self._loop.close()


USERS, GROUPS, IDS = ("ann", "bob", "cy"), ("wob", "Den"), (None, None, "1", "2", "3")
_group, _user, _id = st.sampled_from(GROUPS), st.sampled_from(USERS), st.sampled_from(IDS)
REQUESTS = st.one_of(
    st.builds(Create, _group, st.booleans(), id=_id),
    st.builds(Join, _group, id=_id),
    st.builds(Leave, _group, id=_id),
    st.builds(Invite, _group, _user, id=_id),
    st.builds(Kick, _group, _user, st.just("r"), id=_id),
    st.builds(Ban, _group, _user, st.just("r"), id=_id),
    st.builds(Unban, _group, _user, id=_id),
    st.builds(Say, _group, st.sampled_from(("hi", "é\u2028")), id=_id),
)


class Restarting(RuleBasedStateMachine):
    """A hub over a file against a plain model: per group its events and their fold, per user the ids used.

    A step either is an ordinary request, or one during which the storage or the whole server fails.
    """

    @initialize()
    def begin(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="tchat-test"))
        self.now = 1_800_000_000.0
        self.groups: dict[str, Group] = {}
        self.events: dict[str, list[bytes]] = {}
        self.retries: dict[tuple[str, str], tuple[float, GroupRequest, bytes]] = {}
        self.start()

    def start(self) -> None:
        Lying.plan = ""
        self.log = Awaited(self.directory / "tchat.db", lambda: self.now)
        self.shell = Shell(Hub("test", UNLIMITED, "none"), self.log, now=self.now)  # type: ignore[arg-type]
        self.peers: dict[str, PeerId] = {}

    def teardown(self) -> None:
        if hasattr(self, "log"):
            self.log.close()
            report = check(self.directory / "tchat.db")
            shutil.rmtree(self.directory)
            assert report.faults == []
            assert report.events == sum(map(len, self.events.values()))

    @rule(user=_user, request=REQUESTS)
    def ask(self, user: str, request: GroupRequest) -> None:
        """An ordinary request."""
        expected = self.expect(user, request)
        assert self.told(user, request) == expected

    @rule(user=_user, request=REQUESTS, plan=st.sampled_from(("before", "after")))
    def ask_while_the_commit_fails(self, user: str, request: GroupRequest, plan: str) -> None:
        """`before`: nothing is stored; `after`: it is, and only the answer is lost."""
        self.peer(user)
        before = self.copied()
        expected = self.expect(user, request)
        is_event = self.events != before[1]
        Lying.plan = plan
        answer = self.told(user, request)
        Lying.plan = ""
        if is_event and plan == "before":
            self.groups, self.events, self.retries = before
            expected = b"unavailable"
        assert answer == expected

    @rule(user=_user, request=REQUESTS, is_stored=st.booleans())
    def ask_and_crash(self, user: str, request: GroupRequest, is_stored: bool) -> None:
        """The server dies with the append under way, which was stored or was not."""
        peer = self.peer(user)
        before = self.copied()
        self.expect(user, request)
        self.shell.holds = True
        self.shell.handle(peer, request)
        if self.shell.out is None or not is_stored:
            assert self.shell.out is not None or self.events == before[1]
            self.groups, self.events, self.retries = before
        else:
            assert self.shell.said(peer) == [], "told before it was stored"
            assert at_once(self.log.append([*map(encode_part, self.shell.out.parts)])) == {}
        self.restart()

    @rule()
    def restart(self) -> None:
        """Stop the server and start another one."""
        self.log.close()
        self.start()

    @rule(seconds=st.sampled_from((1.0, 599.0, 601.0)))
    def let_time_pass(self, seconds: float) -> None:
        """Retries are forgotten after 600 seconds."""
        self.now += seconds
        self.shell.now = self.now

    @rule(user=_user)
    def go(self, user: str) -> None:
        """Close a connection."""
        if user in self.peers:
            self.shell.disconnect(self.peers.pop(user))

    @rule(user=_user, group=_group)
    def look(self, user: str, group: str) -> None:
        """What the server says of a group is what the model knows."""
        peer, state = self.peer(user), self.groups.get(group_key(group))
        self.shell.handle(peer, ListMembers(group), ListStates(group, after=0, limit=1000, all=True))
        members, states = self.shell.said(peer)
        if state is None:
            assert members["code"] == states["code"] == "group-not-found"
        elif state.standing(user_key(user)) is not Standing.MEMBER:
            assert states["action"] == "error"
        else:
            assert (members["seq"], members["owner"]) == (state.seq, state.owner_name)
            assert members["list"] == [name for _, name in sorted(state.members.items())]
            assert [entry["seq"] for entry in states["list"]] == list(range(1, state.seq + 1))
            lines = b",".join(self.events[group_key(group)])
            assert b"[" + lines + b"]" in self.shell.lines[peer][-1]

    @invariant()
    def nothing_is_left_over(self) -> None:
        """Between the steps nothing waits."""
        if hasattr(self, "shell"):
            assert self.shell.out is None
            assert self.shell.hub.backlog == 0

    def peer(self, user: str) -> PeerId:
        """Return the user's connection; a new one is greeted with the user's groups and invitations."""
        if user not in self.peers:
            peer = self.peers[user] = self.shell.connect()
            self.shell.handle(peer, Hello(sender=user))
            welcome, *invitations = self.shell.said(peer)
            standings = {key: state.standing(user_key(user)) for key, state in sorted(self.groups.items())}
            member_of = [self.groups[key] for key, standing in standings.items() if standing is Standing.MEMBER]
            assert welcome["seqs"] == {state.name: state.seq for state in member_of}
            invited_to = [self.groups[key] for key, standing in standings.items() if standing is Standing.INVITED]
            assert [(invitation["group"], invitation["seq"]) for invitation in invitations] == [
                (state.name, state.invited[user_key(user)].seq) for state in invited_to
            ]
        return self.peers[user]

    def told(self, user: str, request: GroupRequest) -> bytes:
        """Make a request and return the answer's line, or the error's code; others hear events only."""
        for peer in self.peers.values():
            self.shell.said(peer)
        peer = self.peer(user)
        self.shell.handle(peer, request)
        (answer,) = self.shell.said(peer)
        if answer["action"] != "error":
            return self.shell.lines[peer][-1]
        assert not any(self.shell.said(other) for other in self.peers.values()), "others heard of a refusal"
        return str(answer["code"]).encode()

    def expect(self, user: str, request: GroupRequest) -> bytes:
        """Return what the model answers: an event's line, which is appended to it, or an error's code."""
        self.peer(user)
        key, id = group_key(request.group), request.id
        if id is not None and (user, id) in self.retries:
            at, first, line = self.retries[user, id]
            if at >= self.now - UNLIMITED.retry_seconds:
                return line if first == request else b"bad-request"
        state = self.groups.get(key)
        try:
            event = decide(state, request, user, ts=stamp(self.now), known_dest=self.known(request))
        except Refused as refusal:
            return str(refusal.code).encode()
        line = codec.encode(event)
        if state is None or event.seq > state.seq:
            self.append(key, state, event, line)
            if id is not None:
                self.retries[user, id] = (self.now, request, line)
        return line

    def append(self, key: str, state: Group | None, event: Event, line: bytes) -> None:
        self.groups[key] = evolve(state, event)
        self.events.setdefault(key, []).append(line)

    def known(self, request: GroupRequest) -> str | None:
        dest = getattr(request, "dest", "")
        states = self.groups.values()
        is_known = dest in self.peers or any(state.standing(user_key(dest)) is not Standing.NONE for state in states)
        return dest if is_known else None

    def copied(self) -> tuple[dict[str, Group], dict[str, list[bytes]], dict[Any, Any]]:
        return dict(self.groups), {key: [*lines] for key, lines in self.events.items()}, dict(self.retries)


def stamp(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")[:23] + "Z"


def test_any_history_with_failing_commits_crashes_and_restarts_is_that_of_the_model() -> None:
    run_state_machine_as_test(
        Restarting,
        settings=settings(
            max_examples=15, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
