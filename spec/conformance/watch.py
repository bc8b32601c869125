"""Runs something again whenever a source file changes; what a program writes while it runs is not looked at."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Callable, Dict

from words import say

__all__ = ["watch"]

PAUSE_SECONDS = 0.5
MAX_FILES = 5000
SOURCES = {
    *(".c", ".cc", ".cpp", ".cs", ".go", ".h", ".hpp", ".java", ".js", ".kt", ".lua", ".mjs", ".php", ".pl", ".py"),
    *(".rb", ".rs", ".scala", ".sh", ".swift", ".ts"),
}
PASSED_OVER = {"node_modules", "__pycache__", "target", "build", "dist", "venv"}


def watch(folder: Path, run: Callable[[], int]) -> None:
    """Call *run* now and after each change below *folder*, until somebody presses Ctrl-C."""
    while True:
        before = _times(folder)
        run()
        print(say("watching", folder=folder.resolve()), flush=True)
        while _times(folder) == before:
            time.sleep(PAUSE_SECONDS)


def _times(folder: Path) -> Dict[str, int]:
    """When each file below *folder* was last written; only sources count, and no hidden folder."""
    found: Dict[str, int] = {}
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name not in PASSED_OVER]
        for name in files:
            if os.path.splitext(name)[1] not in SOURCES:
                continue
            with contextlib.suppress(OSError):
                found[os.path.join(place, name)] = os.stat(os.path.join(place, name)).st_mtime_ns
        if len(found) > MAX_FILES:
            break
    return found
