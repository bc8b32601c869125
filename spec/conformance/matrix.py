"""Every client against every server: one small chat for each pair, seen by an observer on the same server.

The pairs are judged by texts that arrive, not by the shape of messages, so that teams with dialects still get a score;
what is wrong with one program is told by `server` and `client`.
"""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import time
from pathlib import Path
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from screen import Screen, Unfit
from wire import Closed, Flood, Garbage, Peer, Silence, connect, write

__all__ = ["STEPS", "Cell", "Teams", "load", "play_all"]

HOST = "127.0.0.1"
START_SECONDS = 10.0


class Teams(NamedTuple):
    """What the file of teams says: names and commands. A server may be an address instead of a command."""

    servers: Dict[str, List[str]]
    clients: Dict[str, List[str]]


class Cell(NamedTuple):
    """One client on one server: what worked and what did not."""

    client: str
    server: str
    done: Tuple[str, ...]
    missed: Tuple[str, ...]
    trouble: Optional[str]

    @property
    def score(self) -> str:
        return "%d/%d" % (len(self.done), len(STEPS))


def load(path: Path) -> Teams:
    """Read the file of teams, TOML or (with any Python) JSON.

    Raises:
        ValueError: it can't be read; the text says why.
        OSError: there is no such file.
    """
    text = path.read_text("utf-8")
    if path.suffix == ".json":
        document = json.loads(text)
    else:
        try:
            import tomllib
        except ImportError:
            raise ValueError("TOML needs Python 3.11: write %s as JSON instead" % path.name) from None
        document = tomllib.loads(text)
    found = []
    for kind in ("server", "client"):
        rows = document.get(kind)
        if not isinstance(rows, list) or not rows:
            raise ValueError("%s names no [[%s]]" % (path.name, kind))
        found.append({_text(row, "name", kind): _command(row, kind) for row in rows})
    return Teams(*found)


def play_all(teams: Teams, timeout_seconds: float, say: Callable[[str], None]) -> List[Cell]:
    """Play one chat for every pair, server by server; *say* is told of each pair that is done."""
    cells = []
    for server, command in teams.servers.items():
        for client, client_command in teams.clients.items():
            cell = _play(client, client_command, server, command, timeout_seconds)
            cells.append(cell)
            say("%s on %s: %s" % (client, server, cell.score))
    return cells


def _play(client: str, client_command: Sequence[str], server: str, command: Sequence[str], seconds: float) -> Cell:
    process = None
    try:
        port, process = _start(command)
        with _Chat(client_command, port, seconds) as chat:
            for title, step in STEPS.items():
                chat.attempt(title, step)
        return Cell(client, server, tuple(chat.done), tuple(chat.missed), None)
    except (OSError, Unfit) as error:
        return Cell(client, server, (), tuple(STEPS), str(error))
    finally:
        if process:
            process.terminate()
            try:
                process.wait(3)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(command: Sequence[str]) -> Tuple[int, Optional["subprocess.Popen[bytes]"]]:
    """Start the server on a free port, or take the one it already has."""
    if len(command) == 1 and command[0].rpartition(":")[2].isdecimal() and ":" in command[0]:
        return int(command[0].rpartition(":")[2]), None
    with socket.create_server((HOST, 0)) as free:
        port = int(free.getsockname()[1])
    words = [part.replace("{port}", str(port)).replace("{host}", HOST) for part in command]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection((HOST, port), 1).close()
            return port, process
        except OSError:
            time.sleep(0.05)
    process.kill()
    process.wait()
    raise Unfit("the server does not start")


