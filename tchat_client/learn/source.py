"""Words found in a program's source: names of actions that are worth a try. Nothing is concluded from them alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["words_of", "words_of_command"]

MAX_FILES = 60
MAX_BYTES = 1 << 18
MAX_WORDS = 150
_SUFFIXES = (".js", ".mjs", ".cjs", ".ts", ".py", ".java", ".rb", ".go", ".php", ".c", ".cpp", ".cs", ".json")
_WORD = re.compile(r"""["'`]([A-Za-z][A-Za-z_:.-]{1,38}[A-Za-z])["'`]""")
# A key or a method of an object that has one for each action.
_KEY = re.compile(r"^[ \t]*(?:async[ ]+)?([A-Za-z]\w{2,30})[ ]*(?:\([^()\n]*\)[ ]*\{|:[ ]*\()", re.MULTILINE)
_NOT_OURS = {"node_modules", ".git", "__pycache__", "venv", ".venv", "dist", "build"}


def words_of(directory: Path) -> tuple[str, ...]:
    """Return the words in the sources under *directory*: those in quotes, then those that name a key or a method."""
    return _words(_read(path) for path in _files(directory))


def words_of_command(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words of the sources that *command* names."""
    paths = [Path(word) for word in command]
    return _words(_read(path) for path in paths if path.suffix in _SUFFIXES and path.is_file())


def _read(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(MAX_BYTES).decode("utf-8", "replace")


def _words(sources: Iterable[str]) -> tuple[str, ...]:
    texts = [*sources]
    found = [word for what in (_WORD, _KEY) for text in texts for word in what.findall(text)]
    return tuple(dict.fromkeys(found))[:MAX_WORDS]


def _files(directory: Path) -> Iterator[Path]:
    if directory.is_file():
        yield directory
        return
    paths = sorted(path for path in directory.rglob("*") if path.suffix in _SUFFIXES and path.is_file())
    yield from [path for path in paths if not _NOT_OURS & {*path.relative_to(directory).parts}][:MAX_FILES]
