"""The tester tested: programs that are right pass, and wrong ones fail exactly the cases that name their fault."""

from __future__ import annotations

import ast
import contextlib
import importlib
import json
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
from broken.faults import CLIENT_FAULTS, CLIENTS, FAULTS, SERVERS
from broken.server import Server
from tester import CLIENT, ROOT, TCHAT, TESTER, failed, members_left, run, verdict

SCHEMAS = ROOT / "spec" / "schema"


@pytest.fixture(scope="module")
def small_server() -> Iterator[str]:
    with Server() as server:
        yield f"127.0.0.1:{server.port}"


def test_our_server_conforms(tmp_path: Path) -> None:
    port_file = tmp_path / "port"
    words = ("--listen", "127.0.0.1:0", "--port-file", str(port_file), "--db", ":memory:", "--rate", "0")
    server = subprocess.Popen([sys.executable, "-m", "tchat_server", *words], cwd=ROOT, stderr=subprocess.PIPE)
    try:
        deadline = time.monotonic() + 20
        while not (port_file.exists() and port_file.read_text("utf-8").strip()):
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        port = port_file.read_text("utf-8").strip().rpartition(":")[2]
        reader = threading.Thread(target=server.stderr.read if server.stderr else str)  # its log must not fill the pipe
        reader.start()
        done = run("server", f"127.0.0.1:{port}", "--strict")
        assert "Result: conformant (0 MUST failed; 0 SHOULD failed, 0 waiting, 0 skipped)" in done.stdout, done.stdout
        assert done.returncode == 0
        told = re.findall(r"^information: (R-[\w-]+): yes", done.stdout, re.MULTILINE)
        assert sorted(set(told)) == sorted(told)  # a rule that several cases try is told of once
        assert members_left(f"127.0.0.1:{port}") == {}  # the groups of the test are empty, so nobody is shown them
    finally:
        server.terminate()
        server.wait(20)
        reader.join()
        if server.stderr:
            server.stderr.close()


def test_a_small_server_that_is_right_conforms(small_server: str) -> None:
    done = run("server", small_server, "--strict")
    assert "Result: conformant (0 MUST failed; 0 SHOULD failed, 0 waiting, 0 skipped)" in done.stdout, done.stdout
    assert done.returncode == 0


def test_our_client_conforms() -> None:
    done = run("client", "--strict", "--", *TCHAT)
    assert "Result: conformant (0 MUST failed; 0 SHOULD failed, 0 waiting, 0 skipped)" in done.stdout, done.stdout
    assert done.returncode == 0


def test_a_small_client_that_is_right_conforms() -> None:
    assert failed(verdict("client", "--", *CLIENT)) == set()


@cache
def expected(fault: str) -> frozenset[str]:
    """The cases that name *fault*."""
    cases = [
        case
        for path in (ROOT / "spec" / "scenarios").glob("*.json")
        for case in json.loads(path.read_text("utf-8"))["cases"]
    ]
    found = set(FAULTS[fault][1].split())
    for mark, is_meant in (("*error*", expects_error), ("*echo*", expects_echo)):
        if mark in found:
            found |= {case["id"] for case in cases if case["level"] != "MAY" and any(map(is_meant, case["steps"]))}
            found.remove(mark)
    return frozenset(found)


def expects_error(step: dict[str, Any]) -> bool:
    return step.get("get", {}).get("action") == "error"


def expects_echo(step: dict[str, Any]) -> bool:
    me = "$" + step["peer"]
    return step.get("get", {}).get("action") == "gbroadcast" and step["get"].get("sender", me) == me


def passed_in_spite_of(faults: tuple[str, ...], failures: set[str]) -> list[str]:
    """What is wrong, in words, for each of *faults* whose cases are not all among *failures*."""
    return [FAULTS[fault][0] for fault in faults if not expected(fault) <= failures]


@pytest.mark.parametrize("faults", SERVERS, ids=lambda faults: faults[0] + "..." * (len(faults) > 1))
def test_a_broken_server_fails_the_cases_that_name_its_faults_and_no_others(faults: tuple[str, ...]) -> None:
    with Server(*faults) as server:
        failures = failed(verdict("server", f"127.0.0.1:{server.port}", "--timeout", "1"))
    assert passed_in_spite_of(faults, failures) == []
    assert failures == frozenset().union(*map(expected, faults))


def test_every_fault_is_made_by_one_server_and_hides_no_other() -> None:
    assert sorted(fault for faults in SERVERS for fault in faults) == sorted(FAULTS)
    assert sorted(fault for faults in CLIENTS for fault in faults) == sorted(CLIENT_FAULTS)
    for faults in SERVERS:
        cases = [case for fault in faults for case in expected(fault)]
        assert len(cases) == len(set(cases)), faults
    assert all(map(expected, FAULTS))
    assert all(cases for _, cases in CLIENT_FAULTS.values())


