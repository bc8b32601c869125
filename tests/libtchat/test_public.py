"""The public surface: every name is there, for people, for type checkers and in docs/public.md, and costs nothing."""

from __future__ import annotations

import pydoc
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from public import documented, stub_names

import libtchat
from libtchat.message.errors import TchatError

ROOT = Path(__file__).parents[2]
PUBLIC = set(libtchat.__all__)


def test_each_name_is_there_once_and_not_hidden_by_a_module() -> None:
    assert len(libtchat.__all__) == len(PUBLIC)
    assert [name for name in PUBLIC if getattr(libtchat, name, None) is None] == []
    assert [
        name for name in PUBLIC if list((ROOT / "libtchat").glob(f"{name}.py")) or (ROOT / "libtchat" / name).is_dir()
    ] == []


def test_what_is_not_public_is_not_there() -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = libtchat.nothing  # type: ignore[attr-defined]


def test_a_name_is_what_its_module_has() -> None:
    assert libtchat.Hub is import_module("libtchat.hub.hub").Hub
    assert libtchat.Say is import_module("libtchat.message.request").Say
    assert libtchat.Send is import_module("libtchat.effect").Send


def test_dir_and_help_show_it() -> None:
    assert dir(libtchat) == sorted(PUBLIC)
    shown = pydoc.plain(pydoc.render_doc(libtchat))
    assert [name for name in PUBLIC if not re.search(rf"\b{re.escape(name.strip('_'))}\b", shown, re.IGNORECASE)] == []
    assert "class Hub(builtins.object)" in shown


def test_type_checkers_see_the_same_names() -> None:
    names = stub_names("libtchat")
    assert sorted(names) == sorted(PUBLIC)


def test_the_document_names_them_all_and_nothing_else() -> None:
    names = documented("libtchat")
    assert sorted(names) == sorted(PUBLIC)


def test_the_errors_that_are_raised_are_public() -> None:
    """All but `CommandError` and `DialectError`, which are raised by what is not public itself."""
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "libtchat").rglob("*.py"))
    raised = set(re.findall(r"^class (\w+)\(TchatError\)", sources, re.MULTILINE))
    assert {"ProtocolError", "Refused"} <= raised
    assert raised - PUBLIC <= {"CommandError", "DialectError"}
    assert issubclass(libtchat.Refused, TchatError)


def test_examples_and_readme_import_nothing_of_the_library_that_is_not_public() -> None:
    texts = [(ROOT / "README.md").read_text("utf-8"), *(it.read_text("utf-8") for it in ROOT.glob("examples/**/*.py"))]
    assert sum("from libtchat import " in text for text in texts) > 3
    assert [text for text in texts if re.search(r"(from|import) (libtchat|tchat_client)\.", text)] == []


def test_importing_it_imports_nothing_of_it() -> None:
    code = "import sys, libtchat; print([it for it in sys.modules if it.startswith(('libtchat.', 'attr', 'json'))])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[]\n", "")
