"""What is shipped: a wheel with all three packages, a source archive with everything else, and few dependencies."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("libtchat", "tchat_server", "tchat_client")
TIMEOUT_SECONDS = 120

# Run with a directory to import from: imports the whole library while everything but its dependencies is refused.
IMPORT_THE_LIBRARY = """
import importlib, pkgutil, sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in ALLOWED and top not in sys.stdlib_module_names:
            raise ModuleNotFoundError(f"{name} is not to be imported", name=name)

ALLOWED = {"libtchat", "attr", "attrs", "cattr", "cattrs", "typing_extensions"}
sys.path.insert(0, sys.argv[1])
sys.meta_path.insert(0, Refuse())

import libtchat
assert libtchat.__file__.startswith(sys.argv[1]), libtchat.__file__
for module in pkgutil.walk_packages(libtchat.__path__, "libtchat."):
    importlib.import_module(module.name)
from libtchat.wire.codec import decode_request, encode_request
from libtchat.message.request import Say
assert decode_request(encode_request(Say("wob", "hi", sender="alice"))) == Say("wob", "hi", sender="alice")
for name in ("click", "orjson", "pytest"):
    try:
        importlib.import_module(name)
    except ModuleNotFoundError:
        continue
    raise SystemExit(f"{name} was imported: nothing was refused")
print("imported", len([name for name in sys.modules if name.startswith("libtchat.")]))
"""


def run(*command: str, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *command], cwd=cwd, env=env or None, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("dist")
    run("-m", "hatchling", "build", "--directory", str(directory))
    return directory


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("installed")
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-deps", "--no-index", "--target", str(target), str(wheel))
    return target


def test_the_wheel_has_every_module_of_all_three_packages_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(ROOT)) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert len(modules) > 40
    assert modules <= names
    assert {"libtchat/__init__.pyi", *(f"{package}/py.typed" for package in PACKAGES)} <= names
    page = {str(path.relative_to(ROOT)) for path in (ROOT / "tchat_server" / "page").iterdir()}
    assert "tchat_server/page/app.js" in page <= names
    shared = {name for name in names if ".data/data/" in name}
    assert {name.partition(".data/data/")[2] for name in shared} == {
        *(f"share/man/man1/{name}.1" for name in ("tchat", "tchat-server")),
        *(f"share/bash-completion/completions/{name}" for name in ("tchat", "tchat-server")),
        *(f"share/fish/vendor_completions.d/{name}.fish" for name in ("tchat", "tchat-server")),
        *(f"share/zsh/site-functions/_{name}" for name in ("tchat", "tchat-server")),
    }
    assert {name.partition("/")[0] for name in names - shared if ".dist-info/" not in name} == set(PACKAGES)


def test_the_wheel_names_both_commands_and_what_they_need(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (points,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        commands, about = archive.read(points).decode(), archive.read(metadata).decode()
    assert "tchat = tchat_client.cli:main" in commands
    assert "tchat-server = tchat_server.cli:main" in commands
    needed = [line for line in about.splitlines() if line.startswith("Requires-Dist: ") and "extra" not in line]
    names = [line.removeprefix("Requires-Dist: ").partition(">")[0] for line in needed]
    assert names == ["attrs", "cattrs", "click", "platformdirs", "prompt-toolkit", "wcwidth", "websockets"]


def test_the_source_archive_has_the_specification_and_the_tests(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = [path for pattern in ("spec/**/*.json", "spec/**/*.md", "spec/**/*.py") for path in ROOT.glob(pattern)]
    wanted += [*ROOT.glob("tests/**/*.py"), *ROOT.glob("examples/*.py")]
    assert len(wanted) > 40
    assert {str(path.relative_to(ROOT)) for path in wanted} <= names
    included = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["sdist"][
        "include"
    ]
    assert [place for place in included if not (ROOT / place.strip("/")).exists()] == []
    assert {
        "README.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "LICENSE",
        "constraints.txt",
        "Makefile",
        "pyproject.toml",
        "tests/support/harness.py",
    } <= names
    assert not [name for name in names if "__pycache__" in name or name.startswith((".venv", ".git/", "dist"))]


def test_the_library_needs_attrs_and_cattrs_only(installed: Path, tmp_path: Path) -> None:
    done = run("-I", "-c", IMPORT_THE_LIBRARY, str(installed), cwd=tmp_path)
    count = len([*(ROOT / "libtchat").rglob("*.py")]) - 1
    assert done.stdout.split() == ["imported", str(count)]


@pytest.mark.parametrize("command", ["tchat_server", "tchat_client"])
def test_the_installed_commands_start(installed: Path, tmp_path: Path, command: str) -> None:
    done = run("-m", command, "--help", cwd=tmp_path, PYTHONPATH=str(installed), HOME=str(tmp_path))
    assert "Usage" in done.stdout


def test_the_constraints_name_versions_and_nothing_else() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    named = {re.split(r"==", line)[0].lower().replace("_", "-") for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = [
        *project["dependencies"],
        *(it for name in ("quick", "test", "docs") for it in project["optional-dependencies"][name]),
    ]
    assert {re.split(r"[^\w-]", need)[0].lower() for need in needed} <= named | {"libtchat"}


def test_each_target_of_the_makefile_is_there_once() -> None:
    targets = re.findall(r"^([\w-]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert "hostile" in targets
    assert sorted(set(targets)) == sorted(targets)