@pytest.mark.parametrize("faults", CLIENTS, ids=lambda faults: faults[0] + "...")
def test_a_broken_client_fails_the_cases_that_name_its_faults_and_no_others(faults: tuple[str, ...]) -> None:
    named = {fault: set(CLIENT_FAULTS[fault][1].split()) for fault in faults}
    wanted = set().union(*named.values())
    failures = failed(verdict("client", "--timeout", "1", "--", *CLIENT, *faults))
    if failures > wanted:  # who parses per chunk fails elsewhere too when the machine stands still: not twice, though
        failures &= failed(verdict("client", "--timeout", "1", "--", *CLIENT, *faults))
    assert [CLIENT_FAULTS[fault][0] for fault in faults if not named[fault] <= failures] == []
    assert failures == wanted


def answering(answer: Callable[[socket.socket], None]) -> Callable[[], contextlib.AbstractContextManager[int]]:
    @contextlib.contextmanager
    def listening() -> Iterator[int]:
        listener = socket.create_server(("127.0.0.1", 0))
        done = threading.Event()

        def accept() -> None:
            with contextlib.suppress(OSError):
                while not done.is_set():
                    sock, _ = listener.accept()
                    threads.append(threading.Thread(target=serve, args=(sock,), daemon=True))
                    threads[-1].start()

        def serve(sock: socket.socket) -> None:
            with sock, contextlib.suppress(OSError):
                answer(sock)
                done.wait(20)

        threads = [threading.Thread(target=accept, daemon=True)]
        threads[0].start()
        try:
            yield listener.getsockname()[1]
        finally:
            done.set()
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            for thread in threads:
                thread.join(10)

    return listening


def flood(sock: socket.socket) -> None:
    for _ in range(2000):
        sock.sendall(b"x" * 65536)


def flood_of_messages(sock: socket.socket) -> None:
    for _ in range(200_000):
        sock.sendall(b'{"action":"server-broadcast","event":"connect","name":"eve","msg":"eve is here"}\r\n')


def hello_then_silence(sock: socket.socket) -> None:
    sock.recv(65536)
    hello = {"action": "server-hello", "from": "x", "sender": "x", "version": 1, "server": "s", "token": "t"}
    sock.sendall(json.dumps({**hello, "groups": [], "seqs": {}, "msg": "hi"}).encode() + b"\r\n")


def hello_then_never_silent(sock: socket.socket) -> None:
    hello_then_silence(sock)
    while True:
        sock.sendall(b'{"action":"tick"}\r\n' * 5)
        time.sleep(0.02)


def never_ready(sock: socket.socket) -> None:
    hello_then_silence(sock)
    while sock.recv(65536):
        sock.sendall(b'{"action":"error","code":"rate-limited","msg":"","retry_after":-5}\r\n')
        sock.sendall(b'{"action":"error","code":"rate-limited","msg":"","retry_after":1%b}\r\n' % (b"0" * 400))


