"""docs/architecture.md is true: it names every room, and what it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "architecture.md").read_text("utf-8")
NAMED = set(re.findall(r"`([^`\n]+)`", TEXT))
PACKAGES = ("libtchat", "tchat_server", "tchat_client")


def rows(title: str) -> list[str]:
    """Return the first column of the table under a title, without its head."""
    _, _, rest = TEXT.partition(f"\n## {title}\n")
    return re.findall(r"^\| (.*?) \|", rest.partition("\n## ")[0], re.MULTILINE)[1:]


def folders() -> set[str]:
    """Return every folder with source of ours below the packages."""
    sources = [it for top in PACKAGES for it in (ROOT / top).rglob("*.*") if it.suffix in (".py", ".js")]
    return {str(path.parent.relative_to(ROOT)) for path in sources} - {"libtchat"}


def methods() -> set[str]:
    """Return `Class.method` for all we have."""
    found: set[str] = set()
    for top in PACKAGES:
        for path in (ROOT / top).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.ClassDef):
                    inner = (it.name for it in node.body if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef))
                    found.update(f"{node.name}.{name}" for name in inner)
    return found


def is_there(dotted: str) -> bool:
    """Tell whether *dotted* is a module, or what a module defines or lists."""
    module, _, name = dotted.rpartition(".")
    if find_module(dotted) is not None:
        return True
    origin = find_module(module)
    return origin is not None and re.search(rf'(def|class) {name}\b|"{name}"', origin.read_text("utf-8")) is not None


def find_module(dotted: str) -> Path | None:
    path = ROOT / dotted.replace(".", "/")
    return next((it for it in (path.with_suffix(".py"), path / "__init__.py") if it.exists()), None)


def test_it_can_be_read_in_ten_minutes() -> None:
    assert len(TEXT.split()) < 2600


def test_every_folder_has_its_line() -> None:
    named = "".join(rows("The rooms"))
    assert "libtchat/wire" in folders()
    assert [name for name in sorted(folders()) if f"`{name}`" not in named] == []


def test_every_path_is_there() -> None:
    paths = [name for name in NAMED if re.fullmatch(r"[a-z_]+(/[\w.]+)+", name)]
    assert len(paths) > 20
    assert [it for it in paths if not (ROOT / it).exists() and not (ROOT / it).with_suffix(".py").exists()] == []


def test_every_module_and_function_is_there() -> None:
    dotted = [name for name in NAMED if re.fullmatch(rf"({'|'.join(PACKAGES)})(\.\w+)+", name)]
    assert len(dotted) > 30
    assert [name for name in dotted if not is_there(name)] == []


def test_every_method_is_there() -> None:
    called = [name for name in NAMED if re.fullmatch(r"[A-Z]\w+\.\w+", name)]
    assert len(called) > 15
    assert sorted(set(called) - methods()) == []


def test_there_are_at_most_thirty_words() -> None:
    assert 20 < len(rows("Words")) <= 30


@pytest.mark.parametrize("name", ["architecture.md", "public.md"])
def test_its_links_lead_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (ROOT / "docs" / name).read_text("utf-8"))
    assert links
    assert [it for it in links if not it.startswith("https://") and not (ROOT / "docs" / it).exists()] == []


def test_docstrings_cite_only_what_is_here() -> None:
    cited = re.compile(r"\b((?:docs|spec|tests|examples)/[\w./-]+\.(?:md|py|json)|[a-z_]+\.md)\b")
    missing = []
    for top in (*PACKAGES, "spec/conformance", "tests", "examples"):
        for path in (ROOT / top).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    for found in cited.findall(ast.get_docstring(node) or ""):
                        places = (ROOT, ROOT / "docs", ROOT / "spec", path.parent)
                        if not any((place / found).exists() for place in places):
                            missing.append(f"{path.relative_to(ROOT)}: {found}")
    assert missing == []
