"""Make docs/session.txt and docs/session.svg: what two people see in their terminals in a real, short session.

`python docs/screenshot.py` starts a server and two clients in tmux, types, and looks. What is different each time
(the hour, the port, the round trip) is replaced by what it could have been, so that a new run changes nothing as long
as the client shows the same.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from html import escape
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent / "tests" / "support"))

from serving import serving  # noqa: E402
from terminal import Terminal  # noqa: E402

__all__ = ["draw", "play", "write"]

COLUMNS, LINES = 96, 17

# Who types what, and what each then waits to see: (who, line, {who: text}).
SCRIPT: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("alice", "cg;wob", {"alice": "alice [wob]>"}),
    ("bob", "j;wob", {"bob": "2 membres", "alice": "* bob joined"}),
    ("alice", "bonjour Bob, ça va ?", {"alice": "alice: bonjour Bob", "bob": "alice: bonjour Bob"}),
    ("bob", "très bien; et toi ?", {"alice": "bob: très bien", "bob": "bob: très bien"}),
    ("alice", "invite;wob;carol", {"alice": "(user-not-found)"}),
    ("alice", "memebrs;", {"alice": "did you mean"}),
    ("bob", "kick;wob;alice;non", {"bob": "(forbidden)"}),
    ("alice", "kick;wob;bob;too many questions", {"alice": "you kicked bob", "bob": "vous a exclu"}),
    ("bob", "bg;wob;et moi ?", {"bob": "(not-member)"}),
    ("alice", "invite;wob;bob", {"alice": "you invited bob", "bob": "vous invite"}),
    ("bob", "j;wob", {"bob": "bob [wob]>", "alice": "* bob joined"}),
    ("alice", "members;", {"alice": "2 members"}),
    ("bob", "merci !", {"alice": "bob: merci", "bob": "bob: merci"}),
)
MASKS = (
    (r"127\.0\.0\.1:\d+", "127.0.0.1:8080"),
    (r"\b\d\d:\d\d\b", "10:41"),
    (r"\b\d+ ms\b", "1 ms"),
)


def play() -> dict[str, str]:
    """Play the session; return what each terminal shows at its end, masked."""
    with tempfile.TemporaryDirectory(prefix="tchat-", ignore_cleanup_errors=True) as made, ExitStack() as stack:
        directory = Path(made)
        server = stack.enter_context(serving(directory, "--db", ":memory:"))
        terminals: dict[str, Terminal] = {}
        for name, language, greeting in (("alice", "en", "as alice"), ("bob", "fr", "en tant que bob")):
            options = (server.address, "--name", name, "--lang", language)
            terminals[name] = Terminal(directory / name, *options, columns=COLUMNS, lines=LINES)
            stack.callback(terminals[name].close)
            terminals[name].shows(greeting, " ms")
        for who, line, shown in SCRIPT:
            terminals[who].enter(line)
            for name, text in shown.items():
                terminals[name].shows(text)
        for name, terminal in terminals.items():
            terminal.shows("bob: merci", f"\n{name} [wob]>", " ms")  # the prompt is drawn again after each line
        return {name: mask(terminal.tmux("capture-pane", "-p")) for name, terminal in terminals.items()}


def mask(screen: str) -> str:
    """Replace what differs from run to run."""
    for pattern, instead in MASKS:
        screen = re.sub(pattern, instead, screen)
    return "\n".join(line.rstrip() for line in screen.rstrip().split("\n"))


def write(screens: Mapping[str, str]) -> str:
    """Return the screens as one text."""
    return "\n".join(f"{f' {name} ':-^{COLUMNS}}\n{screen}\n" for name, screen in screens.items())


def draw(text: str) -> str:
    """Return *text* as an SVG image: light letters of one width on a dark ground."""
    rows = text.rstrip("\n").split("\n")
    width, height = round(COLUMNS * 8.4) + 32, len(rows) * 18 + 28
    lines = "\n".join(f'<text x="16" y="{at * 18 + 30}">{escape(row)}</text>' for at, row in enumerate(rows) if row)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' xml:space="preserve" role="img" aria-label="Two terminals with tchat: the text is in session.txt">\n'
        "<style>text { font: 14px monospace; fill: #d8dee9; white-space: pre }</style>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="#1d2129"/>\n{lines}\n</svg>\n'
    )


def main() -> None:
    """Write both files."""
    text = write(play())
    (DOCS / "session.txt").write_text(text, "utf-8")
    (DOCS / "session.svg").write_text(draw(text), "utf-8")


if __name__ == "__main__":
    main()