STRANGERS: dict[str, tuple[Callable[[socket.socket], None], str]] = {
    "never answers": (lambda sock: None, "does not answer client-hello"),
    "closes at once": (lambda sock: sock.shutdown(socket.SHUT_RDWR), "closes the connection"),
    "answers garbage": (
        lambda sock: sock.sendall(b"220 smtp ready\r\n"),
        "does not answer client-hello with a message",
    ),
    "answers half a message": (lambda sock: sock.sendall(b'{"action":'), "does not answer client-hello with a message"),
    "answers bad UTF-8": (
        lambda sock: sock.sendall(b'{"a":"\xff"}\r\n'),
        "does not answer client-hello with a message",
    ),
    "answers too deep": (lambda sock: sock.sendall(b'{"a":' + b"[" * 99999 + b"]" * 99999 + b"}"), "not JSON"),
    "floods": (flood, "sends without end"),
    "floods with messages": (flood_of_messages, "it sends without end"),
    "answers hello only": (hello_then_silence, "next: answer `ping`: "),
    "answers HTML": (lambda sock: sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n<html></html>"), "is no message"),
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_gets_a_clear_verdict_in_time(stranger: str) -> None:
    answer, words = STRANGERS[stranger]
    began = time.monotonic()
    with answering(answer)() as port:
        done = run("server", f"127.0.0.1:{port}", "--timeout", "0.5")
    assert words in done.stdout
    assert "Result: NOT conformant" in done.stdout
    assert done.stderr == ""
    assert done.returncode == 1
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("answer", [pytest.param(hello_then_never_silent, marks=pytest.mark.nightly), never_ready])
def test_a_server_that_is_never_done_is_not_waited_for_for_ever(answer: Callable[[socket.socket], None]) -> None:
    with answering(answer)() as port:
        done = run("server", f"127.0.0.1:{port}", "groups/join", "--timeout", "0.3")
    assert "Result: " in done.stdout
    assert done.stderr == ""


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = run("server", f"127.0.0.1:{port}")
    assert done.returncode == 3
    assert re.fullmatch(rf"conformance: cannot connect to 127\.0\.0\.1:{port}: .+\n", done.stderr)


CLIENTS_THAT_ARE_NONE = {
    "ends at once": ([sys.executable, "-c", ""], "ends without connecting"),
    "says why it ends": ([sys.executable, "-c", "print('no such host')"], "it said: no such host"),
    "never connects": ([sys.executable, "-c", "input()"], "does not connect within 1.5 s"),
    "connects and leaves": (
        [
            sys.executable,
            "-c",
            "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])))",
            "{host}",
            "{port}",
        ],
        "closes the connection",
    ),
}


@pytest.mark.parametrize("program", CLIENTS_THAT_ARE_NONE)
def test_a_program_that_is_no_client_gets_a_clear_verdict(program: str) -> None:
    command, words = CLIENTS_THAT_ARE_NONE[program]
    done = run("client", "--timeout", "0.3", "hello/hello", "--", *command)
    assert words in done.stdout
    assert done.stderr == ""
    assert done.returncode == 1


def test_a_client_that_cannot_be_started() -> None:
    done = run("client", "--", str(ROOT / "no-such-program"), "{port}")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["server", "nowhere"],
        ["server", "127.0.0.1:99999"],
        ["server", "127.0.0.1:1", "no/such-case"],
        ["server", "127.0.0.1:1", "--timeout", "0"],
        ["client", "no/such-case", "--", "true"],
        ["client"],
        ["matrix", "no-such-file.toml"],
        ["check", "no-such-file"],
        [],
    ],
    ids=lambda words: " ".join(words) or "nothing",
)
def test_wrong_usage_is_told_in_words(words: list[str]) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("selector", "cases"),
    [
        ("talk/quit", {"talk/quit"}),
        ("retry", None),
        ("groups/unknown-group-*", None),
        ("R-ban-twice", {"moderation/ban-twice"}),
        ("wire/frame", {"wire/frame"}),
    ],
)
def test_a_selector_names_a_case_a_topic_a_pattern_or_a_requirement(selector: str, cases: set[str] | None) -> None:
    found = set(re.findall(r"^  (\S+/\S+) ", run("server", selector, "--list").stdout, re.MULTILINE))
    assert found == cases if cases else len(found) > 5


@pytest.mark.parametrize("selector", ["moderation/ban-twice", "wire/frame"])
def test_only_what_was_selected_is_judged(selector: str, small_server: str) -> None:
    assert {case["id"] for case in verdict("server", small_server, selector)["cases"]} == {selector}


def test_a_failure_shows_the_conversation_the_rule_and_the_way_to_run_it_again() -> None:
    with Server("members-kick") as server:
        address = f"127.0.0.1:{server.port}"
        text = run("server", address, "moderation/kick-by-member", "--verbose").stdout
        assert "FAIL moderation/kick-by-member   MUST: a member who is not the owner cannot kick" in text
        assert "R-owner-only: `kick`, `ban` and `unban` of a member" in text
        assert re.search(r'bob +> \{"sender":"bob-\w+","group":"conformance-wob-\w+","dest":"carol-\w+"', text)
        assert "wrong: bob: kick came; expected error forbidden" in text
        again = re.search(r"again: python spec/conformance (.+)", text)
        assert again
        assert "FAIL moderation/kick-by-member" in run(*again[1].split()).stdout


def test_a_should_that_fails_counts_when_strict() -> None:
    with Server("no-presence") as server:
        words = ("server", f"127.0.0.1:{server.port}", "hello/connect-notice", "--timeout", "0.5")
        lenient, strict = run(*words), run(*words, "--strict")
    assert "Result: conformant (0 MUST failed; 1 SHOULD failed, 0 waiting, 0 skipped)" in lenient.stdout
    assert "Result: NOT conformant (0 MUST failed; 1 SHOULD failed, 0 waiting, 0 skipped)" in strict.stdout
    assert (lenient.returncode, strict.returncode) == (0, 1)


def test_trace_shows_cases_that_pass(small_server: str) -> None:
    text = run("server", small_server, "talk/quit", "--trace").stdout
    assert "pass talk/quit" in text
    assert '"action":"client-quit"' in text


