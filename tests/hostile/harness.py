"""One attack at a time on a real server, while honest clients and the server's memory are watched.

The invariant of every attack: no stranger inside the default limits moves the others' p99 above 250 ms or the server's
memory by more than 100 MB, and nothing but SIGTERM ends the server. An attack is a row (`Attack`) in a module of
`hostile.attacks`; it is run on a `Stage`, a server with honest clients, which the next attack may use as well.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import subprocess
import sys
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from itertools import count
from pathlib import Path
from typing import IO, Any

from attrs import Factory, define, frozen
from live import Client, Server

__all__ = ["Attack", "Field", "Figures", "Stage", "all_attacks", "run", "start"]

MIB = 1024 * 1024
QUIET_SECONDS = 0.6
SETTLE_SECONDS = 0.1
LEAST_SECONDS = 1.0
WORST_SECONDS = 1.0
NO_UVLOOP = "import sys; sys.modules['uvloop'] = None"
MARK, END = b"mark\n", b"end\n"
_TESTS = Path(__file__).parents[1]
_clients = count()


def address(number: int) -> str:
    """Return one of thousands of addresses of this machine."""
    return f"127.1.{number // 250 % 250}.{number % 250 + 1}"


@frozen
class Attack:
    """One row of the table.

    Attributes:
        name: kebab-case, unique; what `make hostile ONLY=` takes.
        what: one line for people: what is done.
        act: does it, on a `Field`, and returns when it is over; gets *quick* or *long* as keywords.
        quick: its size in pytest (a second or two), None if it is only in `make hostile`; `long`: there.
        p99_seconds: what the honest clients' p99 may be meanwhile, on a machine that is otherwise quiet.
        rss_mib: how much the server's memory may grow meanwhile, at its peak.
        options: of the server, beyond its defaults; {directory} in one is an empty directory. The limits are the
            defaults unless the row changes them.
        prelude: Python for the server's process, before it imports anything (see `live.Server`).
        seed: fills the database t.db before the server starts, given its path.
        prepare: what is there before the attack begins (a group with members, say): not measured.
    """

    name: str
    what: str
    act: Callable[..., None]
    quick: Mapping[str, Any] | None = Factory(dict)
    long: Mapping[str, Any] = Factory(dict)
    p99_seconds: float = 0.25
    rss_mib: float = 100.0
    options: Sequence[str] = ()
    prelude: str = ""
    seed: Callable[[Path], None] | None = None
    prepare: Callable[[Field], None] | None = None

    @property
    def stage(self) -> Hashable:
        """What attacks have in common that may use the same server, one after the other."""
        return tuple(self.options), self.prelude, self.seed, self.prepare


@define
class Field:
    """Where an attack takes place: the server, and everything that is closed when it is over.

    Attributes:
        stack: what is closed when the attack is over, or what *prepare* made when all are.
        notes: what *prepare* leaves for *act*, and this for the table: `done`, how often it did what it does.
    """

    server: Server
    stack: ExitStack
    notes: dict[str, Any] = Factory(dict)

    def client(self, name: str | None = None, *, host: int | None = None) -> Client:
        """Connect from 127.0.0.*host*, or from an address of its own; it is closed at the end.

        127.0.0.1 is exempt from what is bounded per address.
        """
        source = f"127.0.0.{host}" if host is not None else address(next(_clients))
        client = self.stack.enter_context(Client(self.server.port, source=source))
        if name is not None:
            client.hello(name)
        return client


@define
class Figures:
    """What one run showed: p99 and worst in seconds, memory in bytes; *faults* is empty if all is well.

    *done* is how often the attack did what it does, if it counts.
    """

    name: str
    quiet_p99: float = 0.0
    quiet_worst: float = 0.0
    p99: float = 0.0
    worst: float = 0.0
    samples: int = 0
    rss_before: int = 0
    rss_peak: int = 0
    rss_after: int = 0
    done: int | None = None
    faults: list[str] = Factory(list)


def all_attacks() -> list[Attack]:
    """Return the rows of every module in `hostile.attacks`, in the order of the modules' names."""
    import hostile.attacks as package

    modules = sorted(module.name for module in pkgutil.iter_modules(package.__path__))
    return [row for name in modules for row in importlib.import_module(f"hostile.attacks.{name}").ATTACKS]


