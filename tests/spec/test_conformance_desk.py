"""The teacher's desk: every client on every server, a dead program told once, and a page for the wall."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from broken.server import Server
from tester import BROKEN, CLIENT, ROOT, TESTER, run

Teams = dict[str, list[dict[str, Any]]]
DEAD = [sys.executable, "-c", "print('no module named chat'); raise SystemExit(9)"]


@pytest.fixture(scope="module")
def right() -> Iterator[str]:
    with Server() as server:
        yield f"127.0.0.1:{server.port}"


def write(folder: Path, servers: dict[str, Any], clients: dict[str, Any]) -> Path:
    """Write the file of teams; a text is an address, a list a command."""
    rows: Teams = {"server": [], "client": []}
    for kind, programs in (("server", servers), ("client", clients)):
        for name, program in programs.items():
            rows[kind].append({"name": name, "address" if isinstance(program, str) else "command": program})
    path = folder / "teams.json"
    path.write_text(json.dumps(rows), "utf-8")
    return path


OURS = [sys.executable, "-m", "tchat_server", "--listen", "127.0.0.1:{port}", "--db", ":memory:"]
CLIENTS = {"right": CLIENT, "mute": [*CLIENT, "shows-nothing"]}


def test_the_matrix_has_every_client_on_every_server(tmp_path: Path) -> None:
    page = tmp_path / "grid.html"
    path = write(tmp_path, {"ours": OURS, "<none>": [sys.executable, "-c", ""]}, CLIENTS)
    done = run("matrix", str(path), "--html", str(page), "--timeout", "2")
    assert re.search(r"right +8 +0 +50 %", done.stdout), done.stdout
    assert re.search(r"mute +6 +0 +37 %", done.stdout), done.stdout
    assert re.search(r"total +87% +0%", done.stdout)
    assert "mute on ours: not text from a user, text from the group" in done.stdout
    assert "right on <none>: the server ends before it listens, exit code 0" in done.stdout
    assert done.returncode == 1
    text = page.read_text("utf-8")
    assert "&lt;none&gt;" in text
    assert len(re.findall(r'<td class="(?:full|part|none)">', text)) == 4
    assert not re.search(r"""(src|href)=["'](?!#)|@import|url\(|<script|http-equiv""", text)


def test_the_matrix_reads_toml_and_takes_a_running_server(right: str, tmp_path: Path) -> None:
    path = tmp_path / "teams.toml"
    command = json.dumps(CLIENT)
    path.write_text(
        f'[[server]]\nname = "small"\naddress = "{right}"\n[[client]]\nname = "right"\ncommand = {command}\n',
        "utf-8",
    )
    found = json.loads(run("matrix", str(path), "--json").stdout)
    assert [(pair["client"], pair["server"], pair["missed"]) for pair in found["pairs"]] == [("right", "small", [])]
    assert (found["pairs"][0]["score"], found["pairs"][0]["of"]) == (8, 8)
    assert found["teams"] == {"right": {"client": 100, "total": 100}, "small": {"server": 100, "total": 100}}


def test_a_dead_program_is_skipped_at_once_and_the_reason_is_told(right: str, tmp_path: Path) -> None:
    many = {f"c{number}": CLIENT for number in range(4)}
    servers = {"right": right, "dead": DEAD, "gone": "127.0.0.1:1", "absent": ["no-such-server", "{port}"]}
    path = write(tmp_path, servers, {**many, "none": ["no-such-client"], "ends": DEAD})
    began = time.monotonic()
    found = json.loads(run("matrix", str(path), "--json").stdout)
    assert time.monotonic() - began < 30
    why = {(pair["client"], pair["server"]): pair["trouble"] for pair in found["pairs"]}
    assert why["c0", "right"] is None
    for client in many:
        assert why[client, "dead"] == "the server ends before it listens, exit code 9; it said: no module named chat"
        assert "connection refused" in why[client, "gone"]
        assert why[client, "absent"] == "cannot start no-such-server: No such file or directory"
    assert why["none", "right"] == "cannot start no-such-client: No such file or directory"
    assert why["ends", "right"] == "the client ends without connecting, exit code 9; it said: no module named chat"


def test_a_client_that_comes_to_nobody_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    servers = {f"s{number}": BROKEN for number in range(3)}
    path = write(tmp_path, servers, {"idle": [sys.executable, "-c", "input()"]})
    found = json.loads(run("matrix", str(path), "--json", "--timeout", "0.5", "--jobs", "1").stdout)
    troubles = [pair["trouble"] for pair in found["pairs"]]
    assert troubles[:2] == ["the client does not connect within 1.5 s"] * 2
    assert len(troubles) == 3
    assert "not tried any more" in troubles[2]


