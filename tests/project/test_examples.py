"""The examples run, and the two servers among them hold a conversation."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

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
    assert answers[4]["list"] == ["wob"]
    assert answers[5]["code"] == "target-not-member"
