"""A crowd that speaks another dialect: what is told to it is translated for it."""

from __future__ import annotations

import json
import selectors
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hostile.attacks.volume import flood
from hostile.harness import Attack, Field
from live import ROOT, Client

GROUP = "dialect"
MEMBERS, TALKERS = 300, 16


def seed(database: Path) -> None:
    directory = database.parent / "dialects"
    directory.mkdir()
    shutil.copy(ROOT / "tests" / "foreign" / "dialects" / "client-amphi.toml", directory)


def line(**message: Any) -> bytes:
    """Write a message as this dialect does, to the order of its keys."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def prepare(field: Field) -> None:
    field.client("dialect.owner", host=1).ask(action="cgroupe", group=GROUP)
    members = [member(field, f"dialect.{number}") for number in range(MEMBERS)]
    field.notes["talkers"] = members[:TALKERS]
    threading.Thread(target=read_all, args=(members[TALKERS:],), daemon=True).start()


def member(field: Field, name: str) -> Client:
    client, heard = field.client(), b""
    client.write(line(**{"from": name, "action": "client-hello"}))
    client.write(line(sender=name, group=GROUP, action="join-group"))
    while b'{"user":"%b","group":"%b","action":"group-joined"}' % (name.encode(), GROUP.encode()) not in heard:
        data = client.sock.recv(1 << 16)
        assert data, "a member was not let in"
        heard += data
    return client


def read_all(clients: list[Client]) -> None:
    with selectors.DefaultSelector() as wheel:
        for client in clients:
            wheel.register(client.sock, selectors.EVENT_READ)
        while wheel.get_map():
            for key, _ in wheel.select():
                sock: Any = key.fileobj
                try:
                    data = sock.recv(1 << 18)
                except OSError:
                    data = b""
                if not data:
                    wheel.unregister(sock)


def talk(field: Field, *, seconds: float) -> None:
    """Have some of them say short texts, as fast as they may."""
    talkers = field.notes["talkers"]
    with ThreadPoolExecutor(TALKERS) as pool:
        for at, talker in enumerate(talkers):
            text = line(sender=f"dialect.{at}", group=GROUP, content="hello to all of you", action="message-group")
            pool.submit(flood, [talker], text * 16, seconds)


ATTACKS = (
    Attack(
        "texts-in-another-dialect",
        f"{TALKERS} of {MEMBERS} who speak another dialect talk to all of them",
        talk,
        None,
        {"seconds": 20.0},
        p99_seconds=0.5,
        options=("--dialects", "{directory}/dialects"),
        seed=seed,
        prepare=prepare,
    ),
)
