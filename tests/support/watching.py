"""What is watched while somebody misbehaves: a server's memory, its clock, its whole log."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from live import Bystanders, Client, Json, Server, fresh, serving
from talker import Talk


class Clock:
    """Lets a test turn the server's clock: the time of day, as people do, or all, as if time went by."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self.set(0)
        self.prelude = (
            "import time, pathlib\n"
            "real_time = time.time\n"
            f"ahead = lambda: float(pathlib.Path({str(self._file)!r}).read_text())\n"
            "time.time = lambda: real_time() + ahead()\n"
        )
        self.time_goes_by = (
            self.prelude + "real_seconds = time.clock_gettime\n"
            "time.clock_gettime = lambda clock: real_seconds(clock) + ahead()\n"
        )

    def set(self, offset_seconds: float) -> None:
        beside = self._file.with_suffix(".new")
        beside.write_text(str(offset_seconds))
        beside.replace(self._file)


class LeaseClock(Clock):
    """The clock of a node that says often that it is there: its lease ends when a test says so, and is renewed in vain.

    So no test depends on whether a busy machine lets the node say it in time.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.prelude = f"{self.time_goes_by}from tchat_server.store.nats import lease; lease.RENEW_SECONDS = 0.1\n"

    def end_the_lease(self) -> None:
        """Let more time go by than a lease lasts, in two steps: a node that could renew it between them keeps it."""
        self.set(11)
        time.sleep(0.5)
        self.set(22)


def memory_while_somebody_does_not_read(
    directory: Path, messages: int, join: Callable[[Server, str], Any] | None = None
) -> list[int]:
    """Return how much the server's memory had grown, in KiB, all along. *join* makes somebody a member who is deaf."""
    # What SQLite's cache fills with has nothing to do with who reads.
    prelude = "from tchat_server.store.sqlite import schema; schema._CACHE_KIB = 256"
    database = ("--db", str(directory / "tchat.db"))
    with serving(directory, *database, prelude=prelude) as server, Bystanders(server) as bystanders:
        group = fresh("loud")
        speaker = server.client(fresh("speaker"))
        speaker.ask(action="cgroupe", group=group)
        Talk(speaker, group, 10_000).run()
        before, grown = server.rss_kib(), [0]
        deaf = (join or join_plainly)(server, group)
        speaker.get()
        talk = Talk(speaker, group, messages)
        talk.start()
        while talk.is_alive():
            bystanders.chat()
            grown.append(server.rss_kib() - before)
        assert talk.said == messages
        print(*(f"rss {kib}" for kib in grown[:: max(1, len(grown) // 1000)]), sep="\n")
        assert server.logs("gone: does not read")
        speaker.sock.close()
        deaf.sock.close()
    return grown


def whole_log(client: Client, group: str) -> list[Json]:
    """Return every event of a group, page by page."""
    found: list[Json] = []
    while True:
        page = client.ask(action="states", group=group, all=True, after=found[-1]["seq"] if found else 0, limit=1000)
        assert page["action"] == "states", page
        found += page["list"]
        if not page["more"]:
            return found


def join_plainly(server: Server, group: str) -> Client:
    member = server.client(fresh("deaf"))
    member.ask(action="join", group=group)
    return member
