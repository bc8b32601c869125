"""The four commands: each reads its options, runs a tester, shows the verdict, and returns the exit code."""

from __future__ import annotations

import argparse
import secrets
import shlex
import sys
from pathlib import Path
from typing import Callable, List, Sequence, Tuple

from cases import path
from cases.case import SPEC, Case, load_cases, load_frame_cases, select
from cases.rules import load_text
from client import judge as clients
from client import plays
from programs.program import HOST, Absent, Program
from report import machine, page, text
from report.outcome import Verdict
from report.score import conforms
from server import judge as servers
from server.target import Target
from server.whole import CHECKS
from talk import lines as plain
from talk import recording
from talk.address import Address, parse
from talk.matcher import Names
from words import language, say

__all__ = ["DONE", "FAILED", "UNREACHABLE", "USAGE", "check", "complain", "lines", "test_client", "test_server"]

DONE, FAILED, USAGE, UNREACHABLE = 0, 1, 2, 3


def test_server(options: argparse.Namespace) -> int:
    """Run `server`."""
    found = [(word, parse(word)) for word in options.words]
    addresses = [address for _, address in found if address]
    selectors = [word for word, address in found if not address]
    cases, checks = _cases_for(addresses), list(CHECKS)
    chosen, chosen_checks = _choose(cases, selectors, options), _choose(checks, selectors, options)
    if options.list:
        return _list(chosen_checks + chosen)
    if bool(addresses) == bool(options.command):
        return complain(say("no-address"), USAGE)
    if not chosen and not chosen_checks:
        return complain(say("no-case", names=say("or").join(selectors)), USAGE)
    subject = _quoted(options.command) if options.command else " ".join(map(str, addresses))
    again = "server {case} --trace -- " + subject if options.command else "server %s {case} --trace" % subject
    program = Program(options.command, options.port) if options.command else None
    try:
        if program:
            program.start()
            addresses = [Address(HOST, program.port)]
        target = Target(addresses, options.timeout, program)
        for at in range(len(addresses)):
            target.open(at).sock.close()
        verdict = servers.judge(target, chosen or cases, chosen_checks, options.fail_fast, options.keep)
    except (OSError, Absent) as error:
        why = getattr(error, "strerror", None) or error
        return _fail(subject, say("cannot-start" if program else "cannot-connect-to", what=subject, why=why), options)
    finally:
        if program:
            program.stop()
    if not chosen:
        verdict = verdict._replace(outcomes=tuple(one for one in verdict.outcomes if one.case in checks))
    return _show(subject, verdict, again, options)


def test_client(options: argparse.Namespace) -> int:
    """Run `client`."""
    every = plays.plays()
    chosen_cases = _choose([play.case for play in every], options.words, options)
    if options.list:
        return _list(chosen_cases)
    if not options.command:
        return complain(say("no-client"), USAGE)
    if not chosen_cases:
        return complain(say("no-case", names=say("or").join(options.words)), USAGE)
    chosen = [play for play in every if play.case in chosen_cases]
    subject = _quoted(options.command)
    try:
        verdict = clients.judge(options.command, chosen, options.timeout, options.fail_fast)
    except OSError as error:
        return _fail(subject, say("cannot-start", what=options.command[0], why=error.strerror or error), options)
    return _show(subject, verdict, "client {case} --trace -- " + subject, options)


def check(options: argparse.Namespace) -> int:
    """Run `check`."""
    try:
        lines = sys.stdin.read() if options.file == "-" else Path(options.file).read_text("utf-8", "replace")
    except OSError as error:
        return complain(say("cannot-read", what=options.file, why=error.strerror or error), USAGE)
    found = list(recording.faults(lines.splitlines(), options.side))
    for number, fault in found:
        print("%s:%d: %s" % (options.file, number, text.plain(fault, 400)))
    return FAILED if found else DONE


def lines(options: argparse.Namespace) -> int:
    """Run `lines`."""
    if (SPEC / "vectors" / (Path(options.name).name + ".json")).is_file():
        print("\n".join(plain.of_vectors(Path(options.name).name)))
        return DONE
    found = [line for case in select(load_cases(), [options.name]) for line in plain.of_case(case, _fresh())]
    if not found:
        return complain(say("no-lines", name=options.name), USAGE)
    print("\n".join(found))
    return DONE


def _fresh() -> Names:
    return Names(secrets.token_hex(3))


def complain(sentence: str, code: int) -> int:
    """Say what is wrong, on standard error, and return *code*."""
    print("conformance: " + text.plain(sentence, 1000), file=sys.stderr)
    return code


def _cases_for(addresses: Sequence[Address]) -> List[Case]:
    """Return the cases that make sense there: over WebSocket those about its frames, and none about bytes."""
    if not any(address.way for address in addresses):
        return load_cases()
    is_secret = any(address.way == "wss" for address in addresses)
    framed = [case for case in load_frame_cases() if not (is_secret and case.frames.get("plain"))]
    return [case for case in load_cases() if not case.is_about_bytes] + framed


def _choose(cases: Sequence[Case], selectors: List[str], options: argparse.Namespace) -> List[Case]:
    return [case for case in select(list(cases), selectors) if options.part in (None, path.part_of(case))]


def _list(cases: Sequence[Case]) -> int:
    words, part = load_text(language()), 0
    for case in sorted(cases, key=path.part_of):
        if path.part_of(case) != part:
            part = path.part_of(case)
            print(say("part", number=part, title=say("part-%d" % part)))
        print("  %-44s %-6s %s" % (case.id, case.level, text.plain(text.title(case, words), 200)))
    return DONE


def _fail(subject: str, trouble: str, options: argparse.Namespace) -> int:
    """Nothing could be tested: say so to people, and to programs in the form they asked for."""
    verdict = Verdict((), trouble, 0.0)
    if options.json:
        print(machine.as_json(subject, verdict, options.strict))
    elif options.csv:
        print(machine.as_csv(verdict))
    _write_files(subject, verdict, options)
    return complain(trouble, UNREACHABLE)


def _show(subject: str, verdict: Verdict, again: str, options: argparse.Namespace) -> int:
    _write_files(subject, verdict, options)
    if options.json:
        print(machine.as_json(subject, verdict, options.strict))
    elif options.csv:
        print(machine.as_csv(verdict))
    else:
        command = "python spec/conformance " + again
        repeat: Callable[[str], str] = lambda case: command.replace("{case}", case)  # noqa: E731
        style = text.Style(options.strict, options.verbose, options.trace)
        print(text.as_text(subject, verdict, load_text(language()), repeat, style))
    return DONE if conforms(verdict, options.strict) else FAILED


def _write_files(subject: str, verdict: Verdict, options: argparse.Namespace) -> None:
    files: Tuple[Tuple[Path, Callable[[], str]], ...] = (
        (options.html, lambda: page.of_verdict(subject, verdict, load_text(language()), options.strict)),
        (options.junit, lambda: machine.as_junit(subject, verdict)),
    )
    for file, make in files:
        if file:
            file.write_text(make(), "utf-8")


def _quoted(command: Sequence[str]) -> str:
    return " ".join(map(shlex.quote, command))
