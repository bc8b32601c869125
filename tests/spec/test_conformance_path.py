"""The tester as a teacher: alive or silent, the path, one cause once, French, and programs that it starts itself."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest
from broken.faults import STUDENTS
from broken.server import Server
from tester import BROKEN, CLIENT, ROOT, TESTER, members_left, run, verdict

SCREEN_LINES = 40
UNTIL_KILLED = "import time; time.sleep(60)"
LISTEN = "import socket, sys, os, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1])), backlog=50); "


@pytest.fixture(scope="module")
def right() -> Iterator[str]:
    with Server() as server:
        yield f"127.0.0.1:{server.port}"


def living(mark: str) -> list[str]:
    """The processes with *mark* on their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if mark.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


def student(name: str, lang: str, *cases: str) -> str:
    done = run("server", "--timeout", "1", *cases, "--", *BROKEN, name, lang=lang)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.count("\n") <= SCREEN_LINES, done.stdout
    return done.stdout


def counted(text: str) -> str:
    return re.sub(r"\d+ (cases?|cas)\b", r"N \1", text)  # how many there are is not the matter here


# Each fixture, the cases it is asked for (none: all), and what its report has to say: what to do next and why.
SAYS: dict[str, tuple[list[str], list[str]]] = {
    "talks-only": (
        [],
        ["next: answer `ping`: N cases wait for it   protocol.md:", "waiting for `cgroupe`: N cases"],
    ),
    "leaves-the-requester-out": (
        ["groups/create*", "groups/join*", "groups/gbroadcast*"],
        [
            "next: send the stamped `cgroupe` back to who asked as well (mistake 6): N cases wait for it",
            "mistake 6, Leaving the requester out (protocol.md:",
        ],
    ),
    "exits-on-groups": (
        [],
        [
            "waiting for `groups`: N cases: at `groups` the server ends, exit code 3; it said: ",
            "TypeError: 'NoneType' object is not iterable",
            "the server ended 1 time and was started again",
            "next: answer `groups` without ending: N cases wait for it",
        ],
    ),
}
# The same in French, which has a sentence for each of English (below): so one case that meets the mistake is enough.
SAYS_IN_FRENCH: dict[str, tuple[list[str], list[str]]] = {
    "talks-only": (
        ["groups/create"],
        ["ensuite : répondre à `ping` : N cas l'attend   protocole.md:", "partie 3  les groupes"],
    ),
    "leaves-the-requester-out": (
        ["groups/create", "groups/join"],
        ["erreur 6, Oublier le demandeur (protocole.md:", "N cas l'attendent"],
    ),
    "exits-on-groups": (
        ["lists/groups"],
        [
            "à `groups` le serveur s'arrête, code de sortie 3 ; il a dit : ",
            "le serveur s'est arrêté 1 fois et a été relancé",
        ],
    ),
}


@pytest.mark.parametrize("name", STUDENTS)
def test_a_first_server_is_told_what_to_do_next_and_what_waits_is_no_failure(name: str) -> None:
    cases, says = SAYS[name]
    text = student(name, "en", *cases)
    for words in says:
        assert words in counted(text), text
    result = re.search(r"\((\d+) MUST failed; 0 SHOULD failed, (\d+) waiting, 0 skipped\)", text)
    assert result, text
    assert (int(result[1]), int(result[2]) > 10) == (0, True)


@pytest.mark.parametrize("name", STUDENTS)
def test_a_first_server_is_told_what_to_do_next_in_french(name: str) -> None:
    cases, says = SAYS_IN_FRENCH[name]
    text = student(name, "fr", *cases)
    for words in says:
        assert words in counted(text), text


