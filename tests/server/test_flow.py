"""Who is read when many have much to say: `tchat_server.net.flow`, on a real event loop and without sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from tchat_server.net.flow import Hold, Turns
from tchat_server.net.gone import GONE
from tchat_server.net.rota import Rota

MESSAGE = b'{"action":"ping"}\n'
FLOOD = MESSAGE * 2000


def played(act: Callable[[Callable[[str], Turns], list[tuple[str, int]]], None]) -> list[tuple[str, int]]:
    """Run *act* on a loop until nothing waits; return who had how many messages taken, in order."""
    taken: list[tuple[str, int]] = []

    async def run() -> None:
        rota = Rota()

        def connection(name: str) -> Turns:
            return Turns(GONE, lambda data: taken.append((name, data.count(b"}"))), rota)

        act(connection, taken)
        before = -1
        while before != len(taken):
            before = len(taken)
            for _ in range(5):
                await asyncio.sleep(0)

    asyncio.run(run())
    return taken


def test_who_has_little_to_say_has_it_at_once_whoever_waits() -> None:
    def act(connection: Callable[[str], Turns], taken: list[tuple[str, int]]) -> None:
        for number in range(100):
            connection(f"flood-{number}").feed(FLOOD)
        connection("short").feed(MESSAGE)
        assert taken[-1] == ("short", 1)

    assert played(act)


def test_what_a_thousand_have_to_say_at_one_moment_is_not_all_taken_before_the_loop_turns() -> None:
    def act(connection: Callable[[str], Turns], taken: list[tuple[str, int]]) -> None:
        for number in range(1000):
            connection(f"short-{number}").feed(b"{" + b" " * 1000 + b"}\n")
        assert 200 < len(taken) < 300

    assert len(played(act)) == 1000


def test_who_asked_for_much_waits_for_who_did_not_however_little_he_says_at_once() -> None:
    def act(connection: Callable[[str], Turns], taken: list[tuple[str, int]]) -> None:
        dear, cheap = connection("dear"), connection("cheap")
        connection("flood").feed(FLOOD)
        connection("flood").feed(FLOOD)
        dear.spend(1 << 20)
        dear.feed(MESSAGE)
        cheap.feed(MESSAGE * 5)
        assert ("dear", 1) not in taken

    taken = [name for name, _ in played(act)]
    assert taken.index("cheap") < taken.index("dear")


def test_who_says_little_all_the_time_does_not_wait_for_a_crowd_that_comes() -> None:
    def act(connection: Callable[[str], Turns], taken: list[tuple[str, int]]) -> None:
        quiet = connection("quiet")
        quiet.spent -= 1000  # what time forgives who costs less than others
        for number in range(100):
            connection(f"flood-{number}").feed(FLOOD)
        quiet.feed(MESSAGE * 5)

    assert [name for name, _ in played(act)].index("quiet") < 5


def test_who_was_not_read_while_storage_was_busy_is_read_before_a_crowd() -> None:
    def act(connection: Callable[[str], Turns], taken: list[tuple[str, int]]) -> None:
        held = connection("held")
        held.hold(Hold.BACKLOG)
        held.feed(MESSAGE * 5)
        for number in range(100):
            connection(f"flood-{number}").feed(FLOOD)
        held.release(Hold.BACKLOG)

    assert [name for name, _ in played(act)].index("held") < 50


def test_those_who_flood_have_equal_shares() -> None:
    def act(connection: Callable[[str], Turns], taken: list[tuple[str, int]]) -> None:
        for number in range(10):
            connection(f"flood-{number}").feed(FLOOD)

    taken = played(act)
    half = taken[: len(taken) // 2]
    shares = [sum(count for name, count in half if name == f"flood-{number}") for number in range(10)]
    assert max(shares) - min(shares) <= 64, shares


def test_nothing_is_lost_or_out_of_order_between_turns() -> None:
    got = b""

    async def run() -> None:
        nonlocal got
        rota = Rota()

        def take(data: bytes) -> None:
            nonlocal got
            got += data

        turns = Turns(GONE, take, rota)
        other = Turns(GONE, lambda data: None, rota)
        for number in range(300):
            turns.feed(b'{"n":%d}\n' % number * (number % 7))
            other.feed(FLOOD)
            if number % 10 == 0:
                await asyncio.sleep(0)
        while len(got) < len(sent):
            await asyncio.sleep(0)

    sent = b"".join(b'{"n":%d}\n' % number * (number % 7) for number in range(300))
    asyncio.run(asyncio.wait_for(run(), 20))
    assert got == sent


def test_the_end_comes_behind_what_waits_for_a_turn() -> None:
    order: list[str] = []

    def act(connection: Callable[[str], Turns], taken: list[tuple[str, int]]) -> None:
        for number in range(100):
            connection(f"flood-{number}").feed(FLOOD)
        late = connection("late")
        late.feed(MESSAGE * 200)
        late.feed_end(lambda: order.append(f"end behind {sum(count for name, count in taken if name == 'late')}"))
        assert order == []
        silent = connection("silent")
        silent.feed_end(lambda: order.append("silent"))
        assert order == ["silent"]

    played(act)
    assert order == ["silent", "end behind 200"]