def test_a_server_that_ends_in_a_chat_is_started_again_for_the_next(tmp_path: Path) -> None:
    fragile = [*BROKEN, "exits-on-groups"]
    asks = [
        sys.executable,
        "-c",
        "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])));"
        's.sendall(b\'{"action":"groups","name":"x"}\\n\'); input()',
        "{port}",
    ]
    path = write(tmp_path, {"fragile": fragile}, {"asks": asks, "right": CLIENT})
    found = json.loads(run("matrix", str(path), "--json", "--timeout", "0.5", "--jobs", "1").stdout)
    scores = {pair["client"]: pair["score"] for pair in found["pairs"]}
    assert scores == {"asks": 0, "right": 8}


def test_a_stopped_matrix_leaves_its_page_and_goes_on(right: str, tmp_path: Path) -> None:
    slow = [sys.executable, "-c", "input()"]
    path, page = write(tmp_path, {"right": right}, {"right": CLIENT, "slow": slow}), tmp_path / "grid.html"
    command = [sys.executable, str(TESTER), "matrix", str(path), "--html", str(page), "--jobs", "1", "--timeout", "8"]
    desk = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert desk.stderr
    assert "1/2" in desk.stderr.readline()
    time.sleep(0.3)
    os.kill(desk.pid, signal.SIGINT)
    desk.communicate()
    assert desk.returncode == 130
    assert 'http-equiv="refresh"' in page.read_text("utf-8")
    again = run("matrix", str(path), "--html", str(page), "--resume", "--timeout", "0.3")
    assert again.stderr.count("\n") == 1  # one pair was left
    assert "1 of 2 pairs can talk" in again.stdout
    assert 'http-equiv="refresh"' not in page.read_text("utf-8")
    write(tmp_path, {"right": right}, {"right": [*CLIENT, "shows-nothing"], "slow": slow})
    changed = run("matrix", str(path), "--resume", "--timeout", "0.3")
    assert "right on right: not text from a user" in changed.stderr  # another command: played again


def test_the_matrix_for_programs(right: str, tmp_path: Path) -> None:
    path, report = write(tmp_path, {"right": right}, CLIENTS), tmp_path / "junit.xml"
    done = run("matrix", str(path), "--csv", "--junit", str(report), "--timeout", "0.5")
    rows = {row["client"]: row for row in csv.DictReader(done.stdout.splitlines())}
    assert (rows["right"]["score"], rows["mute"]["score"], rows["mute"]["text from a user"]) == ("8", "6", "0")
    suite = ElementTree.parse(report).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")


FOREIGN = ROOT / "tests" / "foreign"


def test_the_bridge_is_shown_beside_the_grid_without_it(tmp_path: Path) -> None:
    server = [sys.executable, str(FOREIGN / "select_server.py"), "{host}", "{port}"]
    client = [sys.executable, str(FOREIGN / "threads_client.py"), "{host}", "{port}", "{name}"]
    path = write(tmp_path, {"select": server}, {"threads": client})
    done = run("matrix", str(path), "--bridge", str(FOREIGN / "dialects"), "--timeout", "2")
    grids = re.findall(r"^threads +(\d+) +\d+ %$", done.stdout, re.MULTILINE)
    assert len(grids) == 2, done.stdout + done.stderr
    assert int(grids[1]) == 8 > int(grids[0])
    assert f"With the bridge 8 steps work, without it {grids[0]}" in done.stdout
    assert f"+{8 - int(grids[0])}  threads on select:" in done.stdout
    assert "select + bridge" in (tmp_path / "teams.results.jsonl").read_text("utf-8")


ODD_HELLO = """
import json, socket, sys
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
sock.sendall(json.dumps({"kind": "coucou", "moi": sys.argv[3]}).encode() + b"\\n")
input()
"""
ODD_DIALECT = """
name = "odd"
side = "client"
action = ["kind"]
wire = { indent = 0, colon = ": ", end = "\\n" }

[requests]
hello = { kind = "coucou", moi = "{me}" }

[answers]
hello = { kind = "bienvenue" }
"""


def test_who_comes_to_nobody_as_it_is_may_come_through_the_bridge(tmp_path: Path) -> None:
    (tmp_path / "client-odd.toml").write_text(ODD_DIALECT, "utf-8")
    servers = {f"s{number}": OURS for number in range(3)}
    path = write(tmp_path, servers, {"odd": [sys.executable, "-c", ODD_HELLO, "{host}", "{port}", "{name}"]})
    options = ("--bridge", str(tmp_path), "--json", "--timeout", "0.5", "--jobs", "1")
    found = json.loads(run("matrix", str(path), *options).stdout)
    assert {pair["server"]: pair["score"] for pair in found["pairs"]} == {
        **dict.fromkeys(servers, 0),
        **dict.fromkeys((f"{name} + bridge" for name in servers), 1),
    }


