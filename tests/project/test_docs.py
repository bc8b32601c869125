"""The documentation is true: the screenshot is what the client shows now, and docs/json.md what it prints."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from serving import ROOT, SECONDS, Server, environment, serving

from tchat_client import cli
from tchat_client import errors as failure
from tchat_client.cli import run
from tchat_client.settings import read_config

DOCS = ROOT / "docs"
JSON = (DOCS / "json.md").read_text("utf-8")


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_the_screenshot_is_what_the_client_shows_now() -> None:
    from docs.screenshot import draw, play, write

    wanted = (DOCS / "session.txt").read_text("utf-8")
    for _ in range(3):  # a picture may be taken while the terminal is drawn
        if (text := write(play())) == wanted:
            break
    assert text == wanted, "run python docs/screenshot.py"
    assert draw(text) == (DOCS / "session.svg").read_text("utf-8"), "run python docs/screenshot.py"


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_the_second_day_is_what_the_client_shows_now() -> None:
    from docs.second_day import TEXT, play

    wanted = TEXT.read_text("utf-8")
    for _ in range(3):  # a picture may be taken while the terminal is drawn
        if (text := play()) == wanted:
            break
    assert text == wanted, "run python docs/second_day.py"


def section(title: str) -> str:
    return JSON.split(f"\n## {title}\n")[1].partition("\n## ")[0]


def rows(title: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def examples() -> list[tuple[str, int, list[str]]]:
    """Every command with its exit code and the lines it prints."""
    found: list[tuple[str, int, list[str]]] = []
    for block in re.findall(r"^```console\n(.*?)^```$", JSON, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                command, _, code = line[2:].partition("  # exit code ")
                found.append((command, int(code or 0), []))
            else:
                found[-1][2].append(line)
    return found


def steady(message: Any) -> Any:
    """Keys in their order and values, but for those that differ from run to run."""
    return [(key, type(value) if key in ("id", "ts") else value) for key, value in message.items()]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


class Shell:
    """Runs commands as a person does who has installed `tchat`."""

    def __init__(self, directory: Path, server: Server) -> None:
        (directory / "tchat").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tchat_client "$@"\n')
        (directory / "tchat").chmod(0o700)
        path = f"{directory}{os.pathsep}{os.environ['PATH']}"
        self.environment = environment(directory, PATH=path, TCHAT_SERVER=server.address)

    def open(self, command: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["bash", "-o", "pipefail", "-c", command],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, command: str) -> tuple[int, str, str]:
        running = self.open(command)
        out, err = running.communicate(timeout=SECONDS)
        return running.returncode, out, err

    def during(self, command: str, meanwhile: str) -> tuple[int, str, str]:
        """Run a command, and *meanwhile* another as soon as it is connected."""
        running = self.open(f"{command} --trace")
        assert running.stderr is not None
        while '"server-hello"' not in (line := running.stderr.readline()):
            assert line, "it ended before it was connected"
        assert self(meanwhile)[0] == 0
        out, _ = running.communicate(timeout=SECONDS)
        return running.returncode, out, ""


def test_the_examples_print_what_is_shown(server: Server, tmp_path: Path) -> None:
    shell = Shell(tmp_path, server)
    for command, code, shown in examples():
        done = shell.during(command, "tchat --name bob send wob salut") if " tail " in command else shell(command)
        expected = ("", "\n".join(shown)) if code and "|" not in command else ("\n".join(shown), "")
        printed = [[steady(json.loads(line)) for line in text.splitlines()] for text in done[1:]]
        assert (done[0], printed) == (
            code,
            [[steady(json.loads(line)) for line in text.splitlines()] for text in expected],
        ), command


def test_nothing_but_messages_is_printed_with_json(server: Server, tmp_path: Path) -> None:
    shell = Shell(tmp_path, server)
    lines = "'cg;plain' 'use;plain' '/help' '/help kick' '/trace on' 'ping;'"
    code, out, err = shell(f"printf '%s\\n' {lines} | tchat --name carol --json")
    assert (code, [json.loads(line)["action"] for line in out.splitlines()]) == (0, ["cgroupe", "ping"])
    assert '> {"action":"ping"' in err
    code, out, err = shell("tchat --name carol do '/help kick' --json")
    assert (code, out, json.loads(err)["code"]) == (2, "", "interactive-only")


def test_every_command_has_its_row_and_its_example() -> None:
    table = JSON.partition("## Examples")[0]
    elsewhere = ("chat", "learn", "bridge")  # a session, and what docs/dialects.md is about
    commands = [name for name in cli.tchat.commands if name not in elsewhere]
    assert "ping" in commands
    for name in commands:
        assert f"\n| `{name}" in table
        assert any(f" {name} " in command for command, _, _ in examples()), name


def test_the_exit_codes_are_all_there_is() -> None:
    failures = [getattr(failure, name) for name in failure.__all__]
    codes = {kind.exit_code for kind in failures if hasattr(kind, "exit_code")}
    codes |= {value for name, value in vars(run).items() if name.startswith("EXIT_")}
    documented = {int(code.strip("`")) for code, _ in rows("Exit codes")}
    assert documented == codes | {0}
    assert {code for _, code, _ in examples()} <= documented


def test_the_options_and_their_variables_are_all_there_is() -> None:
    """Those of every command, and of a session; `--json` is what the whole page is about."""
    found = {
        (f"--{option.name}".replace("_", "-"), option.envvar)
        for option in cli.tchat.commands["chat"].params
        if isinstance(option, click.Option) and option.name != "json"
    }
    table = rows("Options, environment, configuration")
    assert {row[0].strip("`") for row in table} == {name for name, _ in found}
    for option, variables, *_ in table:
        (variable,) = [variable for name, variable in found if name == option.strip("`")]
        assert variable is None or f"`{variable}`" in variables


def test_the_variables_are_read() -> None:
    paths = [*(ROOT / "tchat_client").rglob("*.py"), ROOT / "libtchat" / "language.py"]
    source = "\n".join(path.read_text("utf-8") for path in paths)
    table = rows("Options, environment, configuration")
    named = {name for row in table for name in re.findall(r"`([A-Z_]+)`", row[1])} | {"NO_COLOR", "TERM"}
    assert {"HOST", "PORT", "TCHAT_PASSWORD"} <= named
    assert [name for name in named if f'"{name}"' not in source] == []
    used = set(re.findall(r'"(TCHAT_[A-Z]+)"', source))
    assert used <= named


def test_the_keys_of_the_config_file_are_all_there_is(tmp_path: Path) -> None:
    lines = [row[2].strip("`") for row in rows("Options, environment, configuration") if row[2]]
    path = tmp_path / "config.toml"
    path.write_text("\n".join(lines))
    assert read_config(path) == tomllib.loads("\n".join(lines))
    path.write_text("nonsense = 1")
    with pytest.raises(failure.Misused) as refused:
        read_config(path)
    assert sorted(refused.value.values["known"].split(", ")) == sorted(line.split(" = ")[0] for line in lines)


def test_the_completion_lines_give_a_script(server: Server, tmp_path: Path) -> None:
    shell = Shell(tmp_path, server)
    makers = re.findall(r"_TCHAT_COMPLETE=(\w+)_source tchat", section("Completion in the shell"))
    assert makers == ["bash", "zsh", "fish"]
    for name in makers:
        code, out, err = shell(f"_TCHAT_COMPLETE={name}_source tchat")
        assert (code, err) == (0, "")
        assert f"_TCHAT_COMPLETE={name}_complete" in out
