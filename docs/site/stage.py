"""Lay out the pages of the site in build/pages: `python docs/site/stage.py`, then `zensical build`.

A text stays where it is in the repository. Staging begins with the pages that zensical.toml names and follows their
links: to pages, to pictures, and to files and folders of the repository, which become pages that show them. Each link
is written anew for where its target is on the site. One that leads to nothing ends it.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from reference import made  # noqa: E402

__all__ = ["Missing", "navigation", "place", "stage"]

PAGES = ROOT / "build" / "pages"
HOMES = {"README.md": "index.md", "README.fr.md": "accueil.md"}
FRENCH = {"README.fr.md", "dialectes.md", "enseigner.md", "premier-client.md", "protocole.md"}
PICTURES = {".png", ".svg"}
LANGUAGES = {".py": "python", ".js": "js", ".json": "json", ".toml": "toml", ".c": "c", ".sh": "sh"}
# A fenced block and a piece of code have no links.
TOKEN = re.compile(r"^( *)(```+|~~~+).*?^\1\2|`+[^`\n]+`+|(?<=\]\()([^)\s]+)(?=\))", re.MULTILINE | re.DOTALL)


class Missing(Exception):
    """A link, or the navigation, names what is not there."""


def place(path: Path) -> Path:
    """Return where on the site a file of the repository is, or a folder."""
    if path.is_dir():
        return place(path / "README.md")
    inside = path.relative_to(ROOT)
    if inside.parts[0] == "docs":
        inside = inside.relative_to("docs")
    if path.suffix in PICTURES:
        return inside
    if str(inside) in HOMES:
        return Path(HOMES[str(inside)])
    if path.suffix != ".md":
        return inside.with_name(f"{inside.name}.md")
    return inside.with_name("index.md" if inside.name == "README.md" else inside.name.lower())


def navigation() -> list[str]:
    """Return the pages that zensical.toml names, in its order."""
    return list(leaves(tomllib.loads((ROOT / "zensical.toml").read_text("utf-8"))["project"]["nav"]))


def leaves(entry: Any) -> Iterator[str]:
    if isinstance(entry, str):
        yield entry
    else:
        for inner in entry.values() if isinstance(entry, dict) else entry:
            yield from leaves(inner)


def texts() -> dict[str, Path]:
    """Return the repository's pages by their place on the site."""
    patterns = ("*.md", "docs/*.md", "spec/*.md", "spec/*/README.md", "examples", "tests/bench/README.md")
    return {str(place(path)): path for pattern in patterns for path in ROOT.glob(pattern)}


def source(path: Path) -> str:
    """Return the Markdown that shows a file or a folder of the repository."""
    if path.suffix == ".md":
        return path.read_text("utf-8")
    inside = path.relative_to(ROOT)
    if path.is_dir():
        if (path / "README.md").exists():
            return (path / "README.md").read_text("utf-8")
        files = [
            it for it in sorted(path.iterdir()) if it.suffix in LANGUAGES or (it.is_dir() and it.name[0] not in "._")
        ]
        rows = [f"- [{it.name}]({it.name}){about(it)}\n" for it in files]
        return f"# {inside}\n\n{''.join(rows)}"
    return f"# {inside}\n\n````{LANGUAGES.get(path.suffix, 'text')}\n{path.read_text('utf-8')}````\n"


def about(path: Path) -> str:
    """Return what the first line of a program says about it."""
    found = re.match(r'"""(.+?)(?:"""|$)', path.read_text("utf-8"), re.MULTILINE) if path.suffix == ".py" else None
    return f": {found[1]}" if found else ""


def stage(pages: Path = PAGES) -> int:
    """Write all pages; return how many."""
    shutil.rmtree(pages, ignore_errors=True)
    known, generated = texts(), made()
    waiting: list[Path] = []
    for name in navigation():
        if name in known:
            waiting.append(known[name])
        elif name not in generated:
            raise Missing(f"zensical.toml names {name}, and there is no such page")
    for name, text in generated.items():
        write(pages / name, text)
    done: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in done:
            continue
        done.add(path)
        if path.suffix in PICTURES:
            write(pages / place(path), path.read_bytes())
        else:
            text, links = linked(path, source(path))
            waiting += links
            if path.name in FRENCH:  # for who listens to it, and for hyphens
                text = f'<div lang="fr" markdown>\n\n{text}\n</div>\n'
            write(pages / place(path), text)
    write(pages / "site.css", (ROOT / "docs" / "site" / "site.css").read_bytes())
    return len(done) + len(generated)


def linked(path: Path, text: str) -> tuple[str, list[Path]]:
    """Return the text with the links of the site, and what they lead to."""
    targets: list[Path] = []
    base = path if path.is_dir() else path.parent

    def anew(found: re.Match[str]) -> str:
        link = found[3]
        if link is None or link.startswith(("#", "http://", "https://")):
            return found[0]
        name, mark, anchor = link.partition("#")
        target = Path(os.path.normpath(base / name))
        if not target.exists() or not target.is_relative_to(ROOT):
            raise Missing(f"{path.relative_to(ROOT)} links to {link}, and there is no such file")
        target = target / "README.md" if target.is_dir() and (target / "README.md").exists() else target
        targets.append(target)
        return os.path.relpath(place(target), place(path).parent) + mark + anchor

    return TOKEN.sub(anew, text), targets


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


if __name__ == "__main__":
    try:
        print(f"{stage(*map(Path, sys.argv[1:]))} pages")
    except Missing as missing:
        sys.exit(str(missing))
