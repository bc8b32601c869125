"""`tchat learn` on programs that do what no program should: it ends, says what is wrong, and leaves nothing behind."""

from __future__ import annotations

import selectors
import sys
import time
import uuid
from pathlib import Path

import pytest

from libtchat.dialect.dialect import load
from libtchat.dialect.questions import Connect
from tchat_client.cli import main
from tchat_client.learn.program import Program, Setup
from tchat_client.learn.server_lab import ServerLab

HELLO = """
import json, os, socket, sys, threading, time
host, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
s = socket.create_connection((host, port))
def out(**m): s.sendall(json.dumps(m).encode() + b"\\n")
out(**{"from": name, "action": "client-hello"})
def typed():
    for line in sys.stdin:
        word, *rest = line.strip().split(";") + [""]
        if word == "s": out(**{"from": name, "to": rest[0], "msg": rest[1], "action": "client-send"})
        if word == "b": out(**{"from": name, "msg": rest[0], "action": "client-broadcast"})
def read(slowly=0):
    for line in s.makefile():
        m = json.loads(line)
        time.sleep(slowly)
        if m["action"] in ("client-send", "client-broadcast"): print("<%s> %s" % (m["from"], m["msg"]), flush=True)
        elif "hello" not in m["action"]: print(m.pop("action"), [*m.values()], flush=True)
threading.Thread(target=read, daemon=True).start()
"""
FORKS_AND_ECHOES = """
for _ in range(3): os.fork() or (time.sleep(600), os._exit(0))
def typed():
    for line in sys.stdin:
        print("you typed: " + line.strip(), flush=True)
        word, *rest = line.strip().split(";")
        if word == "b" and rest: out(**{"from": name, "msg": rest[0], "action": "client-broadcast"})
        else: out(**{"from": name, "action": "client-" + word, **{"part%d" % at: part for at, part in enumerate(rest)}})
typed()
"""
FLOODS = """
while True: print("spam" * 1000)
"""
FLOODS_SERVER = """
while True: out(action="client-broadcast", msg="spam" * 1000)
"""
NEVER_READS = """
time.sleep(600)
"""


def learn(folder: Path, body: str, *options: str) -> tuple[int, str]:
    """Learn the client whose end is *body*; return the exit code and a word that stands in its processes' commands."""
    mark = f"odd-{uuid.uuid4().hex}"
    program = folder / f"{mark}.py"
    program.write_text(HELLO.replace("\\\\n", "\\n") + body, "utf-8")
    command = [sys.executable, str(program), "{host}", "{port}", "{name}"]
    with pytest.raises(SystemExit) as ended:
        main(["learn", "client", "--out", str(folder / "odd.toml"), *options, "--", *command])
    return int(str(ended.value.code)), mark


def alive(mark: str) -> list[str]:
    """Return the processes whose command line has *mark*."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes()
        except OSError:
            continue
        found += [path.parent.name] if mark.encode() in command else []
    return found


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are looked up in /proc")
@pytest.mark.parametrize(
    "body", [FLOODS, FLOODS_SERVER, NEVER_READS], ids=["floods its screen", "floods the server", "never reads"]
)
def test_a_program_that_cannot_be_learnt_is_ended(
    body: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    code, mark = learn(tmp_path, body, "--seconds", "2")
    last = capsys.readouterr().err.splitlines()[-1]
    assert code == 1
    assert last.startswith("tchat: client: it takes too long") or "nothing that is typed makes it send" in last
    assert time.monotonic() - began < 40
    assert alive(mark) == []
    assert not (tmp_path / "odd.toml").exists()


LEAVES_ITS_SESSION = """
import os, sys, time
os.fork() or (os.setsid(), open(sys.argv[1], "w"))
time.sleep(600)
"""


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are looked up in /proc")
def test_what_a_program_started_in_a_session_of_its_own_is_ended_too(tmp_path: Path) -> None:
    mark = f"odd-{uuid.uuid4().hex}"
    ready = tmp_path / mark
    with selectors.DefaultSelector() as selector:
        program = Program(Setup((sys.executable, "-c", LEAVES_ITS_SESSION, str(ready))), {}, selector)
        program.start()
        deadline = time.monotonic() + 20
        while not ready.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert len(alive(mark)) == 2
        program.stop()
    assert alive(mark) == []


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are looked up in /proc")
def test_a_server_that_floods_whoever_connects_is_ended_each_time_it_was_started(tmp_path: Path) -> None:
    mark = f"odd-{uuid.uuid4().hex}"
    floods = "import os, socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1])))\nwhile True:\n"
    setup = Setup((sys.executable, "-c", f"{floods} c = s.accept(); os.write(1, bytes(1 << 21))", "{port}", mark))
    with ServerLab(setup, None, time.monotonic() + 20) as lab:
        lab.observe(Connect("al", fresh=True))
    assert alive(mark) == []


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are looked up in /proc")
def test_a_program_that_forks_and_echoes_is_learnt_all_the_same(tmp_path: Path) -> None:
    code, mark = learn(tmp_path, FORKS_AND_ECHOES)
    dialect = load((tmp_path / "odd.toml").read_text("utf-8"))
    assert code == 0
    assert dialect.requests["broadcast"] == {"from": "{me}", "msg": "{text}", "action": "client-broadcast"}
    assert dialect.rule("broadcast").template == {"from": "{who}", "msg": "{text}", "action": "client-broadcast"}  # type: ignore[union-attr]
    assert alive(mark) == []
