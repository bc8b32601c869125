"""One attack at a time on a real server, while honest clients and the server's memory are watched.

The invariant of every attack: no stranger inside the default limits moves the others' p99 above 250 ms or the server's
memory by more than 100 MB, and nothing but SIGTERM ends the server. An attack is a row (`Attack`) in a module of
`hostile.attacks`; `run` gives the figures and what is wrong with them.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from attrs import Factory, define, frozen
from live import Client, Server

__all__ = ["Attack", "Field", "Figures", "all_attacks", "run", "start"]

MIB = 1024 * 1024
QUIET_SECONDS = 1.5
LEAST_SECONDS = 1.0
WORST_SECONDS = 1.0
NO_UVLOOP = "import sys; sys.modules['uvloop'] = None"
_TESTS = Path(__file__).parents[1]


@frozen
class Attack:
    """One row of the table.

    Attributes:
        name: kebab-case, unique; what `make hostile ONLY=` takes.
        what: one line for people: what is done.
        act: does it, on a `Field`, and returns when it is over; gets *quick* or *long* as keywords.
        quick: its size in pytest (a few seconds); `long`: in `make hostile`.
        p99_seconds: what the honest clients' p99 may be meanwhile, on a machine that is otherwise quiet.
        rss_mib: how much the server's memory may grow meanwhile, at its peak.
        options: of the server, beyond its defaults; {directory} in one is an empty directory. The limits are the
            defaults unless the row changes them.
        prelude: Python for the server's process, before it imports anything (see `live.Server`).
        prepare: what is there before the attack begins (a group with members, say): not measured.
    """

    name: str
    what: str
    act: Callable[..., None]
    quick: Mapping[str, Any] = Factory(dict)
    long: Mapping[str, Any] = Factory(dict)
    p99_seconds: float = 0.25
    rss_mib: float = 100.0
    options: Sequence[str] = ()
    prelude: str = ""
    prepare: Callable[[Field], None] | None = None


@define
class Field:
    """Where an attack takes place: the server, and everything that is closed when it is over.

    Attributes:
        notes: what *prepare* leaves for *act*.
    """

    server: Server
    stack: ExitStack
    notes: dict[str, Any] = Factory(dict)

    def client(self, name: str | None = None, *, host: int = 2) -> Client:
        """Connect from 127.0.0.*host*; it is closed at the end. 127.0.0.1 is exempt from the limit per address."""
        client = self.stack.enter_context(Client(self.server.port, source=f"127.0.0.{host}"))
        if name is not None:
            client.hello(name)
        return client


@define
class Figures:
    """What one run showed: p99 and worst in seconds, memory in bytes; *faults* is empty if all is well."""

    name: str
    quiet_p99: float = 0.0
    quiet_worst: float = 0.0
    p99: float = 0.0
    worst: float = 0.0
    samples: int = 0
    rss_before: int = 0
    rss_peak: int = 0
    rss_after: int = 0
    faults: list[str] = Factory(list)


def all_attacks() -> list[Attack]:
    """Return the rows of every module in `hostile.attacks`, in the order of the modules' names."""
    import hostile.attacks as package

    modules = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return [row for name in modules for row in importlib.import_module(f"hostile.attacks.{name}").ATTACKS]


def run(attack: Attack, directory: Path, *, is_long: bool = False) -> Figures:
    """Start a server and honest clients, measure them in peace, then while *attack* runs.

    Args:
        directory: an empty one, for the server's files.
    """
    figures = Figures(attack.name)
    options = [option.format(directory=directory) for option in attack.options]
    server = Server(directory, *_with_default_rate(options), prelude=attack.prelude)
    try:
        with ExitStack() as stack:
            field = Field(server, stack)
            if attack.prepare is not None:
                attack.prepare(field)
            honest = _start_honest(server, directory)
            time.sleep(QUIET_SECONDS)
            Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # the peak is counted from here on
            figures.rss_before = _memory(server, "VmRSS")
            begun = time.monotonic()
            try:
                attack.act(field, **(attack.long if is_long else attack.quick))
            except (OSError, AssertionError) as error:  # what it hits may be gone: then this is said below
                figures.faults.append(f"the attack failed: {error!r}")
            time.sleep(max(0.0, begun + LEAST_SECONDS - time.monotonic()))
            ended = time.monotonic()
            if server.process.poll() is None:
                figures.rss_peak = _memory(server, "VmHWM")
        _judge_times(figures, attack, _end_honest(honest, directory), begun, ended)
        _judge_server(figures, attack, server)
    finally:
        server.end()
    return figures