class Stage:
    """A server and honest clients, measured in peace, on which attacks are run one after the other.

    Args:
        attack: the first one; the others have the same `Attack.stage`.
        directory: an empty one, for the server's files.
    """

    def __init__(self, attack: Attack, directory: Path) -> None:
        self._directory, self._stack, self._read = directory, ExitStack(), 0
        self._prepared = ExitStack()
        if attack.seed is not None:
            attack.seed(directory / "t.db")
        options = [option.format(directory=directory) for option in attack.options]
        rates = [] if "--rate" in options else ["--rate", "50"]
        self.server = Server(directory, *rates, *options, prelude=attack.prelude)
        self._field = Field(self.server, self._prepared)
        self._stack.callback(self.server.end)
        self._stack.enter_context(self._prepared)
        try:
            if attack.prepare is not None:
                attack.prepare(self._field)
            self._honest = _start_honest(self.server, directory)
            self._stack.callback(_end, self._honest)
        except BaseException:
            self._stack.close()
            raise
        time.sleep(QUIET_SECONDS)
        self._quiet = [took for _, took in self._times(self._said())]
        self._rss = _memory(self.server, "VmRSS")

    def run(self, attack: Attack, *, is_long: bool = False) -> Figures:
        """Run *attack*, and judge what the honest clients waited meanwhile, and the server."""
        size = attack.long if is_long else attack.quick
        assert size is not None, f"{attack.name} has no quick form"
        figures = Figures(attack.name, rss_before=self._rss)
        time.sleep(SETTLE_SECONDS)
        self._said()
        Path(f"/proc/{self.server.pid}/clear_refs").write_text("5")  # the peak is counted from here on
        begun = time.monotonic()
        with ExitStack() as stack:
            try:
                attack.act(Field(self.server, stack, self._field.notes), **size)
            except (OSError, AssertionError) as error:  # what it hits may be gone: then this is said below
                figures.faults.append(f"the attack failed: {error!r}")
            time.sleep(max(0.0, begun + LEAST_SECONDS - time.monotonic()))
            ended = time.monotonic()
            if self.server.process.poll() is None:
                figures.rss_peak = _memory(self.server, "VmHWM")
                figures.rss_after = _memory(self.server, "VmRSS")
            lines = self._said()
        figures.done = self._field.notes.pop("done", None)
        self._judge_times(figures, attack, lines, begun, ended)
        self._judge_server(figures, attack)
        return figures

    def end(self) -> list[str]:
        """Stop the server, close everything, and return what is wrong with how it ended."""
        with closing(self._stack):
            self._prepared.close()
            if self.server.process.poll() is not None:
                return []  # said by the attack that did it
            code = self.server.stop()
            return [] if code == 0 else [f"SIGTERM ended it with {code}: {self.server.log()[-2000:]}"]

    def _said(self) -> list[list[str]]:
        """Return the lines of the honest clients since the last time, and what they wait for now."""
        out = self._directory / "honest"
        assert self._honest.stdin is not None
        with suppress(OSError):  # they ended, and said why
            self._honest.stdin.write(MARK)
            self._honest.stdin.flush()
        deadline = time.monotonic() + 20
        while not any(last in (text := out.read_bytes()[self._read :]) for last in (MARK, END)):
            assert time.monotonic() < deadline, "the honest clients say nothing"
            time.sleep(0.01)
        said, mark, _ = text.partition(MARK)
        self._read += len(said + mark)
        return [line.split(maxsplit=2) for line in said.decode().splitlines()]

    def _times(self, lines: list[list[str]]) -> list[tuple[float, float]]:
        return [(float(line[1]), float(line[2])) for line in lines if line[0] in ("say", "come")]

    def _judge_times(
        self, figures: Figures, attack: Attack, lines: list[list[str]], begun: float, ended: float
    ) -> None:
        """Compare what they waited with the bound: what they waited in peace is the machine's, and allowed."""
        figures.faults += [" ".join(line) for line in lines if line[0] == "lost"]
        quiet = sorted(self._quiet)
        busy = sorted(
            took for at, took in self._times(lines) if begun - SETTLE_SECONDS <= at < ended and begun <= at + took
        )
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

    def _judge_server(self, figures: Figures, attack: Attack) -> None:
        server = self.server
        if _memory(server, "VmRSS") == 0:
            server.process.wait(10)
        if server.process.poll() is not None:
            figures.faults.append(f"the server ended with {server.process.poll()}: {server.log()[-2000:]}")
            return
        grown = (figures.rss_peak - figures.rss_before) / MIB
        if grown > attack.rss_mib:
            figures.faults.append(f"memory grew by {grown:.0f} MiB, {attack.rss_mib:.0f} allowed")
        if "Traceback" in server.log():
            figures.faults.append(f"a traceback in the log: {server.log()[-2000:]}")


def run(attack: Attack, directory: Path, *, is_long: bool = False) -> Figures:
    """Run *attack* on a stage of its own. *directory* is an empty one, for the server's files."""
    stage = Stage(attack, directory)
    try:
        figures = stage.run(attack, is_long=is_long)
    finally:
        faults = stage.end()
    figures.faults += faults
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


def _start_honest(server: Server, directory: Path) -> subprocess.Popen[bytes]:
    with (directory / "honest").open("wb") as out:
        honest = start("hostile.honest", server.port, stdout=out)
    deadline = time.monotonic() + 20
    while "ready" not in (directory / "honest").read_text():
        assert time.monotonic() < deadline, "the honest clients did not get in"
        time.sleep(0.02)
    return honest


def _end(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        process.communicate(timeout=20)


def _p99(times: list[float]) -> float:
    return times[int(len(times) * 0.99)]


def _memory(server: Server, what: str) -> int:
    try:
        status = Path(f"/proc/{server.pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    found = status.partition(f"{what}:")[2].split()
    return int(found[0]) * 1024 if found else 0  # it is ending
