"""Make docs/second-day.fr.txt: what somebody who comes back the next day sees and does, in French, in a real terminal.

`python docs/second_day.py` plays it; a test holds the text true. What differs from run to run is masked as in
`screenshot.py`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent), str(DOCS.parent / "tests" / "support")]

from serving import SECONDS, environment, serving  # noqa: E402
from terminal import Terminal  # noqa: E402

from docs.screenshot import mask  # noqa: E402

__all__ = ["TEXT", "play"]

TEXT = DOCS / "second-day.fr.txt"
COLUMNS, LINES = 96, 60

BEFORE: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("alice", ("cg;cours", "cg;projet", "bg;cours;à demain !")),
    ("bob", ("j;cours", "j;projet", "bg;cours;à demain alice")),
)
MEANWHILE = (
    "bg;cours;le rendu est repoussé à vendredi",
    "bg;cours;alice, tu as les notes du TD ?",
    "bg;projet;j'ai corrigé le bogue de la liste",
    "bg;projet;et j'ai ajouté un test",
)
# What alice types, or bob while she looks; and what she then waits to see.
SCRIPT: tuple[tuple[str, str, str], ...] = (
    ("alice", "oui, je te les envoie", "alice: oui, je te les envoie"),
    (
        "bob",
        "bg;projet;tu peux relire le code ? il reste deux fonctions qui sont bien trop longues",
        "projet:3",
    ),
    ("alice", "/use projet", "trop longues"),
    ("alice", "/me relit le code", "• alice relit"),
    ("alice", "register monsecret", "rien n'a été envoyé"),
    ("alice", "kick projet bob", "pour la commande tapez kick;projet;bob"),
    ("alice", "/search bogue", "rien de plus ancien"),
    ("alice", "j;cours", "le texte va maintenant à cours"),
    ("alice", "/mute projet", "ne sont plus montrés"),
)


def play() -> str:
    """Play the day; return what is on alice's screen at its end, masked."""
    with tempfile.TemporaryDirectory(prefix="tchat-", ignore_cleanup_errors=True) as made, ExitStack() as stack:
        directory = Path(made)
        server = stack.enter_context(serving(directory))
        state: Mapping[str, str] = {"XDG_STATE_HOME": str(directory / "alice" / "state")}

        def pipe(name: str, *lines: str) -> None:
            command = [sys.executable, "-m", "tchat_client", server.address, "--name", name]
            env = environment(directory / name)
            typed = "".join(f"{line}\n" for line in lines)
            subprocess.run(
                command, env=env, input=typed, text=True, stdout=subprocess.PIPE, timeout=SECONDS, check=True
            )

        def sit_down(day: str) -> Terminal:
            options = (server.address, "--name", "alice", "--lang", "fr")
            terminal = Terminal(directory / day, *options, columns=COLUMNS, lines=LINES, **state)
            stack.callback(terminal.close)
            terminal.shows("en tant qu'alice", " ms")
            return terminal

        for name, lines in BEFORE:
            pipe(name, *lines)
        first = sit_down("first")
        first.enter("/use projet")
        first.shows("alice [projet]>")
        first.enter("/use cours")
        first.shows("alice [cours]>")
        first.type("", "C-d")
        first.exit_code()
        pipe("bob", *MEANWHILE)
        second = sit_down("second")
        second.shows("non lus : projet:2")
        for who, line, shown in SCRIPT:
            second.enter(line) if who == "alice" else pipe(who, line)
            second.shows(shown)
        second.shows("\nalice [cours]>", " ms")
        return mask(second.tmux("capture-pane", "-p")) + "\n"


if __name__ == "__main__":
    TEXT.write_text(play(), "utf-8")