def start(module: str, *arguments: object, stdout: IO[bytes] | int) -> subprocess.Popen[bytes]:
    """Run a module of the tests in a process of its own, which ends when its input does."""
    path = os.pathsep.join((str(_TESTS), str(_TESTS / "support")))
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=stdout,
        env={**os.environ, "PYTHONPATH": path},
    )


def _with_default_rate(options: list[str]) -> list[str]:
    return options if "--rate" in options else ["--rate", "50", *options]


def _start_honest(server: Server, directory: Path) -> subprocess.Popen[bytes]:
    with (directory / "honest").open("wb") as out:
        honest = start("hostile.honest", server.port, stdout=out)
    deadline = time.monotonic() + 20
    while "ready" not in (directory / "honest").read_text():
        assert time.monotonic() < deadline, "the honest clients did not get in"
        time.sleep(0.02)
    return honest


def _end_honest(honest: subprocess.Popen[bytes], directory: Path) -> list[list[str]]:
    honest.communicate(timeout=20)
    return [line.split(maxsplit=2) for line in (directory / "honest").read_text().splitlines()]


def _judge_times(figures: Figures, attack: Attack, lines: list[list[str]], begun: float, ended: float) -> None:
    """Compare what honest clients waited with the bound: what they waited in peace is the machine's, and allowed."""
    figures.faults += [" ".join(line) for line in lines if line[0] == "lost"]
    times = [(float(line[1]), float(line[2])) for line in lines if line[0] in ("say", "come")]
    quiet = sorted(took for start, took in times if start + took < begun)
    busy = sorted(took for start, took in times if begun <= start + took and start < ended)
    if len(quiet) < 10 or len(busy) < 10:
        figures.faults.append(f"too little was measured: {len(quiet)} before, {len(busy)} during")
        return
    figures.samples = len(busy)
    figures.quiet_p99, figures.quiet_worst = _p99(quiet), quiet[-1]
    figures.p99, figures.worst = _p99(busy), busy[-1]
    for word, found, bound in (
        ("p99", figures.p99, attack.p99_seconds + 3 * figures.quiet_p99),
        ("worst", figures.worst, max(WORST_SECONDS, 4 * attack.p99_seconds) + 3 * figures.quiet_worst),
    ):
        if found > bound:
            figures.faults.append(f"{word} {found * 1000:.0f} ms, {bound * 1000:.0f} allowed")


def _judge_server(figures: Figures, attack: Attack, server: Server) -> None:
    if (rss := _memory(server, "VmRSS")) == 0:
        server.process.wait(10)
    if server.process.poll() is not None:
        figures.faults.append(f"the server ended with {server.process.poll()}: {server.log()[-2000:]}")
        return
    figures.rss_after = rss
    grown = (figures.rss_peak - figures.rss_before) / MIB
    if grown > attack.rss_mib:
        figures.faults.append(f"memory grew by {grown:.0f} MiB, {attack.rss_mib:.0f} allowed")
    if (code := server.stop()) != 0:
        figures.faults.append(f"SIGTERM ended it with {code}")
    if "Traceback" in server.log():
        figures.faults.append(f"a traceback in the log: {server.log()[-2000:]}")


def _p99(times: list[float]) -> float:
    return times[int(len(times) * 0.99)]


def _memory(server: Server, what: str) -> int:
    try:
        status = Path(f"/proc/{server.pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = status.partition(f"{what}:")[2].split()
    return int(found[0]) * 1024 if found else 0  # it is ending