ASKS = "name, host, port = input('Votre pseudo : '), input('Where to? '), input('And which PORT?\\n'); "
ASKS += "import os, sys; os.execv(sys.executable, [sys.executable, *sys.argv[1:], name, host, port])"


def test_a_client_that_asks_at_its_start_is_answered(right: str, tmp_path: Path) -> None:
    path = write(tmp_path, {"right": right}, {"asks": [sys.executable, "-c", ASKS, CLIENT[1]]})
    rows = json.loads(path.read_text("utf-8"))
    rows["client"][0]["hints"] = {"where to?": "{host}"}
    path.write_text(json.dumps(rows), "utf-8")
    (pair,) = json.loads(run("matrix", str(path), "--json", "--timeout", "1").stdout)["pairs"]
    assert pair["score"] == 8, pair
    rows["client"][0]["hints"] = {"where to?": 7}
    path.write_text(json.dumps(rows), "utf-8")
    done = run("matrix", str(path))
    assert 'the hints of asks are not { "question" = "answer" }' in done.stderr
    assert done.returncode == 2


def test_a_bridge_without_dialects_is_told_in_one_line(tmp_path: Path) -> None:
    done = run("matrix", str(write(tmp_path, {"ours": OURS}, CLIENTS)), "--bridge", str(tmp_path))
    assert "holds no client-NAME.toml: tchat learn --teams makes them" in done.stderr
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_scores_of_the_whole_test_stand_beside_the_grid(right: str, tmp_path: Path) -> None:
    path, page = write(tmp_path, {"right": right}, {"right": CLIENT}), tmp_path / "grid.html"
    found = json.loads(run("matrix", str(path), "--scores", "--json", "--html", str(page)).stdout)
    assert found["teams"]["right"]["server_score"] == 100
    assert found["teams"]["right"]["client_score"] > 90
    assert "<th>right<br><small>100 %</small></th>" in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no [[server]]"),
        ("[[server]]\n", "line 1: this [[server]] has no name"),
        ('[[server]]\nname = "a"\n\n[[client]]\nname = "b"\n', "line 1: the server a has no command"),
        ("{", "line 1"),
        ('[[server]]\nname = "a"\ncomand = ["x"]\n', "line 3: there is no key comand: did you mean command?"),
        ('[[server]]\nname = "a"\ncommand = ["x"]\n[[servr]]\n', "line 4: there is no key servr: did you mean server?"),
        ('[[server]]\nname = "a"\naddress = "nowhere"\n', "line 3: the address of a is no HOST:PORT"),
        (
            '[[server]]\nname = "a"\ncommand = ["x"]\n[[server]]\nname = "a"\n',
            "line 5: there are two [[server]] named a",
        ),
        ('[[server]]\nname = "a"\ncommand = "x"\n', "line 3: the server a has no command ="),
    ],
)
def test_a_wrong_file_of_teams_is_told_in_one_line(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "teams.toml"
    path.write_text(text, "utf-8")
    done = run("matrix", str(path))
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stderr.count("\n") == 1


def test_both_docs_for_teachers_have_the_same_programs_in_them() -> None:
    def blocks(name: str) -> list[str]:
        text = (ROOT / "docs" / name).read_text("utf-8")
        return re.findall(r"^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)

    assert blocks("teaching.md") == blocks("enseigner.md")
    assert len(blocks("teaching.md")) == 4


def test_the_file_of_teams_in_the_docs_is_read(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "teaching.md").read_text("utf-8")
    (teams,) = re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    path = tmp_path / "teams.toml"
    path.write_text(re.sub(r'"(node|java)"', '"no-such-program"', teams), "utf-8")
    done = run("matrix", str(path))
    assert "cannot start no-such-program: No such file or directory" in done.stdout
    assert "Result: 0 of 4 pairs can talk" in done.stdout


def test_the_picture_is_there_and_the_commands_of_the_workflow_are_understood() -> None:
    assert (ROOT / "docs" / "matrix.png").stat().st_size > 10_000
    text = (ROOT / "docs" / "teaching.md").read_text("utf-8")
    for command in re.findall(r"python3 spec/conformance (?:server|client) (.+?) -- ", text):
        done = run("server", *command.replace("--watch", "").split(), "--list")
        assert done.returncode == 0, done.stderr
