"""The test kit: a live server in a thread, the fixture for pytest, a contract that finds what is wrong with a log."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from live import ROOT, Client

from libtchat import Create, ErrorCode, Refused
from tchat_server import Chat, ChatFailed, EncodedPart, EventLog, MemoryLog, Misused, NotRunning
from tchat_server.testing import Clock, LiveServer, LogContract, server


def test_a_live_server_serves_on_a_free_port_until_its_block_ends() -> None:
    with server() as one, server() as other:
        assert one.port != other.port
        with Client(one.port) as alice:
            alice.hello("alice")
            assert alice.ask(action="cgroupe", group="wob")["seq"] == 1
            assert (one.online(), other.online()) == (("alice",), ())
            assert one.say_as("robot", "wob", "hi").seq == 3
            assert [message["action"] for message in (alice.get(), alice.get())] == ["join", "gbroadcast"]
            assert one.members("wob") == ("alice", "robot")
    with pytest.raises(ConnectionRefusedError):
        Client(one.port)
    with pytest.raises(NotRunning, match="start"):
        one.online()


def test_it_restarts_where_it_was_with_what_it_had_and_cuts_its_cables() -> None:
    with server() as live:
        live.ask_as("alice", Create("wob"))
        port = live.port
        with Client(port) as alice:
            alice.hello("alice")
            live.restart()
            assert [message["action"] for message in alice.rest()] == ["server-quit"]
        assert (live.port, live.address, live.members("wob")) == (port, f"127.0.0.1:{port}", ("alice",))
        with Client(live.port) as again:
            again.hello("alice")
            live.cut()
            assert again.rest() == []
        live.stop()
        live.stop()


def test_a_chat_of_one_s_own_has_its_handlers_and_its_limits() -> None:
    chat = Chat()
    chat.may(lambda user, request: False)
    with server(chat) as live, Client(live.port) as eve:
        assert eve.code(action="client-hello", sender="eve") == "forbidden"
    with server(require_auth=True) as live, Client(live.port) as eve:
        eve.hello("eve")
        assert eve.code(action="cgroupe", group="wob") == "auth-required"


def test_what_is_refused_and_what_can_t_start_is_raised_in_the_test(tmp_path: Path) -> None:
    with server() as live:
        with pytest.raises(Refused) as refused:
            live.members("wob")
        assert refused.value.code is ErrorCode.GROUP_NOT_FOUND
        taken = LiveServer(Chat())
        taken.port = live.port
        with pytest.raises(OSError, match="in use"):
            taken.start()
        with pytest.raises(NotRunning):
            taken.online()
        with pytest.raises(Misused, match=r"runs already: restart\(\) it"):
            live.start()
        assert live.online() == ()
    with pytest.raises(Misused, match="options are those of a new Chat: give them to yours"):
        server(Chat(), require_auth=True).__enter__()
    with pytest.raises(Misused, match=r"chat is a Chat, not '127.0.0.1'"):
        server("127.0.0.1").__enter__()  # type: ignore[arg-type]


class Breaking(MemoryLog):
    """A log with a fault."""

    def append(self, parts: Sequence[EncodedPart]) -> Any:
        raise KeyError("theirs")


def test_a_server_that_failed_fails_the_test() -> None:
    def use() -> None:
        with server(log=Breaking()) as live:
            live.ask_as("alice", Create("wob"))

    with pytest.raises(ChatFailed):
        use()


def run_pytest(directory: Path, source: str, *options: str) -> subprocess.CompletedProcess[str]:
    (directory / "test_it.py").write_text(source)
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "test_it.py"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_the_fixture_is_there_without_an_import(tmp_path: Path) -> None:
    done = run_pytest(
        tmp_path,
        "import socket\n"
        "def test_it(chat_server):\n"
        "    with socket.create_connection((chat_server.host, chat_server.port)) as sock:\n"
        '        sock.sendall(b\'{"action":"ping"}\\n\')\n'
        "        assert b'version' in sock.recv(1000)\n"
        "    assert chat_server.online() == ()\n",
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_plugin_costs_nothing_until_its_fixture_is_used(tmp_path: Path) -> None:
    done = run_pytest(
        tmp_path,
        "import sys\n"
        "def test_it():\n"
        "    ours = sorted(it for it in sys.modules if it.startswith(('tchat', 'libtchat', 'attr', 'asyncio.base')))\n"
        "    assert ours == ['tchat_server', 'tchat_server.testing', 'tchat_server.testing.plugin']\n",
        *("-p", "no:hypothesispytest", "-p", "no:xdist", "-p", "no:anyio", "-p", "no:playwright"),
    )
    assert "1 passed" in done.stdout, done.stdout + done.stderr


CONTRACT = """
from tchat_server import MemoryLog
from tchat_server.testing import LogContract

class {kind}(MemoryLog):
    {fault}

class TestIt(LogContract):
    kept = None
    def open(self, directory, clock):
        self.kept = self.kept or {kind}(clock=clock)
        return self.kept
"""

FAULTS = {
    "what is refused is said to be durable": (
        "def append(self, parts): MemoryLog.append(self, parts); from tchat_server import Ready; return Ready({})",
        "test_a_part_ahead_of_its_log_fails",
    ),
    "a number comes twice": (
        "def number_guest(self): from tchat_server import Ready; return Ready(7)",
        "test_no_number_of_a_guest_comes_twice_also_after_reopening",
    ),
    "no id is known": (
        "def find_retry(self, key, id): from libtchat import Retried; from tchat_server import Ready; "
        "return Ready(Retried())",
        "test_a_retry_id_is_remembered_for_its_sender_until_its_time_is_over",
    ),
    "pages are not cut": (
        "def read(self, *at, limit, **more): return MemoryLog.read(self, *at, limit=10**6, **more)",
        "test_every_page_is_what_a_plain_list_says",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_the_contract_finds_what_is_wrong(tmp_path: Path, fault: str) -> None:
    code, test = FAULTS[fault]
    done = run_pytest(tmp_path, CONTRACT.format(kind="Faulty", fault=code), "-k", test)
    assert f"FAILED test_it.py::TestIt::{test}" in done.stdout, done.stdout + done.stderr
    assert "assert " in done.stdout


class Later:
    """Opens a log as one does that has to connect first."""

    async def open(self, clock: Clock) -> EventLog:
        await asyncio.sleep(0)
        return MemoryLog(clock=clock)


class TestALogThatTakesTimeToOpen(LogContract):
    kept: EventLog | None = None

    async def open(self, directory: Path, clock: Clock) -> EventLog:
        self.kept = self.kept or await Later().open(clock)
        return self.kept


def test_a_contract_that_does_not_say_how_a_log_is_opened_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotImplementedError, match="def open"):
        asyncio.run(LogContract().place(tmp_path).open())


def test_names_of_the_kit_are_imported_when_they_are_used() -> None:
    code = "import sys, tchat_server.testing; print(sorted({'libtchat', 'asyncio', 'pytest'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[]\n", "")
