"""What is measured on servers that run: each row with every contender in turn, round after round."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from attrs import field, frozen
from cluster import record_costs, two_nodes
from contender import CONTENDERS, Contender, Running, pinned, serving

__all__ = ["CLUSTER", "ROWS", "CompilerMissing", "Mode", "Row", "Run", "build_generator", "cores", "measure"]

SOURCE = Path(__file__).with_name("generator.c")
MOST_SECONDS = 300.0

Mode = Literal["saturate", "contend", "pace", "ask", "connect", "record"]

TCHAT = ("tchat", "tchat durable")
PLAIN = ("tchat plain", "tchat plain durable")
OTHERS = ("ngircd", "inspircd", "redis")


class CompilerMissing(Exception):
    """The generator can't be built; the message says what to install."""


@frozen
class Row:
    """One thing to measure: what the generator does, and with whom."""

    id: str
    title: str
    mode: Mode
    contenders: tuple[str, ...]
    options: dict[str, float] = field(factory=dict)

    @property
    def part(self) -> Literal["live", "cluster"]:
        """Which part of the benchmark it belongs to."""
        return "cluster" if self.contenders == CLUSTER else "live"


WEB = ("tchat", "tchat web", "node ws", "socket.io", "websockets")
CLUSTER = ("two nodes",)

_ALL = (*TCHAT, *PLAIN, *OTHERS)
_FEW = (*TCHAT, *OTHERS)

ROWS = (
    Row("fan-10", "Group of 10, 4 x 64 messages in flight", "saturate", (*_ALL, "tchat embedded"), {"members": 10}),
    Row("fan-100", "Group of 100, 4 x 64 messages in flight", "saturate", (*_ALL, "tchat embedded"), {"members": 100}),
    Row("fan-1000", "Group of 1000, 4 x 64 messages in flight", "saturate", _ALL, {"members": 1000}),
    Row("few-100", "Group of 100, 4 x 4 messages in flight", "saturate", _FEW, {"members": 100, "window": 4}),
    Row("stalled-100", "Group of 100, 5 of them never read", "saturate", _FEW, {"members": 100, "stalled": 5}),
    Row("pace-100", "Group of 100, 1000 messages a second", "pace", _FEW, {"members": 100, "rate": 1000}),
    Row("pace-10", "Group of 10, 1000 messages a second", "pace", _FEW, {"members": 10, "rate": 1000}),
    Row("ask", "The list of 10 members, one question after the other", "ask", _FEW, {"members": 10}),
    Row("connect", "Connect and say hello, then be idle", "connect", _FEW),
    Row(
        "web-100", "Group of 100 over WebSocket (tchat: over TCP), 4 x 64 in flight", "saturate", WEB, {"members": 100}
    ),
    Row("web-connect", "Connect by WebSocket (tchat: by TCP), then be idle", "connect", WEB),
    Row(
        "both", "Group of 40, 20 write on either node", "contend", CLUSTER, {"members": 40, "senders": 40, "window": 1}
    ),
    Row("across", "200 messages a second, from one node to the other", "pace", CLUSTER, {"members": 10, "rate": 200}),
    Row("hello", "Connect and say hello on either node, 64 at a time", "connect", CLUSTER, {"members": 1000}),
    Row("hello-one", "The same, one after the other", "connect", CLUSTER, {"members": 100, "concurrency": 1}),
    Row("record-10", "Records of one text, 10 at a time to as many groups", "record", CLUSTER, {"groups": 10}),
    Row("record-100", "Records of one text, 100 at a time to as many groups", "record", CLUSTER, {"groups": 100}),
)


@frozen
class Run:
    """One row, with one contender, once. *figures* are the generator's; *error*: it came to none."""

    row: str
    who: str
    round: int
    figures: dict[str, float] = field(factory=dict)
    error: str = ""

    @property
    def is_sound(self) -> bool:
        """Every message came once and in order."""
        return not self.error and not self.figures.get("lost") and not self.figures.get("disordered")


def build_generator(directory: Path) -> Path:
    """Compile the generator unless *directory* has it already.

    Raises:
        CompilerMissing: there is no C compiler, or it has no headers.
    """
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        raise CompilerMissing("the load generator needs a C compiler: apt-get install gcc libc6-dev")
    program = directory / f"generator-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]}"
    if not program.exists():
        directory.mkdir(parents=True, exist_ok=True)
        begun = program.with_suffix(f".{os.getpid()}")
        done = subprocess.run([compiler, "-O2", "-o", begun, SOURCE], capture_output=True, text=True, check=False)
        if done.returncode:
            first = next(iter(done.stderr.strip().splitlines()), "no reason given")
            raise CompilerMissing(f"the load generator did not compile ({first}): apt-get install gcc libc6-dev")
        begun.replace(program)
    return program


def cores() -> tuple[int | None, int | None]:
    """Return the core for the server and that for the generator; None when there are not two."""
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else (None, None)


def measure(
    generator: Path, rows: Sequence[Row], contenders: Sequence[str], *, rounds: int, seconds: float, connections: int
) -> Iterator[Run]:
    """Measure *rows*, contenders in turn within a row, rows in turn within a round."""
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    for round in range(rounds):
        for row in rows:
            for who in row.contenders:
                if who not in contenders:
                    continue
                options = {"seconds": seconds, **row.options}
                if row.mode == "connect":
                    options.setdefault("members", min(connections, files - 100))
                try:
                    yield Run(row.id, who, round, _run(generator, CONTENDERS[who], row.mode, options))
                except (RuntimeError, subprocess.TimeoutExpired) as error:
                    yield Run(row.id, who, round, error=str(error))


def _run(generator: Path, contender: Contender, mode: Mode, options: dict[str, float]) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="tchat-bench-") as made:
        directory = Path(made)
        if mode == "record":
            return record_costs(directory, options["seconds"], int(options["groups"]))
        if contender.name in CLUSTER:  # its processes are more than there are cores
            with two_nodes(contender, directory) as server:
                return _generate(generator, contender, mode, options, server, None)
        server_core, own_core = cores()
        with serving(contender, directory, server_core) as server:
            return _generate(generator, contender, mode, options, server, own_core)


def _generate(
    generator: Path, contender: Contender, mode: Mode, options: dict[str, float], server: Running, core: int | None
) -> dict[str, float]:
    words = {"concurrency": contender.concurrency, **options, "pid": server.pid}
    ports = ",".join(map(str, (server.port, *server.others)))
    command = [str(generator), contender.protocol, ports, mode, *(f"{k}={v}" for k, v in words.items())]
    with pinned(core):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        out, complaint = process.communicate(timeout=MOST_SECONDS)
    finally:
        process.kill()
    if process.returncode:
        raise RuntimeError(f"{complaint.strip() or process.returncode}; the server: {server.said() or '-'}")
    figures: dict[str, float] = json.loads(out)
    return figures
