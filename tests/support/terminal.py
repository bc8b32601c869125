"""A real terminal, by tmux, with one `tchat` in it."""

from __future__ import annotations

import os
import select
import shlex
import subprocess
import sys
import time
from pathlib import Path

from serving import SECONDS, environment


class Terminal:
    """One terminal with one `tchat` in it."""

    def __init__(self, directory: Path, *args: str, columns: int = 80, lines: int = 24, **env: str) -> None:
        self.socket = f"tchat-test-{os.getpid()}-{directory.name}"
        directory.mkdir(parents=True, exist_ok=True)
        self.fifo = directory / "output"
        os.mkfifo(self.fifo)
        self.output = os.open(self.fifo, os.O_RDWR | os.O_NONBLOCK)
        command = shlex.join([sys.executable, "-m", "tchat_client", *args])
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(lines), "cat", env=environment(directory, **env))
        self.tmux("pipe-pane", "-o", f"cat > {shlex.quote(str(self.fifo))}")
        self.tmux("respawn-pane", "-k", f"{command}; echo exit code $?; exec cat")

    def tmux(self, *args: str, env: dict[str, str] | None = None) -> str:
        command = ["tmux", "-L", self.socket, "-f", "/dev/null", *args]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=SECONDS, check=True)
        return done.stdout

    def type(self, text: str, *keys: str) -> None:
        """Type *text* as it is, then the named *keys*."""
        if text:
            # an argument that ends in `;` would end tmux' own command
            self.tmux("send-keys", "-l", text[:-1] + "\\;" if text.endswith(";") else text)
        if keys:
            self.tmux("send-keys", *keys)

    def enter(self, text: str) -> None:
        self.type(text, "Enter")

    def screen(self) -> str:
        """What is on the screen and above it, wrapped lines joined."""
        return self.tmux("capture-pane", "-p", "-J", "-S", "-2000")

    def shows(self, *parts: str) -> str:
        """Wait until all *parts* are on the screen; return it."""
        deadline = time.monotonic() + SECONDS
        while any(part not in (screen := self.screen()) for part in parts):
            left = deadline - time.monotonic()
            assert left > 0, f"waited in vain for {parts}:\n{screen}"
            if select.select([self.output], [], [], min(left, 0.5))[0]:
                os.read(self.output, 1 << 20)
        return screen

    def exit_code(self) -> int:
        """Wait for the end of `tchat` and return its exit code."""
        return int(self.shows("exit code ").rpartition("exit code ")[2].split()[0])

    def close(self) -> None:
        with_server = ["tmux", "-L", self.socket, "kill-server"]
        subprocess.run(with_server, capture_output=True, timeout=SECONDS, check=False)
        os.close(self.output)