class _Chat:
    """The client under test, and an observer who speaks the protocol plainly."""

    def __init__(self, command: Sequence[str], port: int, timeout_seconds: float) -> None:
        suffix = secrets.token_hex(3)
        self.name, self.other, self.group = "alice-" + suffix, "bob-" + suffix, "wob-" + suffix
        self.done: List[str] = []
        self.missed: List[str] = []
        self.timeout_seconds = timeout_seconds
        self.screen = Screen(command, self.name, HOST, port, timeout_seconds)
        self.observer: Peer = connect(HOST, port, timeout_seconds)

    def __enter__(self) -> "_Chat":
        self.tell({"from": self.other, "sender": self.other, "action": "client-hello"})
        self.screen.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.screen.stop()
        self.observer.finish()

    def attempt(self, title: str, step: "Callable[[_Chat, str], None]") -> None:
        """Note whether *step* works."""
        try:
            step(self, "x" + secrets.token_hex(4))
            self.done.append(title)
        except (Unfit, Silence, Closed, Garbage, Flood):
            self.missed.append(title)

    def tell(self, message: Dict[str, object]) -> None:
        self.observer.send(write(message))

    def type(self, line: str) -> None:
        self.screen.type(line)

    def hears(self, *texts: str) -> None:
        """Wait until a message with all of *texts* reaches the observer."""
        deadline = time.monotonic() + self.timeout_seconds
        while time.monotonic() < deadline:
            raw = self.observer.next().raw.decode("utf-8", "replace")
            if all(text in raw for text in texts):
                return
        raise Silence("not heard")


def _connects(chat: _Chat, mark: str) -> None:
    deadline = time.monotonic() + chat.timeout_seconds * 3
    while time.monotonic() < deadline:
        chat.tell({"from": chat.other, "action": "client-list-clients"})
        try:
            chat.hears(chat.name)
            return
        except Silence:
            continue
    raise Unfit("does not connect")


def _direct(chat: _Chat, mark: str) -> None:
    chat.type("s;%s;%s" % (chat.other, mark))
    chat.hears(mark)


def _direct_back(chat: _Chat, mark: str) -> None:
    chat.tell({"from": chat.other, "to": chat.name, "msg": mark, "action": "client-send"})
    chat.screen.shows(mark)


def _to_all(chat: _Chat, mark: str) -> None:
    chat.type("b;" + mark)
    chat.hears(mark)


def _group(chat: _Chat, mark: str) -> None:
    chat.type("cg;" + chat.group)
    deadline = time.monotonic() + chat.timeout_seconds
    while time.monotonic() < deadline:
        chat.tell({"sender": chat.other, "group": chat.group, "action": "join"})
        frame = chat.observer.next()
        while frame.message.get("action") not in ("join", "error"):
            frame = chat.observer.next()
        if frame.message.get("action") == "join":
            return
        time.sleep(0.05)
    raise Unfit("makes no group")


def _to_group(chat: _Chat, mark: str) -> None:
    chat.type("bg;%s;%s" % (chat.group, mark))
    chat.hears(mark)


def _from_group(chat: _Chat, mark: str) -> None:
    chat.tell({"sender": chat.other, "group": chat.group, "msg": mark, "action": "gbroadcast"})
    chat.screen.shows(mark)


def _kick(chat: _Chat, mark: str) -> None:
    chat.type("kick;%s;%s;%s" % (chat.group, chat.other, mark))
    chat.hears(mark)


STEPS: Dict[str, Callable[[_Chat, str], None]] = {
    "connects": _connects,
    "text to a user": _direct,
    "text from a user": _direct_back,
    "text to all": _to_all,
    "makes a group": _group,
    "text to the group": _to_group,
    "text from the group": _from_group,
    "kick with a reason": _kick,
}


def _text(row: object, key: str, kind: str) -> str:
    value = row.get(key) if isinstance(row, dict) else None
    if not isinstance(value, str) or not value:
        raise ValueError("a [[%s]] has no %s" % (kind, key))
    return value


def _command(row: Dict[str, object], kind: str) -> List[str]:
    address, command = row.get("address"), row.get("command")
    if kind == "server" and isinstance(address, str):
        return [address]
    if isinstance(command, list) and command and all(isinstance(part, str) for part in command):
        return [str(part) for part in command]
    raise ValueError('the %s %s has no command = ["...", "..."]' % (kind, _text(row, "name", kind)))
