"""The README is true: its shell blocks run in their order, its Python block runs, its links lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from live import serving

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text("utf-8")

# What a block can't do inside a test: it sets up or starts what the test has set up and started already.
REPLACED = {"make serve": "grep -q '^serve:' Makefile", ".venv/bin/tchat --name alice": "tchat --name alice </dev/null"}


# Where netcat is not installed: what it does with a pipe.
NO_NC = f"""nc() {{ {sys.executable} -c '
import shutil, socket, sys
sock = socket.create_connection((sys.argv[1], sys.argv[2]))
sock.sendall(sys.stdin.buffer.read())
shutil.copyfileobj(sock.makefile("rb"), sys.stdout.buffer)
' "$@"; }}
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) <= 120


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_its_shell_blocks_run(tmp_path: Path) -> None:
    script = "\n".join(blocks("sh"))
    if shutil.which("nc") is None:
        script = NO_NC + script
    for line, instead in REPLACED.items():
        assert line in script
        script = script.replace(line, instead)
    with serving(tmp_path, "--db", str(tmp_path / "readme.db")) as server:
        environment = {
            **os.environ,
            "PORT": str(server.port),
            "HOST": "127.0.0.1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "LC_ALL": "C.UTF-8",
        }
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    for said in ("bonjour tout le monde", "hi alice", "kicked bob", "server-quit", "Result: conformant"):
        assert said in done.stdout, f"{said!r} is missing in:\n{done.stdout}\n{done.stderr}"


def test_its_python_block_runs() -> None:
    (block,) = blocks("python")
    done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "server-hello alice\n"