def test_the_page_is_whole_and_safe(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    with Server("cleans-texts") as server:
        run("server", f"127.0.0.1:{server.port}", "talk", "wire", "--html", str(page))
    text = page.read_text("utf-8")
    assert not re.search(r"""(src|href)=["'](?!#)|@import|url\(|<script""", text)
    assert "NOT conformant" in text
    assert "talk/text-verbatim" in text
    assert "R-field-verbatim" in text
    assert "\x1b" not in text


RECORDED = """\
alice   > {"action":"join","sender":"alice","group":"wob"}
alice   < {"action":"ping","ts":"2026-01-31T10:42:00.123Z","version":1,"server":"x","msg":"pong"}
{"action":"ping","ts":"now","version":true,"server":"x","msg":"pong"}
> {"action":"join","group":7}
{"action":"error","code":"bad-json","code":"bad-json","msg":"x"}
{"action":"dance","msg":"x"}
nothing at all
"""


def test_recorded_messages_are_checked_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "recorded"
    path.write_text(RECORDED, "utf-8")
    done = run("check", str(path))
    numbers = [line.partition(": ")[0].rpartition(":")[2] for line in done.stdout.splitlines()]
    assert numbers == ["3", "3", "4", "5", "6"]
    assert done.returncode == 1
    assert run("check", "-", text="\n".join(RECORDED.splitlines()[:2])).returncode == 0
    assert run("check", "-", text="220 smtp ready\n").stdout == "-:1: no JSON object\n"


def test_what_the_tester_traces_can_be_checked(small_server: str) -> None:
    trace = run("server", small_server, "history/msgs", "moderation/kick", "talk/send", "--trace").stdout
    done = run("check", "-", text=trace)
    assert done.stdout == ""
    assert trace.count("{") > 20


@pytest.fixture(scope="module")
def shapes() -> Iterator[ModuleType]:
    sys.path.insert(0, str(TESTER))
    try:
        yield importlib.import_module("talk.shapes")
    finally:
        sys.path.remove(str(TESTER))


def messages() -> list[dict[str, Any]]:
    """Every example of protocol.md."""
    text = (ROOT / "spec" / "protocol.md").read_text("utf-8")
    blocks = re.findall(r"```json\n(.+?)```", text, re.DOTALL)
    return [json.loads(line) for block in blocks for line in block.splitlines()]


JUNK: tuple[Any, ...] = (None, True, 0, -1, 1.5, 2**60, "", "x" * 70, "\0", "a\nb", [], [1], {}, {"a": 0}, "maybe")


@pytest.mark.parametrize("name", ["server", "requests"])
def test_the_small_validator_agrees_with_jsonschema(name: str, shapes: ModuleType) -> None:
    document = json.loads((SCHEMAS / f"{name}.json").read_text("utf-8"))
    small = shapes.Shapes(document)
    chance = random.Random(1)
    seen = {True: 0, False: 0}
    known = [message for message in messages() if message["action"] in document["$defs"]]
    for _ in range(40):
        for message in known:
            broken = dict(message)
            for field in chance.sample(sorted(broken), chance.choice((0, 1, 1, 2))):
                if field != "action":
                    broken[field] = chance.choice(JUNK)
                    if chance.random() < 0.3:
                        del broken[field]
            is_presence = name == "server" and broken["action"] == "server-broadcast" and "event" in broken
            shape = "presence" if is_presence else broken["action"]
            oracle = jsonschema.Draft202012Validator({"$defs": document["$defs"], "$ref": f"#/$defs/{shape}"})
            is_valid = oracle.is_valid(broken)
            assert (small.faults(broken) == []) == is_valid, broken
            seen[is_valid] += 1
    assert min(seen.values()) > 100


@pytest.mark.parametrize("path", sorted(TESTER.rglob("*.py")), ids=lambda path: str(path.relative_to(TESTER)))
def test_the_tester_needs_python_3_9_and_nothing_else(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"), feature_version=(3, 9))
    own = {other.stem for other in TESTER.iterdir()}
    tests = {other.stem for other in (ROOT / "tests" / "support").glob("*.py")}
    assert not (own - {"__main__"}) & (sys.stdlib_module_names | tests)
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or ".").partition(".")[0]]
        assert set(names) <= own | set(sys.stdlib_module_names)
        assert not isinstance(node, ast.Match)


def test_the_tester_runs_where_it_is_copied(small_server: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "spec", tmp_path / "spec", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-I", str(tmp_path / "spec" / "conformance"), "server", small_server, "talk"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, cwd=tmp_path)
    assert "Result: conformant" in done.stdout, done.stdout + done.stderr
