"""What comes beside the packages: the unit for systemd, the container file, manual pages and completions."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

import click
import pytest

from tchat_client.cli.run import tchat
from tchat_server.cli import cli

ROOT = Path(__file__).parents[2]
CONTRIB = ROOT / "contrib"


def missing(tool: str) -> None:
    """Say loudly that something was not checked, and skip."""
    warnings.warn(pytest.PytestWarning(f"NOT CHECKED: there is no {tool} here"), stacklevel=2)
    pytest.skip(f"there is no {tool}")


def made() -> Mapping[str, str]:
    spec = importlib.util.spec_from_file_location("manuals", CONTRIB / "manuals.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Mapping[str, str] = module.files()
    return found


def test_manual_pages_and_completions_are_those_of_the_commands() -> None:
    stored = {
        str(path.relative_to(CONTRIB)): path.read_text("utf-8")
        for folder in ("man", "completions")
        for path in (CONTRIB / folder).iterdir()
    }
    assert stored == made(), "run `make manuals`"


@pytest.mark.parametrize(("name", "command"), [("tchat", tchat), ("tchat-server", cli)])
def test_a_manual_page_has_every_command_and_option(name: str, command: click.Group) -> None:
    page = (CONTRIB / "man" / f"{name}.1").read_text("utf-8").replace("\\-", "-")
    for each in (command, *command.commands.values()):
        assert each is command or re.search(rf"^\.SS {re.escape(each.name or '')}\b", page, re.MULTILINE)
        options = [param for param in each.params if isinstance(param, click.Option)]
        assert [option.opts for option in options if f"\\fB{', '.join(option.opts)}" not in page] == []


@pytest.mark.filterwarnings("default::pytest.PytestWarning")
def test_the_manual_pages_are_good_troff() -> None:
    if shutil.which("groff") is None:
        missing("groff")
    for page in (CONTRIB / "man").iterdir():
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", page], capture_output=True, text=True, timeout=30)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.filterwarnings("default::pytest.PytestWarning")
def test_the_completions_are_good_bash() -> None:
    if shutil.which("bash") is None:
        missing("bash")
    for script in (CONTRIB / "completions").glob("*.bash"):
        done = subprocess.run(["bash", "-n", script], capture_output=True, text=True, timeout=30)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.filterwarnings("default::pytest.PytestWarning")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        missing("systemd-analyze")
    unit = (CONTRIB / "tchat-server.service").read_text("utf-8")
    command = Path(sys.executable).with_name("tchat-server")
    assert command.exists()
    place = tmp_path / "tchat-server.service"
    place.write_text(unit.replace("/usr/local/bin/tchat-server", str(command)))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", place], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    place.write_text(place.read_text().replace("Type=exec", "Type=nonsense"))
    wrong = subprocess.run(["systemd-analyze", "verify", "--man=no", place], capture_output=True, text=True, timeout=60)
    assert "nonsense" in wrong.stderr, "it finds nothing wrong with anything"


def test_the_container_serves_what_it_says() -> None:
    lines = (CONTRIB / "Containerfile").read_text("utf-8").splitlines()
    steps = {
        line.partition(" ")[0]: line.partition(" ")[2] for line in lines if line and not line.startswith((" ", "#"))
    }
    assert steps["ENTRYPOINT"] == '["tchat-server"]'
    assert steps["HEALTHCHECK"] == 'CMD ["tchat-server", "who"]'
    assert "who" in cli.commands
    environment = dict(each.split("=") for each in steps["ENV"].split())
    assert (environment["STATE_DIRECTORY"], environment["PORT"]) == (steps["VOLUME"], steps["EXPOSE"])
    assert steps["USER"] != "root"
    assert "/" not in steps["FROM"]
