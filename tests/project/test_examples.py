"""The examples run, and the two servers among them hold a conversation."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from live import Client

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_group_can_be_used_alone() -> None:
    output = subprocess.run(
        [sys.executable, EXAMPLES / "group_alone.py"], capture_output=True, text=True, check=True, timeout=30
    ).stdout
    assert output.splitlines()[3:] == [
        "bob may not ban: forbidden",
        "event 4: ban by alice, members: alice",
        "bob may not join: banned",
    ]


@pytest.mark.parametrize(("example", "args"), [("embed_threads.py", ["0"]), ("embed_asyncio.py", [])])
def test_an_embedded_server_holds_a_conversation(example: str, args: list[str]) -> None:
    command = [sys.executable, "-u", EXAMPLES / example, *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            found = re.search(r":(\d+)$", server.stdout.readline().strip())
            assert found is not None
            with socket.create_connection(("127.0.0.1", int(found[1])), 10) as sock, sock.makefile("rwb") as stream:
                for request in (
                    {"action": "client-hello", "from": "alice"},
                    {"action": "cgroupe", "group": "wob"},
                    {"action": "gbroadcast", "group": "wob", "msg": "hi"},
                    {"action": "msgs", "group": "wob"},
                    {"action": "groups"},
                    {"action": "kick", "group": "wob", "dest": "bob"},
                ):
                    stream.write(json.dumps(request).encode() + b"\n")
                stream.flush()
                answers = [json.loads(stream.readline()) for _ in range(6)]
        finally:
            server.terminate()
    assert [answer["action"] for answer in answers] == [
        "server-hello",
        "cgroupe",
        "gbroadcast",
        "msgs",
        "groups",
        "error",
    ]
    assert answers[3]["list"] == [answers[2]]
    assert "wob" in answers[4]["list"]
    assert answers[5]["code"] == "target-not-member"


def test_who_does_not_read_holds_nobody_up_on_threads() -> None:
    command = [sys.executable, "-u", EXAMPLES / "embed_threads.py", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline().rpartition(":")[2])
            with Client(port) as bob, Client(port) as slow:
                bob.hello("bob")
                slow.hello("slow")
                bob.ask(action="cgroupe", group="wob")
                for _ in range(30):
                    bob.ask(action="gbroadcast", group="wob", msg="x" * 8000)
                slow.send(action="join", group="wob")
                for _ in range(90):
                    slow.send(action="msgs", group="wob", limit=1000)
                assert bob.get()["action"] == "join"
                deadline = time.monotonic() + 20
                while bob.ask(action="members", group="wob")["online"] != ["bob"]:
                    assert time.monotonic() < deadline
                    time.sleep(0.05)
        finally:
            server.terminate()
