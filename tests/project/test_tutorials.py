"""The pages one follows step by step are true: what they say to type is typed, and what it prints is what they show."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest
from serving import ROOT, SECONDS, environment, serving

from libtchat.dialect.dialect import load

DOCS = ROOT / "docs"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"(?:#|//) ([\w.]+\.(?:py|m?js))\n")
TOOLS = Path(sys.executable).parent


def blocks(page: str) -> list[tuple[str, str]]:
    return BLOCK.findall((ROOT / page).read_text("utf-8"))


def programs(page: str) -> dict[str, str]:
    """Return the programs of a page by the names their first lines give them."""
    return {name[1]: text for _, text in blocks(page) if (name := NAME.match(text)) is not None}


def shown(page: str) -> list[tuple[str, str]]:
    """Return each block that is no output, with the output that stands below it, or none."""
    found: list[tuple[str, str]] = []
    for language, text in blocks(page):
        if language == "text":
            found[-1] = (found[-1][0], text)
        else:
            found.append((text, ""))
    return found


class Terminal:
    """Runs what a page says to type, in a directory with the page's programs."""

    def __init__(self, directory: Path, port: int = 0) -> None:
        self.directory, self.port = directory, port
        self.environment = environment(directory, PATH=f"{TOOLS}{os.pathsep}{os.environ['PATH']}")

    def typed(self, line: str) -> list[str]:
        line = re.sub(r"\b8080\b", str(self.port), line.strip()).replace("0.0.0.0", "127.0.0.1")
        line = line.replace("| nc ", f"| {shlex.quote(sys.executable)} {shlex.quote(str(self.directory / 'nc.py'))} ")
        return ["bash", "-c", line.replace("spec/conformance", shlex.quote(str(ROOT / "spec" / "conformance")))]

    def run(self, line: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.typed(line),
            cwd=self.directory,
            env={**self.environment, "HOST": "127.0.0.1", "PORT": str(self.port), **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
        )

    @contextmanager
    def server(self, line: str) -> Iterator[None]:
        """Start the server of a line, on a free port of this machine."""
        self.port = 0
        told = self.directory / "port.txt"
        told.unlink(missing_ok=True)
        line = re.sub(r" --port-file \S+", "", line.strip()) + " --port-file port.txt"
        line = f"exec {line}".replace("127.0.0.1:9090", "127.0.0.1:0")
        with subprocess.Popen(
            self.typed(line), cwd=self.directory, env=self.environment, stderr=subprocess.STDOUT, stdout=subprocess.PIPE
        ) as process:
            try:
                deadline = time.monotonic() + SECONDS
                while not told.exists() and process.poll() is None:
                    assert time.monotonic() < deadline
                    time.sleep(0.02)
                assert process.poll() is None, process.communicate()[0]
                self.port = int(told.read_text())
                yield
            finally:
                process.send_signal(signal.SIGTERM)
                out = process.communicate(timeout=SECONDS)[0]
        assert process.returncode == 0, out


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A directory with the programs of the tutorials, and a server that runs."""
    for page in ("docs/first-client.md", "docs/testing-elsewhere.md"):
        for name, text in programs(page).items():
            (tmp_path / name).write_text(text)
    (tmp_path / "nc.py").write_text(
        "import shutil, socket, sys\n"
        "sock = socket.create_connection(sys.argv[1:3])\n"
        "sock.sendall(sys.stdin.buffer.read())\n"
        "shutil.copyfileobj(sock.makefile('rb'), sys.stdout.buffer)\n"
    )
    with serving(tmp_path) as server:
        yield Terminal(tmp_path, server.port)


def test_the_first_chat_goes_as_it_is_told(terminal: Terminal) -> None:
    compared = 0
    for line, output in shown("docs/first-chat.md"):
        if line == "tchat-server\n":
            continue  # it runs
        done = terminal.run(line)
        said = re.sub(r"^\d\d:\d\d", "10:41", done.stdout, flags=re.MULTILINE).replace(str(terminal.port), "8080")
        assert "\n> {" in f"\n{said}" if "--trace" in line else done.returncode == int("send tea" in line), said
        if output:
            assert said == output
            compared += 1
    assert compared == 6


def test_the_french_client_is_the_english_one() -> None:
    english, french = blocks("docs/first-client.md"), blocks("docs/premier-client.md")
    assert len(english) > 8
    assert [kind for kind, _ in french] == [kind for kind, _ in english]
    same = [text.replace("--lang fr", "--lang en") for kind, text in french if kind != "text"]
    assert same == [text for kind, text in english if kind != "text"]


def test_json_by_hand_is_answered(terminal: Terminal) -> None:
    (line,) = (line for line, _ in shown("docs/first-client.md") if "| nc" in line)
    assert [re.findall(r'"action":"([\w-]+)"', it)[0] for it in terminal.run(line).stdout.splitlines()] == [
        "server-hello",
        "ping",
        "server-quit",
    ]


@pytest.mark.parametrize("command", ["python3 listen.py 127.0.0.1 8080 ada", "node listen.js 127.0.0.1 8080 ada"])
def test_who_listens_hears(terminal: Terminal, command: str) -> None:
    with subprocess.Popen(
        terminal.typed(f"exec {command}"), cwd=terminal.directory, stdout=subprocess.PIPE, text=True
    ) as client:
        try:
            assert client.stdout is not None
            assert "ada" in client.stdout.readline()
            assert terminal.run("tchat --name bob do 's;ada;bonjour'").returncode == 0
            while (line := client.stdout.readline()) != "bonjour\n":
                assert line, "it ended"
        finally:
            client.terminate()


def test_the_tester_says_what_is_shown(terminal: Terminal) -> None:
    """All at once: the tester waits most of its time."""
    program = programs("docs/first-client.md")["client.py"]
    before = program[program.index("def listen") : program.index("\n\nthreading.Thread")]
    wanted: list[tuple[str, str]] = []
    for page in ("docs/first-client.md", "docs/premier-client.md"):
        found = shown(page)
        line, bad = next(it for it in found if "spec/conformance" in it[0])
        mended, good = next(it for it in found if it[0].startswith("# mended: "))
        wanted += [(line, bad), (line.replace("client.py", "mended.py"), good)]
        (terminal.directory / "mended.py").write_text(program.replace(before, mended.partition("\n")[2]))
    with ThreadPoolExecutor() as pool:
        for (_, output), done in zip(wanted, pool.map(lambda it: terminal.run(it[0]), wanted), strict=True):
            assert output
            assert [it for it in output.splitlines() if f"\n{it}" not in f"\n{done.stdout}"] == [], done.stdout


def test_the_pieces_without_a_socket_print_what_is_shown() -> None:
    pieces = shown("docs/sans-io.md")
    assert len(pieces) == 3
    for piece, output in pieces:
        done = subprocess.run([sys.executable, "-W", "error", "-c", piece], capture_output=True, text=True, timeout=60)
        assert (done.stdout, done.stderr) == (output, "")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_a_server_for_others_is_made_as_it_is_told(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    lines = [line for text, _ in shown("docs/deploy.md") for line in text.splitlines()]
    started = 0
    while lines:
        line = lines.pop(0)
        if not line.startswith("tchat-server --listen"):
            assert (done := terminal.run(line)).returncode == 0, done.stdout
            continue
        with terminal.server(line):
            started += 1
            while lines and lines[0].startswith("tchat "):
                done = terminal.run(lines.pop(0))
                assert (done.returncode, "pong" in done.stdout or "ms" in done.stdout) == (0, True), done.stdout
    assert started == 3


def test_a_server_is_there_for_tests_in_any_language(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    ((line, _),) = (it for it in shown("docs/testing-elsewhere.md") if it[0].startswith("tchat-server "))
    with terminal.server(line):
        assert terminal.port > 0


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_a_test_in_node_passes(terminal: Terminal) -> None:
    done = terminal.run("node --test bot.test.mjs")
    assert done.returncode == 0, done.stdout


def test_the_tester_writes_a_report_for_ci(terminal: Terminal) -> None:
    ((line, _),) = (it for it in shown("docs/testing-elsewhere.md") if "--junit" in it[0])
    terminal.run(line.replace("--junit", "--part 1 --junit"))
    assert "<testsuite" in (terminal.directory / "client.xml").read_text()


def test_what_contributors_are_to_make_is_there() -> None:
    lines = [text.split() for _, text in blocks("CONTRIBUTING.md")]
    assert ["make", "docs"] in lines
    makefile = (ROOT / "Makefile").read_text("utf-8")
    named = re.findall(r"`make (\w+)`", (ROOT / "CONTRIBUTING.md").read_text("utf-8"))
    assert [it for it in [*named, *(line[1] for line in lines)] if f"\n{it}: " not in makefile] == []


@pytest.mark.parametrize("page", ["docs/dialects.md", "docs/dialectes.md"])
def test_the_files_of_dialects_are_read(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    teams, dialect = (
        dedent(block) for block in re.findall(r"^ *```toml\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    )
    found = tomllib.loads(teams)
    assert [(kind, sorted(row)) for kind in found for row in found[kind]] == [
        ("server", ["command", "name"]),
        ("client", ["command", "name"]),
    ]
    assert load(dialect, page).name == found["client"][0]["name"]
