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
from attrs import evolve
from crash.checker import compare
from crash.writer import GROUPS, Address, Heard, Record, Writer, events_of
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


def event(seq: int, *, action: str = "gbroadcast", **more: str) -> bytes:
    fields = "".join(f',"{key}":"{value}"' for key, value in more.items())
    return f'{{"action":"{action}","group":"g","seq":{seq}{fields}}}'.encode()


def asked(id: str, sent: float, *, action: str = "gbroadcast") -> dict[str, tuple[dict[str, str], float]]:
    return {id: ({"action": action, "group": "g"}, sent)}


CREATED = event(1, action="cgroupe", id="a", sender="bob")
OF_BOB = Record("bob", accepted={"a": CREATED}, sent=asked("a", 0.0, action="cgroupe"), done={"a": 1.0})


def of_carl(id: str, code: str, *, action: str) -> Record:
    """Return what carl records who is refused after bob was told that he created the group."""
    return Record("carl", refused={id: code}, sent=asked(id, 2.0, action=action), done={id: 3.0})


@pytest.mark.parametrize(
    ("what", "log", "records"),
    [
        ("lost", [event(1, id="a")], [Record(accepted={"a": event(1, id="a"), "b": event(2, id="b")})]),
        ("lost", [event(1, id="a", msg="x")], [Record(accepted={"a": event(1, id="a")})]),
        ("duplicated", [event(1, id="a"), event(2, id="a")], [Record(accepted={"a": event(1, id="a")})]),
        ("gaps", [event(1), event(3)], [Record()]),
        ("unfounded", [event(1, id="a")], [Record(refused={"a": "banned"})]),
        ("different", [event(1)], [Record(heard=[Heard(1, "g", 1, event(1, msg="x"))])]),
        (
            "holes",
            [CREATED, event(2), event(3)],
            [OF_BOB, Record("bob", heard=[Heard(1, "g", 1, CREATED), Heard(1, "g", 3, event(3))])],
        ),
        (
            "disordered",
            [event(1, id="b"), event(2, id="a")],
            [
                Record(accepted={"a": event(2, id="a")}, sent=asked("a", 0.0), done={"a": 1.0}),
                Record(accepted={"b": event(1, id="b")}, sent=asked("b", 2.0), done={"b": 3.0}),
            ],
        ),
        (
            "stale",
            [CREATED],
            [OF_BOB, Record("carl", listed={"l": 0}, sent=asked("l", 2.0, action="members"), done={"l": 3.0})],
        ),
        ("stale", [CREATED], [OF_BOB, of_carl("j", "group-not-found", action="join")]),
        ("stale", [CREATED], [OF_BOB, of_carl("j", "already-member", action="join")]),
        ("stale", [CREATED], [OF_BOB, evolve(of_carl("s", "not-member", action="gbroadcast"), name="bob")]),
        ("faults", [event(1)], [Record(faults=["a seq went back"])]),
    ],
)
def test_the_checker_finds(what: str, log: list[bytes], records: list[Record]) -> None:
    assert set(compare(records, {"g": log}).wrong) == {what}


def test_the_checker_finds_nothing_where_nothing_is() -> None:
    refused = [of_carl("s", "not-member", action="gbroadcast"), of_carl("i", "banned", action="join")]
    assert compare([OF_BOB, *refused], {"g": [CREATED]}).is_good
