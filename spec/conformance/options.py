"""The command line's words: what may stand on it, and what it means."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Callable, Dict, Mapping

from words import LANGUAGES, say

__all__ = ["Run", "parser"]

Run = Callable[[argparse.Namespace], int]


def parser(runs: Mapping[str, Run]) -> argparse.ArgumentParser:
    """Return the parser; `run` of what it returns is the one of *runs* for the command."""
    found = argparse.ArgumentParser(prog="python spec/conformance", description=say("what-for"))
    commands = found.add_subparsers(required=True, metavar="COMMAND")
    spoken = argparse.ArgumentParser(add_help=False)
    spoken.add_argument("--lang", choices=tuple(LANGUAGES), help=say("help-lang"))
    shown, chosen = _shown(spoken), _chosen()

    usage = "%(prog)s [OPTIONS] HOST:PORT ... [CASE ...]\n       %(prog)s [OPTIONS] [CASE ...] -- CMD ... {host} {port}"
    about = say("help-server")
    server = commands.add_parser("server", parents=[shown, chosen], help=about, usage=usage, description=about)
    server.add_argument("words", nargs="*", metavar="HOST:PORT | CASE", help=say("help-words"))
    server.add_argument("--port", type=_port, default=0, metavar="N", help=say("help-port"))

    usage = "%(prog)s [OPTIONS] [CASE ...] -- CMD ... {name} {host} {port}"
    about = say("help-client")
    client = commands.add_parser("client", parents=[shown, chosen], help=about, usage=usage, description=about)
    client.add_argument("words", nargs="*", metavar="CASE", help=say("help-case"))

    every = {"server": server, "client": client, **_others(commands, spoken, shown)}
    for name, command in every.items():
        command.set_defaults(run=runs[name])
    return found


def _others(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    spoken: argparse.ArgumentParser,
    shown: argparse.ArgumentParser,
) -> Dict[str, argparse.ArgumentParser]:
    """The commands that test no single program."""
    about = say("help-matrix")
    pairs = commands.add_parser("matrix", parents=[shown], help=about, description=about)
    pairs.add_argument("teams", type=Path, metavar="TEAMS.toml", help=say("help-teams"))
    pairs.add_argument("--jobs", type=_jobs, default=0, metavar="N", help=say("help-jobs"))
    pairs.add_argument("--resume", action="store_true", help=say("help-resume"))
    pairs.add_argument("--bridge", type=Path, metavar="DIR", help=say("help-bridge"))
    pairs.add_argument("--scores", action="store_true", help=say("help-scores"))

    about = say("help-check")
    recorded = commands.add_parser("check", parents=[spoken], help=about, description=about)
    recorded.add_argument("file", metavar="FILE", help=say("help-file"))
    recorded.add_argument("--side", choices=("server", "client"), default="server", help=say("help-side"))

    about = say("help-lines")
    plain = commands.add_parser("lines", parents=[spoken], help=about, description=about)
    plain.add_argument("name", metavar="NAME", help=say("help-name"))
    return {"matrix": pairs, "check": recorded, "lines": plain}


def _shown(spoken: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """The options about patience and the report."""
    found = argparse.ArgumentParser(add_help=False, parents=[spoken])
    found.add_argument("--timeout", type=_positive, default=4.0, metavar="SECONDS", help=say("help-timeout"))
    machine = found.add_mutually_exclusive_group()
    machine.add_argument("--json", action="store_true", help=say("help-json"))
    machine.add_argument("--csv", action="store_true", help=say("help-csv"))
    found.add_argument("--junit", type=Path, metavar="FILE", help=say("help-junit"))
    found.add_argument("--html", type=Path, metavar="FILE", help=say("help-html"))
    return found


def _chosen() -> argparse.ArgumentParser:
    """The options about which cases to run, and how often."""
    found = argparse.ArgumentParser(add_help=False)
    found.add_argument("--part", type=int, choices=range(1, 7), metavar="1..6", help=say("help-part"))
    found.add_argument("--list", action="store_true", help=say("help-list"))
    found.add_argument("--watch", type=Path, nargs="?", const=Path(), metavar="DIR", help=say("help-watch"))
    found.add_argument("--fail-fast", action="store_true", help=say("help-fail-fast"))
    found.add_argument("--keep", action="store_true", help=say("help-keep"))
    found.add_argument("--strict", action="store_true", help=say("help-strict"))
    found.add_argument("--verbose", action="store_true", help=say("help-verbose"))
    found.add_argument("--trace", action="store_true", help=say("help-trace"))
    return found


def _positive(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 600:
        raise argparse.ArgumentTypeError(say("not-seconds", text=text))
    return seconds


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError(say("not-port", text=text))
    return int(text)


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 64:
        raise argparse.ArgumentTypeError(say("not-jobs", text=text))
    return int(text)
