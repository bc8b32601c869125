"""Eight clients write, the server is killed again and again, and nothing that was acknowledged may be lost.

A cycle lasts until a random number of requests was answered; then comes SIGKILL, while some 50 requests are under
way, and a new server on the same file. What is compared in the end is in tests/support/crash/checker.py.
"""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path

import pytest
from crash.checker import compare
from crash.writer import GROUPS, Address, Record, Writer, events_of
from live import TIMEOUT_SECONDS, Server

from tchat_server.store.sqlite import maintenance as care

WRITERS = 8


@pytest.mark.parametrize(
    ("cycles", "most_answers"),
    [pytest.param(10, 800, id="10"), pytest.param(100, 2500, id="100", marks=pytest.mark.nightly)],
)
def test_nothing_acknowledged_is_lost_when_the_server_is_killed(
    cycles: int, most_answers: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = random.SystemRandom().getrandbits(32)
    moments, address, db = random.Random(seed), Address(), tmp_path / "tchat.db"
    begun = time.monotonic()
    with contextlib.ExitStack() as stack:
        server = start(tmp_path, db, address, stack)
        writers = [Writer(number, WRITERS, address, seed) for number in range(WRITERS)]
        for writer in writers:
            writer.start()
        for _ in range(cycles):
            wait_for_answers(writers, moments.randint(1, most_answers))
            address.move(None)
            server.kill()
            server = start(tmp_path, db, address, stack)
        wait_for_answers(writers, 1)
        for writer in writers:
            writer.finish()
        for writer in writers:
            writer.join(TIMEOUT_SECONDS)
            assert not writer.is_alive(), f"{writer.name} waits for ever (seed {seed})"
            assert writer.error is None, f"{writer.name}, seed {seed}: {writer.error!r}"
        with server.client("auditor") as auditor:
            logs = {group: list(events_of(auditor, group)) for group in GROUPS}
        assert server.stop() == 0
    verdict = compare([writer.record for writer in writers], logs)
    with capsys.disabled():
        print(f"\n{cycles} times kill -9 in {time.monotonic() - begun:.0f} s: {verdict}")
    assert verdict.is_good, f"seed {seed}: {verdict} {verdict.faults[:10]}"
    report = care.check(db)
    assert report.faults == []
    assert report.events == verdict.events
    assert verdict.retried > cycles, "the server was never killed while it was busy"
    assert verdict.accepted > 20 * cycles


def start(directory: Path, db: Path, address: Address, stack: contextlib.ExitStack) -> Server:
    server = Server(directory, "--db", str(db), "--log-level", "warning")
    stack.callback(server.process.wait)
    stack.callback(server.process.kill)
    address.move(server.port)
    return server


def wait_for_answers(writers: list[Writer], number: int) -> None:
    """Wait until so many more requests are answered; nothing else tells how far the clients are."""
    target = number + sum(writer.record.answers for writer in writers)
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while sum(writer.record.answers for writer in writers) < target:
        assert time.monotonic() < deadline, f"no answers: {[writer.error for writer in writers]}"
        time.sleep(0.001)


def event(seq: int, **more: str) -> bytes:
    fields = "".join(f',"{key}":"{value}"' for key, value in more.items())
    return f'{{"action":"gbroadcast","group":"g","seq":{seq}{fields}}}'.encode()


@pytest.mark.parametrize(
    ("what", "log", "record"),
    [
        ("lost", [event(1, id="a")], Record(accepted={"a": event(1, id="a"), "b": event(2, id="b")})),
        ("lost", [event(1, id="a", msg="x")], Record(accepted={"a": event(1, id="a")})),
        ("duplicated", [event(1, id="a"), event(2, id="a")], Record(accepted={"a": event(1, id="a")})),
        ("gaps", [event(1), event(3)], Record()),
        ("unfounded", [event(1, id="a")], Record(refused={"a": "banned"})),
        ("different", [event(1)], Record(heard=[(1, event(1, msg="x"))])),
        ("faults", [event(1)], Record(faults=["a seq went back"])),
    ],
)
def test_the_checker_finds(what: str, log: list[bytes], record: Record) -> None:
    verdict = compare([record], {"g": log})
    assert getattr(verdict, what), verdict
    assert not verdict.is_good