def test_a_server_that_ends_is_known_by_the_request_it_ended_at() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program = subprocess.Popen(
        [*BROKEN[:-1], str(port), "exits-on-groups"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        assert program.stdout
        program.stdout.readline()
        text = run("server", f"127.0.0.1:{port}", "talk", "lists", "history", "--timeout", "1").stdout
    finally:
        program.communicate()
    assert "connection refused (Connection refused) since the first `groups`" in text
    assert "let the tester start it" in text
    assert " part 2  talking                    100 %  20/20" in text  # what came before it stands


def test_the_case_that_ends_a_server_is_found_among_those_beside_it() -> None:
    """It ends at a lone surrogate, in a case that others run beside."""
    found = verdict("server", "fields", "--timeout", "1", "--", *BROKEN, "ends-at-surrogates")
    failed = {case["id"]: case["problem"] for case in found["cases"] if case["outcome"] != "passed"}
    assert set(failed) == {"fields/nul-in-text", "fields/nul-in-name", "fields/surrogate-in-text"}
    assert all("exit code 4" in problem for problem in failed.values())
    assert [remark for remark in found["remarks"] if "was started again" in remark] == found["remarks"] != []


def test_the_parts_follow_each_other_and_hold_every_case() -> None:
    listed = run("server", "--list").stdout
    heads = re.findall(r"^part (\d)  ", listed, re.MULTILINE)
    assert heads == list("123456")
    scenarios = [json.loads(path.read_text("utf-8")) for path in (ROOT / "spec" / "scenarios").glob("*.json")]
    everything = {case["id"] for scenario in scenarios for case in scenario["cases"]} | {"wire/frame", "wire/shape"}
    assert set(re.findall(r"^  (\S+/\S+) ", listed, re.MULTILINE)) == everything


def test_a_part_that_is_done_leads_to_the_next(right: str) -> None:
    text = run("server", right, "--part", "2").stdout
    assert " part 2  talking                    100 %  20/20   15 of 15" in text
    assert "next: --part 3" in text
    assert "R-op-" not in text


def test_the_cases_of_a_client_are_listed_along_the_path() -> None:
    listed = run("client", "--list", "--lang", "fr").stdout
    assert listed.startswith("partie 1  bonjour, ping, au revoir\n  hello/hello")
    assert "partie 5  l'historique\n" in listed


def test_fail_fast_stops_at_the_first_failure() -> None:
    with Server("members-kick", "unban-adds", "no-more", "newest-first") as server:
        words = ("server", f"127.0.0.1:{server.port}", "moderation", "history", "--timeout", "1")
        found, whole = verdict(*words, "--fail-fast"), verdict(*words)
    assert 0 < len(failures(found)) < len(failures(whole))
    assert {case["problem"] for case in found["cases"] if case["outcome"] == "skipped"} == {
        "stopped at the first failure"
    }


def failures(found: dict[str, list[dict[str, str]]]) -> list[str]:
    return [case["id"] for case in found["cases"] if case["outcome"] == "failed" and case["level"] != "MAY"]


def test_watch_runs_again_when_a_source_file_changes(tmp_path: Path, right: str) -> None:
    (tmp_path / "server.js").write_text("1")
    command = [
        sys.executable,
        "-u",
        str(TESTER),
        "server",
        right,
        "talk/quit",
        "--lang",
        "en",
        "--watch",
        str(tmp_path),
    ]
    watching = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert watching.stdout
        for round in range(2):
            lines = iter(watching.stdout.readline, "")
            assert any("watching" in line for line in lines)
            (tmp_path / "server.log").write_text("what a program writes")
            if round == 0:
                (tmp_path / "server.js").write_text("22")
    finally:
        watching.send_signal(signal.SIGINT)
        assert watching.wait(10) == 130
        watching.communicate()


def test_failures_are_told_once_for_each_cause() -> None:
    with Server("wrong-error-action") as server:
        found = json.loads(run("server", f"127.0.0.1:{server.port}", "groups", "wire", "--json").stdout)
        text = run("server", f"127.0.0.1:{server.port}").stdout
    causes = {cause["cause"]: len(cause["cases"]) for cause in found["causes"]}
    assert sum(causes.values()) == len(failures(found)) > 10
    assert max(causes.values()) == len(failures(found)) - 1  # all but wire/shape
    told = re.findall(r"^ *\d+\. (.+) failed · ", text, re.MULTILINE)
    counts = re.findall(r"(\d+) (MUST|SHOULD)", ", ".join(told))
    result = re.search(r"NOT conformant \((\d+) MUST failed; (\d+) SHOULD failed", text)
    assert result
    for level, expected in (("MUST", result[1]), ("SHOULD", result[2])):
        assert sum(int(number) for number, of in counts if of == level) == int(expected) > 0
    assert len(told) == 2
    assert text.count("\n") <= SCREEN_LINES
    assert "\n     came server-error, expected error\n" in text


def test_a_cause_says_what_came_the_rule_its_line_the_mistake_and_what_to_do() -> None:
    with Server("leaks-history") as server:
        text = run("server", f"127.0.0.1:{server.port}", "history/outsider").stdout
    assert "1. 1 MUST failed · history/outsider" in text
    assert "msgs came; expected error not-member" in text
    line = int(re.search(r"R-page-outsider: .+ protocol\.md:(\d+)", text)[1])  # type: ignore[index]
    protocol = (ROOT / "spec" / "protocol.md").read_text("utf-8").splitlines()
    assert protocol[line - 1].startswith("- **R-page-outsider**")
    mistake = re.search(
        r"mistake 9, Telling strangers \(protocol\.md:(\d+)\)\. Look whether who asks is a member", text
    )
    assert mistake
    assert protocol[int(mistake[1]) - 1] == "### 9. Telling strangers"
    assert "again: python spec/conformance server 127.0.0.1:" in text


def test_silence_is_told_in_milliseconds() -> None:
    with Server("no-presence") as server:
        text = run("server", f"127.0.0.1:{server.port}", "hello/connect-notice", "--timeout", "0.25").stdout
    assert "nothing came within 250 ms; expected server-broadcast" in text


def tables() -> tuple[dict[str, str], dict[str, str]]:
    code = "import json, words; print(json.dumps([words.LANGUAGES['en'], words.LANGUAGES['fr']]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=TESTER, check=True)
    english, french = json.loads(done.stdout)
    return english, french


def test_both_languages_say_the_same_things() -> None:
    english, french = tables()
    assert list(english) == list(french)
    assert {key: text.count("\n") for key, text in english.items()} == {
        key: text.count("\n") for key, text in french.items()
    }
    for key, template in english.items():
        assert sorted(set(re.findall(r"\{(\w+)", template))) == sorted(set(re.findall(r"\{(\w+)", french[key]))), key


def test_every_key_is_used_and_every_use_has_a_key() -> None:
    source = "\n".join(path.read_text("utf-8") for path in TESTER.rglob("*.py") if path.parent.name != "words")
    used = set(re.findall(r'(?:say|tell)\(\s*"([^"]+)"[,)]', source))
    begun = set(re.findall(r'(?:say|tell)\(\s*"([^"]+)" \+', source)) | {"part-", "fix-"}
    chosen = set(
        re.findall(r'"((?:restarted|came-back|is-|may-|cannot-|not-|next-|conformant|lack-|hello-)[a-z0-9-]*)"', source)
    )
    english, _ = tables()
    assert used - {"part-%d", "fix-%d"} <= set(english)
    assert {key for key in english if not key.startswith(tuple(begun))} <= used | chosen


def test_the_language_comes_from_the_option_then_the_environment(right: str) -> None:
    assert run("server", right, "talk/quit", lang="fr_FR.UTF-8").stdout.startswith("protocole tchat 1")
    assert run("server", right, "talk/quit", "--lang", "en", lang="fr").stdout.startswith("tchat protocol 1")
    assert "Résultat : conforme" in run("server", right, "talk/quit", "--lang", "fr").stdout
    assert json.loads(run("server", right, "talk/quit", "--json", lang="fr").stdout)["result"].startswith("conformant")


def test_a_failure_in_french_quotes_the_french_text() -> None:
    with Server("leaks-history") as server:
        text = run("server", f"127.0.0.1:{server.port}", "history/outsider", "--verbose", lang="fr").stdout
    assert "ÉCHEC history/outsider   MUST: `msgs` et `states`" in text
    assert re.search(r"faux : \w+ : msgs est venu ; attendu error not-member", text)
    assert not re.search(r"\b(came|expected|wrong|again)\b", text)


def test_wrong_usage_and_help_are_told_in_french_too() -> None:
    assert "serait-ce" not in run("server", "--help", lang="fr").stdout
    assert "usage : " in run("server", "--help", lang="fr").stdout
    assert "pas entre 0 et 600 secondes : 0" in run("server", "h:1", "--timeout", "0", lang="fr").stderr
    assert "arguments inconnus : --nope" in run("server", "h:1", "--nope", lang="fr").stderr
    assert "connexion impossible à 127.0.0.1:1" in run("server", "127.0.0.1:1", lang="fr").stderr


def started(code: str, *words: str, timeout: str = "0.5") -> subprocess.CompletedProcess[str]:
    """Test the server that is this Python code, `{port}` being its first argument; nothing of it may stay."""
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    done = run("server", "talk/quit", "--timeout", timeout, *words, "--", sys.executable, "-c", code, "{port}", mark)
    assert living(mark) == []
    assert "Traceback" not in done.stderr
    return done


BAD = {
    "never reads": (LISTEN + UNTIL_KILLED, 1, "does not answer client-hello within 500 ms"),
    "ends at once": ("print('oops, no config'); raise SystemExit(7)", 3, "exit code 7; it said: oops, no config"),
    "is killed": ("import os; os.kill(os.getpid(), 9)", 3, "ended by signal 9"),
    "prints megabytes": (
        LISTEN + "os.write(1, b'x' * 9_000_000 + b'\\nlast words\\n'); " + UNTIL_KILLED,
        1,
        "does not answer client-hello",
    ),
    "forks and stays": (
        LISTEN + "os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); " + UNTIL_KILLED,
        1,
        "does not answer client-hello",
    ),
    "ignores SIGTERM": (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + LISTEN + UNTIL_KILLED,
        1,
        "does not answer client-hello",
    ),
    "answers HTML": (
        LISTEN + "k = []\nwhile 1: k.append(s.accept()[0]); k[-1].sendall(b'HTTP/1.1 200 OK\\r\\n\\r\\n<html>')",
        1,
        "does not answer client-hello with a message: 'HTTP/1.1 200 OK",
    ),
}


@pytest.mark.parametrize("program", BAD)
def test_a_bad_program_gets_a_sentence_and_an_end(program: str) -> None:
    code, exit_code, words = BAD[program]
    done = started(code)
    assert words in done.stdout + done.stderr
    assert done.returncode == exit_code


LESS_PATIENT = (
    "import sys; from programs import program; assert program.START_SECONDS == 10.0; program.START_SECONDS = 4.0; "
    "from importlib import util; "
    "spec = util.spec_from_file_location('tester', '__main__.py'); tester = util.module_from_spec(spec); "
    "spec.loader.exec_module(tester); sys.exit(tester.main(sys.argv[1:]))"
)


def test_a_program_on_another_port_is_told_from_one_that_is_dead() -> None:
    """It is waited for less long here than the 10 s that a slow start may take."""
    mark = f"mark-{os.getpid()}-{time.monotonic_ns()}"
    code = "import socket; s = socket.create_server(('127.0.0.1', 0)); print('listening on 8080', flush=True); "
    words = ("server", "talk/quit", "--lang", "en", "--", sys.executable, "-c", code + UNTIL_KILLED, "{port}", mark)
    command = [sys.executable, "-c", LESS_PATIENT, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=TESTER, check=False)
    assert done.returncode == 3, done.stderr
    assert re.search(r"the server does not listen on port \d+ within 4 s; it said: listening on 8080", done.stderr)
    assert living(mark) == []


def test_a_command_that_does_not_exist_and_a_port_in_use_are_told_in_one_line(right: str) -> None:
    done = run("server", "--", "no-such-program", "{port}")
    assert (done.returncode, done.stderr) == (
        3,
        "conformance: cannot start no-such-program '{port}': No such file or directory\n",
    )
    port = right.rpartition(":")[2]
    done = run("server", "--port", port, "--", "true")
    assert done.returncode == 3
    assert f"port {port} is in use: end what listens there, or choose another" in done.stderr


def test_either_an_address_or_a_command_and_not_both() -> None:
    assert run("server", "127.0.0.1:1", "--", "true").returncode == 2
    assert run("server").returncode == 2


def test_the_peers_of_a_case_are_spread_over_the_addresses() -> None:
    with Server() as one:
        listener = socket.create_server(("127.0.0.1", 0))
        other = f"127.0.0.1:{listener.getsockname()[1]}"
        listener.close()
        done = run("server", f"127.0.0.1:{one.port}", other, "talk/send")
        assert done.returncode == 3
        done = run("server", f"127.0.0.1:{one.port}", f"localhost:{one.port}", "talk/send")
        assert done.returncode == 0
    with Server() as one, Server() as two:  # two servers that know nothing of each other
        found = verdict("server", f"127.0.0.1:{one.port}", f"127.0.0.1:{two.port}", "talk/send", "--timeout", "0.5")
        assert failures(found) == ["talk/send"]


def test_a_case_is_held_once_for_each_address_with_its_first_peer_there() -> None:
    with Server() as right, Server("cleans-texts") as wrong:
        addresses = [f"127.0.0.1:{server.port}" for server in (right, wrong)]
        found = verdict("server", *addresses, "talk/text-verbatim")
        assert failures(found) == ["talk/text-verbatim"], "who is alone in it was at the first address only"
        (case,) = [case for case in found["cases"] if case["outcome"] == "failed"]
        assert case["conversation"][0] == ["", "!", f"the first peer is at {addresses[1]}"]


def test_json_is_written_also_when_nobody_listens() -> None:
    done = run("server", "--json", "127.0.0.1:1")
    assert done.returncode == 3
    found = json.loads(done.stdout)
    assert (found["cases"], found["conformant"]) == ([], False)
    assert found["trouble"] == "cannot connect to 127.0.0.1:1: Connection refused"


def test_json_has_the_numbers(right: str) -> None:
    found = verdict("server", right, "--part", "1")
    ids = {case["id"] for case in found["cases"]}
    assert {"hello/server-hello", "wire/frame"} <= ids
    assert not {"groups/create", "hello/groups-and-seqs", "talk/send"} & ids
    (part,) = found["parts"]
    assert (part["part"], part["percent"], part["grade"], part["failed"]) == (1, 100, 20, 0)
    assert part["passed"] == part["total"] == len(found["cases"])
    assert found["next"] == "--part 2"


def test_csv_and_junit(tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    with Server("leaks-history") as server:
        words = ("history/outsider", "history/msgs", "--csv", "--junit", str(report))
        done = run("server", f"127.0.0.1:{server.port}", *words)
    rows = done.stdout.splitlines()
    assert rows[0] == "case,part,level,outcome,problem,seconds"
    assert any(row.startswith("history/outsider,5,MUST,failed,") for row in rows)
    suite = ElementTree.parse(report).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("2", "1", "0")
    (failure,) = suite.iter("failure")
    assert "expected error not-member" in str(failure.get("message"))
    done = run("client", "typing/join", "--junit", str(report), "--", *CLIENT)
    assert ElementTree.parse(report).getroot().get("tests") == "1"


def test_the_groups_of_a_test_have_a_prefix_and_are_left_empty(tmp_path: Path) -> None:
    with Server() as server:
        address = f"127.0.0.1:{server.port}"
        done = run("server", address)
        assert done.returncode == 0
        assert re.search(r"not said by this score: \d+ rules R-op-", done.stdout)
        teams = tmp_path / "teams.json"
        teams.write_text(
            json.dumps({"server": [{"name": "s", "address": address}], "client": [{"name": "c", "command": CLIENT}]})
        )
        assert run("matrix", str(teams)).returncode == 0
        left = server.groups
        assert len(left) > 100
        assert {name.partition("-")[0] for name in left} == {"conformance"}
        assert members_left(address) == {}
        run("server", address, "groups/join", "--keep")
        assert len(members_left(address)) == 1


def test_every_requirement_on_a_client_has_a_case() -> None:
    rules = re.findall(
        r"^- \*\*(R-client-[a-z-]+)\*\*", (ROOT / "spec" / "protocol.md").read_text("utf-8"), re.MULTILINE
    )
    code = "import json; from client.plays import plays; print(json.dumps([play.case.cites for play in plays()]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=TESTER, check=True)
    cited = {rule for cites in json.loads(done.stdout) for rule in cites}
    assert len(rules) > 15
    assert set(rules) == cited


def test_a_permission_is_shown_and_is_no_failure(right: str) -> None:
    text = run("server", right, "framing/commas", "--strict").stdout
    assert "information: R-in-commas: no: a frame with more than 1024 commas is bad-json" in text
    assert "Result: conformant" in text


def test_a_port_that_somebody_takes_meanwhile_is_no_fault_of_the_server(tmp_path: Path) -> None:
    """The first start finds its port in use, as it may happen; the second is on another."""
    mark = tmp_path / "tried"
    code = (
        f"import os, sys; m = {str(mark)!r}\n"
        "if not os.path.exists(m): open(m, 'w').close(); sys.exit('OSError: Address already in use')\n"
        f"os.execv(sys.executable, [sys.executable, {BROKEN[1]!r}, sys.argv[1]])"
    )
    done = run("server", "talk/quit", "--", sys.executable, "-c", code, "{port}")
    assert done.returncode == 0, done.stdout + done.stderr
