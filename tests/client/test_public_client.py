"""What `tchat_client` shows to programs: named for people and type checkers, documented, and quick to import."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys

import pytest
from public import ROOT, documented, stub_names

import tchat_client
from tchat_client import Client

PUBLIC = set(tchat_client.__all__)


def test_each_name_is_there_for_people_type_checkers_and_in_the_document() -> None:
    assert len(tchat_client.__all__) == len(PUBLIC)
    assert dir(tchat_client) == sorted(PUBLIC)
    assert [name for name in PUBLIC if getattr(tchat_client, name, None) is None] == []
    assert sorted(stub_names("tchat_client")) == sorted(PUBLIC)
    assert sorted(documented("tchat_client")) == sorted(PUBLIC)
    with pytest.raises(AttributeError, match="nothing"):
        _ = tchat_client.nothing  # type: ignore[attr-defined]


def test_every_request_is_a_method_and_every_method_says_how_it_is_used() -> None:
    from libtchat import REQUESTS

    methods = {name: method for name, method in inspect.getmembers(Client, inspect.isfunction) if name[0] != "_"}
    made_by_itself = {"Hello", "Quit", "ReportError"}
    words = {"".join(f"_{c.lower()}" if c.isupper() else c for c in kind.__name__)[1:] for kind in REQUESTS.values()}
    own = {"".join(f"_{c.lower()}" if c.isupper() else c for c in name)[1:] for name in made_by_itself}
    assert words - own == set(methods) - {"ask", "quit"}
    for name, method in methods.items():
        text = inspect.getdoc(method) or ""
        assert name == "quit" or f"chat.{name}(" in text, name


def test_the_fields_of_a_request_are_the_arguments_of_its_method() -> None:
    from attrs import fields

    from libtchat import REQUESTS

    for kind in REQUESTS.values():
        name = "".join(f"_{c.lower()}" if c.isupper() else c for c in kind.__name__)[1:]
        if name not in ("hello", "quit", "report_error"):
            arguments = [*inspect.signature(getattr(Client, name)).parameters][1:]
            assert arguments == [it.name for it in fields(kind) if it.name not in ("sender", "id")], name


TERMINAL = {"click", "prompt_toolkit", "wcwidth", "platformdirs", "websockets", "sqlite3"}
ROOMS = {f"tchat_client.{room}" for room in ("cli", "render", "learn", "bridge", "session")}
ROOMS |= {f"libtchat.{room}" for room in ("hub", "dialect", "commands")}


def test_importing_it_needs_nothing_of_the_terminal() -> None:
    for code, is_light in (("import tchat_client", True), ("from tchat_client import Client", False)):
        code = f"import sys, json; {code}; print(json.dumps([*sys.modules]))"
        done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
        modules = set(json.loads(done.stdout))
        assert {name.partition(".")[0] for name in modules} & TERMINAL == set()
        assert {".".join(name.split(".")[:2]) for name in modules} & ROOMS == set()
        assert not is_light or not modules & {"asyncio", "attr", "libtchat"}


def import_seconds(code: str) -> float:
    """Return how long the process itself took; the best of some tries, for a machine may be busy."""
    code = f"import time; t = time.process_time(); {code}; print(time.process_time() - t)"
    command = [sys.executable, "-c", code]
    tries = [subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60) for _ in range(5)]
    return min(float(each.stdout) for each in tries)


@pytest.mark.alone
def test_it_is_imported_in_a_moment() -> None:
    """With asyncio and all; on a slow machine in what asyncio takes some times."""
    assert import_seconds("from tchat_client import Client") < max(0.12, 4 * import_seconds("import asyncio"))
