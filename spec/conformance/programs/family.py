"""A process and all that it starts, to the last grandchild: started in a session of its own, and ended for certain."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List, Sequence

__all__ = ["end", "end_all", "family", "spawn"]

PATIENCE_SECONDS = 1.5
MARK = "TCHAT_CONFORMANCE_RUN"
_PR_SET_CHILD_SUBREAPER = 36
_marks: Dict[int, str] = {}
_running: "List[subprocess.Popen[bytes]]" = []


def spawn(command: Sequence[str], host: str, port: int, stdin: int) -> "subprocess.Popen[bytes]":
    """Start *command*, its errors on its output; `HOST` and `PORT` are in its environment.

    Raises:
        OSError: there is no such program.
    """
    _adopt_orphans()
    mark = secrets.token_hex(8)
    about = {"HOST": host, "PORT": str(port), "NO_COLOR": "1", "PYTHONUNBUFFERED": "1", MARK: mark}
    process = subprocess.Popen(
        list(command),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(os.environ, **about),
        start_new_session=True,
    )
    _marks[process.pid] = mark
    _running.append(process)
    return process


def end(process: "subprocess.Popen[bytes]") -> None:
    """End *process* and whatever it has started, gently first."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        _send(process, sign)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None and not family(process):
                if process in _running:
                    _running.remove(process)
                return
            time.sleep(0.02)


def end_all() -> None:
    """End every process that still runs, at once: somebody pressed Ctrl-C."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for process in list(_running):
            _send(process, sign)
        time.sleep(0.2 if _running else 0.0)


def _send(process: "subprocess.Popen[bytes]", sign: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        os.killpg(process.pid, sign)
    for pid in family(process):
        with contextlib.suppress(OSError):
            os.kill(pid, sign)


def family(process: "subprocess.Popen[bytes]") -> List[int]:
    """Find the living processes that descend from *process*, also those that left its session (Linux only).

    Orphans become children of this program, and the mark in their environment says whose they were.
    """
    mark = ("%s=%s" % (MARK, _marks.get(process.pid, "-"))).encode()
    found = []
    for pid in _descendants():
        with contextlib.suppress(OSError):
            if mark in Path("/proc/%d/environ" % pid).read_bytes():
                found.append(pid)
    return found


def _descendants() -> List[int]:
    """The living processes below this one; dead orphans are buried on the way."""
    children: Dict[int, List[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):
            state, parent = path.read_text("utf-8", "replace").rpartition(")")[2].split()[:2]
            pid = int(path.parent.name)
            if state != "Z":
                children.setdefault(int(parent), []).append(pid)
            elif int(parent) == os.getpid() and pid not in _marks:
                os.waitpid(pid, os.WNOHANG)
    found, waiting = [], [os.getpid()]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
