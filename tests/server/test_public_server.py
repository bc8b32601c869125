"""The public names of the server: every one is there, for people, for type checkers and in docs/public.md."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from types import ModuleType

import pytest
from live import ROOT

import tchat_server
from tchat_server import testing

PUBLIC = {module.__name__: module for module in (tchat_server, testing)}


def stub_names(module: ModuleType) -> list[str]:
    """Return what a type checker sees."""
    path = ROOT.joinpath(*module.__name__.split("."), "__init__.pyi")
    names: list[str] = []
    for node in ast.parse(path.read_text("utf-8")).body:
        match node:
            case ast.ImportFrom(module=str(found), names=[ast.alias(name="*")]):
                names += import_module(found).__all__
            case ast.ImportFrom(names=aliases):
                names += [alias.asname or "private" for alias in aliases]
    return names


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_is_there_and_documented_and_typed(name: str) -> None:
    module = PUBLIC[name]
    names = sorted(module.__all__)
    assert dir(module) == names == sorted(stub_names(module))
    assert [it for it in names if not getattr(module, it).__doc__] == []
    table = (ROOT / "docs" / "public.md").read_text("utf-8").partition(f"\n### Of `{name}`\n")[2].partition("\n#")[0]
    cells = re.findall(r"^\| [^|]+ \| (`[^|]+) \|$", table, re.MULTILINE)
    assert sorted(it for cell in cells for it in re.findall(r"`([^`]+)`", cell)) == names
    with pytest.raises(AttributeError, match="nothing"):
        _ = module.nothing
