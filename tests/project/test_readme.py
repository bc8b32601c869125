"""The README is true: its shell blocks run in their order, its links lead somewhere, the French one says the same."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from live import serving

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text("utf-8")
FRENCH = (ROOT / "README.fr.md").read_text("utf-8")

# Pages that are there in both languages; the others are in English.
IN_FRENCH = {
    "README.fr.md": "README.md",
    "spec/protocol.md": "spec/protocole.md",
    "docs/teaching.md": "docs/enseigner.md",
    "docs/first-client.md": "docs/premier-client.md",
    "docs/dialects.md": "docs/dialectes.md",
}

# What a block can't do inside a test: it sets up or starts what the test has set up and started already.
REPLACED = {
    "make serve": "grep -q '^serve:' Makefile",
    "source .venv/bin/activate": "true",
    "\ntchat --name alice\n": "\ntchat --name alice </dev/null\n",
}


# Where netcat is not installed: what it does with a pipe.
NO_NC = f"""nc() {{ {sys.executable} -c '
import shutil, socket, sys
sock = socket.create_connection((sys.argv[1], sys.argv[2]))
sock.sendall(sys.stdin.buffer.read())
shutil.copyfileobj(sock.makefile("rb"), sys.stdout.buffer)
' "$@"; }}
"""


def blocks(language: str, text: str = TEXT) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def links(text: str) -> list[str]:
    return re.findall(r"\]\(([^)]+)\)", text)


def shape(text: str) -> list[str]:
    """Return what kind of thing each paragraph is, with what is the same in every language."""
    kinds = {"## ": "heading", "```": "code", "|": "table", "![": "picture", "*": "other language"}
    paragraphs = text.strip().split("\n\n")
    found = [next((kind for sign, kind in kinds.items() if it.startswith(sign)), "text") for it in paragraphs]
    lines = [it.count("\n") if kind in ("code", "table") else 0 for kind, it in zip(found, paragraphs, strict=True)]
    return [f"{kind} {count}" for kind, count in zip(found, lines, strict=True)]


def typed(text: str) -> list[str]:
    """Return the first column of its first table and what is beside it: what is typed, not what it does."""
    rows = re.findall(r"^\| (`[^|]+) \| [^|]+ \| \| (`[^|]+) \|", text, re.MULTILINE)
    return [cell for row in rows for cell in row]


def test_it_is_short() -> None:
    assert len(TEXT.splitlines()) <= 120


@pytest.mark.parametrize("text", [TEXT, FRENCH])
def test_its_links_lead_somewhere(text: str) -> None:
    assert links(text)
    assert [link for link in links(text) if not (ROOT / link.partition("#")[0]).exists()] == []


def test_after_the_first_lines_nobody_needs_a_path_to_call_it() -> None:
    """A stranger's terminal does not know `tchat`: what puts it there comes before the first call."""
    script = "".join(blocks("sh"))
    assert script.index("source .venv/bin/activate") < script.index("tchat --name alice\n")
    assert ".venv/bin/tchat" not in script


def test_the_french_one_has_the_same_commands() -> None:
    assert blocks("sh")
    assert re.sub("#.*", "", "".join(blocks("sh", FRENCH))) == re.sub("#.*", "", "".join(blocks("sh")))
    assert len(typed(TEXT)) > 8
    assert typed(FRENCH) == typed(TEXT)


def test_the_french_one_has_the_same_parts_in_the_same_order() -> None:
    assert {"code 3", "heading 0", "picture 0"} <= set(shape(TEXT))
    assert shape(FRENCH) == shape(TEXT)


def test_the_french_one_leads_to_the_same_pages() -> None:
    assert links(FRENCH) == [IN_FRENCH.get(link, link) for link in links(TEXT)]


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
