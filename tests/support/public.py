"""What a package shows: to Python, to a type checker by its stub, to people in docs/public.md."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).parents[2]


def stub_names(package: str) -> list[str]:
    """Return what a type checker sees."""
    names: list[str] = []
    for node in ast.parse(ROOT.joinpath(*package.split("."), "__init__.pyi").read_text("utf-8")).body:
        match node:
            case ast.ImportFrom(module=str(found), names=[ast.alias(name="*")]):
                names += import_module(found).__all__
            case ast.ImportFrom(names=aliases):
                names += [alias.asname or "private" for alias in aliases]
            case ast.AnnAssign(target=ast.Name(id=name)):
                names.append(name)
    return names


def documented(package: str) -> list[str]:
    """Return the names in the second column of the package's table in docs/public.md."""
    document = (ROOT / "docs" / "public.md").read_text("utf-8")
    section = document.split(f"\n## The names of `{package}`\n")[1].partition("\n## ")[0]
    cells = re.findall(r"^\| [^|]+ \| (`[^|]+) \|$", section, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
