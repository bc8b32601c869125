"""Words found in a program's source: names of actions that are worth a try. Nothing is concluded from them alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["words_of", "words_of_command"]

MAX_FILES = 60
MAX_BYTES = 1 << 18
MAX_WORDS = 150
_SUFFIXES = (".js", ".mjs", ".cjs", ".ts", ".py", ".java", ".rb", ".go", ".php", ".c", ".cpp", ".cs", ".json")
_WORD = re.compile(r"""["'`]([A-Za-z][A-Za-z_:.-]{1,38}[A-Za-z])["'`]""")
_NOT_OURS = {"node_modules", ".git", "__pycache__", "venv", ".venv", "dist", "build"}


def words_of(directory: Path) -> tuple[str, ...]:
    """Return the quoted words in the sources under *directory*, in the order of files and lines."""
    found: dict[str, None] = {}
    for path in _files(directory):
        with path.open("rb") as file:
            found.update(dict.fromkeys(_WORD.findall(file.read(MAX_BYTES).decode("utf-8", "replace"))))
    return tuple(found)[:MAX_WORDS]


def words_of_command(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words of the sources that *command* names."""
    found: dict[str, None] = {}
    for word in command:
        path = Path(word)
        if path.suffix in _SUFFIXES and path.is_file():
            found.update(dict.fromkeys(_WORD.findall(path.read_bytes()[:MAX_BYTES].decode("utf-8", "replace"))))
    return tuple(found)[:MAX_WORDS]


def _files(directory: Path) -> Iterator[Path]:
    if directory.is_file():
        yield directory
        return
    paths = sorted(path for path in directory.rglob("*") if path.suffix in _SUFFIXES and path.is_file())
    yield from [path for path in paths if not _NOT_OURS & {*path.relative_to(directory).parts}][:MAX_FILES]
