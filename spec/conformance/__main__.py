"""`python spec/conformance`: is this server, or this client, a tchat one? Needs Python 3.9 and nothing else."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import List

import commands
import options as line
import words
from desk.command import test_matrix
from programs.family import end_all
from watch import watch

__all__ = ["main"]

RUNS = {
    "server": commands.test_server,
    "client": commands.test_client,
    "matrix": test_matrix,
    "check": commands.check,
    "lines": commands.lines,
}


def main(arguments: List[str]) -> int:
    """Run the command line; return the exit code (0 conformant, 1 not, 2 usage, 3 cannot connect or start)."""
    before, command = arguments, []
    if "--" in arguments:
        at = arguments.index("--")
        before, command = arguments[:at], arguments[at + 1 :]
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    words.choose(_language(before))
    options = line.parser(RUNS).parse_args(before)
    options.command = command
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, _stop)
    try:
        if getattr(options, "watch", None):
            watch(options.watch, lambda: int(options.run(options)))
        return int(options.run(options))
    except BrokenPipeError:
        return commands.FAILED


def _stop(number: int, _: object) -> None:
    """End at once, with all that was started; what is done is written already."""
    end_all()
    sys.stdout.flush()
    os._exit(128 + number)


def _language(arguments: List[str]) -> str:
    """The language to speak. What is written for programs is always English."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--lang")
    known, rest = first.parse_known_args(arguments if arguments[-1:] != ["--lang"] else arguments[:-1])
    return "en" if {"--json", "--csv"} & set(rest) else words.wanted(known.lang)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
