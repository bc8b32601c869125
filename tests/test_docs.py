"""The documentation is true: the screenshot is what the client shows now, and docs/json.md what it prints."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_the_screenshot_is_what_the_client_shows_now() -> None:
    from docs.screenshot import draw, play, write

    text = write(play())
    assert text == (DOCS / "session.txt").read_text("utf-8"), "run python docs/screenshot.py"
    assert draw(text) == (DOCS / "session.svg").read_text("utf-8"), "run python docs/screenshot.py"
