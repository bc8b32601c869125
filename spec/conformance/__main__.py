"""`python spec/conformance`: is this server, or this client, a tchat one? Needs Python 3.9 and nothing else."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Dict, List, Optional, Tuple

import between
import clients
import grid
import matrix
import page
import plays
import recording
import report
import servers
from case import load_cases, load_requirements, select
from outcome import Verdict

__all__ = ["main"]

DONE, FAILED, USAGE, UNREACHABLE = 0, 1, 2, 3


def main(arguments: List[str]) -> int:
    """Run the command line; return the exit code (0 conformant, 1 not, 2 usage, 3 cannot connect or start)."""
    words, command = arguments, []
    if "--" in arguments:
        at = arguments.index("--")
        words, command = arguments[:at], arguments[at + 1 :]
    options = _parser().parse_args(words)
    options.command = command
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    try:
        return int(options.run(options))
    except BrokenPipeError:
        return FAILED
    except KeyboardInterrupt:
        return 130


def test_server(options: argparse.Namespace) -> int:
    """Run `server`."""
    """Run the chosen cases against a server."""
    address = _address(options.address)
    if address is None:
        return _complain("%s is no HOST:PORT" % options.address, USAGE)
    cases, checks = load_cases(), list(servers.CHECKS.values())
    chosen, chosen_checks = select(cases, options.selectors), select(checks, options.selectors)
    if not chosen and not chosen_checks:
        return _complain("no case is named %s" % " or ".join(options.selectors), USAGE)
    target = servers.Target(address[0], address[1], options.timeout)
    try:
        verdict = servers.judge(target, chosen or cases, chosen_checks)
    except OSError as error:
        return _complain("cannot connect to %s: %s" % (str(target), error.strerror or error), UNREACHABLE)
    if not chosen:
        verdict = verdict._replace(outcomes=tuple(one for one in verdict.outcomes if one.case in checks))
    return _show(str(target), verdict, "server %s {case} --trace" % str(target), options)


def test_client(options: argparse.Namespace) -> int:
    """Run `client`."""
    if not options.command:
        return _complain("no client: python spec/conformance client -- CMD ... {name} {host} {port}", USAGE)
    every = plays.plays()
    chosen_ids = {case.id for case in select([play.case for play in every], options.selectors)}
    chosen = [play for play in every if play.case.id in chosen_ids]
    if not chosen:
        return _complain("no case is named %s" % " or ".join(options.selectors), USAGE)
    try:
        verdict = clients.judge(options.command, chosen, options.timeout)
    except OSError as error:
        return _complain("cannot start %s: %s" % (options.command[0], error.strerror or error), UNREACHABLE)
    command = " ".join(map(shlex.quote, options.command))
    return _show(command, verdict, "client {case} --trace -- " + command, options)


def test_matrix(options: argparse.Namespace) -> int:
    """Run `matrix`."""
    try:
        teams = matrix.load(options.teams)
    except (OSError, ValueError) as error:
        return _complain("cannot read %s: %s" % (options.teams, error), USAGE)
    cells = matrix.play_all(teams, options.timeout, lambda line: print(line, file=sys.stderr))
    if options.bridge:
        try:
            behind = teams._replace(servers=between.bridged(teams.servers, options.bridge))
        except ValueError as error:
            return _complain(str(error), USAGE)
        print(grid.as_json(cells) if options.json else grid.as_text(cells))
        points = _points(cells)
        cells = matrix.play_all(behind, options.timeout, lambda line: print(line + " (bridge)", file=sys.stderr))
        print(between.difference(points, _points(cells)))
    if options.html:
        options.html.write_text(grid.as_html(cells), "utf-8")
    print(grid.as_json(cells) if options.json else grid.as_text(cells))
    return FAILED if any(cell.missed for cell in cells) else DONE


def _points(cells: List[matrix.Cell]) -> Dict[str, int]:
    return {"%s on %s" % (cell.client, cell.server): len(cell.done) for cell in cells}


def check(options: argparse.Namespace) -> int:
    """Run `check`."""
    try:
        text = sys.stdin.read() if options.file == "-" else Path(options.file).read_text("utf-8", "replace")
    except OSError as error:
        return _complain("cannot read %s: %s" % (options.file, error.strerror), USAGE)
    found = list(recording.faults(text.splitlines(), options.side))
    for number, fault in found:
        print("%s:%d: %s" % (options.file, number, report.plain(fault, 400)))
    return FAILED if found else DONE


def _show(subject: str, verdict: Verdict, again: str, options: argparse.Namespace) -> int:
    requirements = load_requirements()
    if options.html:
        options.html.write_text(page.of_verdict(subject, verdict, requirements, options.strict), "utf-8")
    if options.json:
        print(report.as_json(subject, verdict, options.strict))
    else:
        command = "python spec/conformance " + again
        print(
            report.as_text(
                subject,
                verdict,
                requirements,
                lambda case: command.replace("{case}", case),
                options.strict,
                options.trace,
            )
        )
    return FAILED if report.summary(verdict, options.strict).startswith("NOT") else DONE


def _address(text: str) -> Optional[Tuple[str, int]]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536:
        return None
    return (host.strip("[]") or "127.0.0.1", int(port))


def _complain(text: str, code: int) -> int:
    print("conformance: " + text, file=sys.stderr)
    return code


def _positive(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 600:
        raise argparse.ArgumentTypeError("not between 0 and 600 seconds: %s" % text)
    return seconds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python spec/conformance", description="Does a program keep to the tchat protocol, version 1?"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--timeout", type=_positive, default=4.0, metavar="SECONDS", help="for each answer (4)")
    common.add_argument("--strict", action="store_true", help="a SHOULD that fails counts as well")
    common.add_argument("--trace", action="store_true", help="show every message of every case")
    common.add_argument("--json", action="store_true", help="one JSON object instead of text")
    common.add_argument("--html", type=Path, metavar="FILE", help="write a page as well")

    server = commands.add_parser("server", parents=[common], help="test a server", description="Test a server.")
    server.add_argument("address", metavar="HOST:PORT")
    server.add_argument("selectors", nargs="*", metavar="CASE", help="a topic, a case, a pattern, or an R- id")
    server.set_defaults(run=test_server)

    client = commands.add_parser(
        "client",
        parents=[common],
        help="test a client",
        usage="%(prog)s [OPTIONS] [CASE ...] -- CMD ... {name} {host} {port}",
        description="Test a client: CMD is started with {name}, {host} and {port} replaced, and typed to.",
    )
    client.add_argument("selectors", nargs="*", metavar="CASE", help="a topic, a case, a pattern, or an R- id")
    client.set_defaults(run=test_client)

    pairs = commands.add_parser(
        "matrix", parents=[common], help="every client on every server", description="Every client on every server."
    )
    pairs.add_argument("teams", type=Path, metavar="TEAMS.toml", help="[[server]] and [[client]] with name and command")
    pairs.add_argument(
        "--bridge", type=Path, metavar="DIR", help="once more, with tchat bridge and the dialects in DIR"
    )
    pairs.set_defaults(run=test_matrix)

    recorded = commands.add_parser("check", help="check recorded messages", description="Check recorded messages.")
    recorded.add_argument("file", metavar="FILE", help="a message a line, after < or >; - is standard input")
    recorded.add_argument("--side", choices=("server", "client"), default="server", help="whose the other lines are")
    recorded.set_defaults(run=check)
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
