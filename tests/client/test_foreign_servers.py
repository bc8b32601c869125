"""`tchat` with servers of other people: each a few lines, each with one habit that ours has not."""

from __future__ import annotations

import json
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from serving import SECONDS, environment

Json = dict[str, Any]
Habit = Callable[[Json], list[Json]]


def plain(answer: Json) -> bytes:
    return json.dumps(answer).encode() + b"\n"


def indented_and_wrapped(answer: Json) -> bytes:
    return json.dumps({"messageFormat": answer}, indent=3).encode()


class Foreign:
    """A server with a habit: what it answers to a request, and how it writes; it keeps what it was sent."""

    def __init__(self, habit: Habit, write: Callable[[Json], bytes]) -> None:
        self.habit, self.write = habit, write
        self.raw = ""
        self.address = ""

    @property
    def requests(self) -> list[Json]:
        found, at, decoder = [], 0, json.JSONDecoder()
        while at < len(self.raw.rstrip()):
            request, at = decoder.raw_decode(self.raw, at)
            found.append(request.get("messageFormat", request))
            at += len(self.raw[at:]) - len(self.raw[at:].lstrip())
        return found

    def serve(self, handler: socketserver.BaseRequestHandler) -> None:
        answered = 0
        while data := handler.request.recv(65_536):
            self.raw += data.decode()
            requests = self.requests
            for request in requests[answered:]:
                for answer in self.habit(request):
                    handler.request.sendall(self.write(answer))
            answered = len(requests)


@contextmanager
def foreign(habit: Habit, write: Callable[[Json], bytes] = plain) -> Iterator[Foreign]:
    server = Foreign(habit, write)
    handler = type("Handler", (socketserver.BaseRequestHandler,), {"handle": lambda self: server.serve(self)})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as listening:
        listening.daemon_threads = True
        server.address = f"127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        listening.shutdown()
        thread.join()


def tchat(directory: Path, server: Foreign, *lines: str) -> str:
    """Pipe lines into `tchat` and return what it shows; it must end well."""
    done = subprocess.run(
        [sys.executable, "-m", "tchat_client", server.address, "--name", "alice"],
        env=environment(directory),
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode in (0, 1), done
    assert done.stderr == ""
    return done.stdout


def hello(request: Json) -> list[Json]:
    """Answer a hello as many do: with a text and no version."""
    return [{"action": "server-hello", "msg": "bienvenue"}] if request["action"] == "client-hello" else []


def test_who_asks_and_whom_it_is_about_are_under_every_key_that_others_look_for(tmp_path: Path) -> None:
    with foreign(hello) as server:
        tchat(tmp_path, server, "kick;wob;bob;spam", "s;bob;hi")
    for request in server.requests[:3]:
        assert {request["from"], request["sender"], request["name"]} == {"alice"}
    for request in server.requests[1:3]:
        assert (request["to"], request["dest"]) == ("bob", "bob")


def test_a_server_that_says_nothing_is_not_waited_for_long(tmp_path: Path) -> None:
    began = time.monotonic()
    with foreign(hello) as server:
        out = tchat(tmp_path, server, "j;wob", "bg;wob;un", "bg;wob;deux")
    assert [request["action"] for request in server.requests[:4]] == [
        "client-hello",
        "join",
        "gbroadcast",
        "gbroadcast",
    ]
    assert "not confirmed" not in out
    assert time.monotonic() - began < 15  # three times ten seconds otherwise


def test_a_server_is_spoken_to_as_it_speaks(tmp_path: Path) -> None:
    def habit(request: Json) -> list[Json]:
        if request["action"] == "client-hello":
            return [{"action": "server-hello", "description": "commandes : cgroup, join"}]
        return [{"action": request["action"], "from": "serveur", "description": "fait"}]

    with foreign(habit, indented_and_wrapped) as server:
        tchat(tmp_path, server, "cg;wob", "bg;wob;salut")
    hello_, created, said = server.requests[:3]
    assert "messageFormat" not in server.raw.split("\n")[0], "nothing is known of it before it speaks"
    assert created["action"] == "cgroup"
    assert (said["msg"], said["description"]) == ("salut", "salut")
    assert server.raw.count('"messageFormat"') == len(server.requests) - 1
    assert '\n   "messageFormat": {\n' in server.raw
    assert "description" not in hello_


def test_our_own_servers_are_spoken_to_as_the_protocol_says(tmp_path: Path) -> None:
    welcome = {
        "action": "server-hello",
        "from": "alice",
        "version": 1,
        "server": "s",
        "token": "t",
        "groups": [],
        "seqs": {},
    }

    def habit(request: Json) -> list[Json]:
        error = {"action": "error", "code": "unknown-action", "request": request["action"], "id": request.get("id")}
        return [welcome | {"msg": "cgroup"}] if request["action"] == "client-hello" else [error]

    with foreign(habit, lambda answer: json.dumps(answer, indent=2).encode()) as server:
        tchat(tmp_path, server, "cg;wob")
    assert server.requests[1]["action"] == "cgroupe"
    assert "\n " not in server.raw


@pytest.mark.parametrize("key", ["list", "clients", "data"])
@pytest.mark.parametrize("action", ["server-list-clients", "liste"])
def test_a_list_is_shown_beside_a_text(tmp_path: Path, action: str, key: str) -> None:
    def habit(request: Json) -> list[Json]:
        if request["action"] == "client-list-clients":
            return [{"action": action, "msg": "les clients", key: ["alice", {"name": "bob"}]}]
        return hello(request)

    with foreign(habit) as server:
        out = tchat(tmp_path, server, "ls;")
    assert "alice, bob" in out


def test_an_error_that_names_nothing_is_shown_as_it_is_and_blamed_on_nothing(tmp_path: Path) -> None:
    def habit(request: Json) -> list[Json]:
        return (
            [{"action": "error", "msg": "quelque chose ne va pas"}] if request["action"] == "join" else hello(request)
        )

    with foreign(habit) as server:
        out = tchat(tmp_path, server, "j;wob", "bg;wob;salut")
    assert [line[6:] for line in out.splitlines() if "quelque" in line] == ["!! quelque chose ne va pas"]
    assert server.requests[2]["msg"] == "salut"


@pytest.mark.parametrize("departure", [{"from": "bob"}, {"name": "bob"}, {"sender": "bob", "msg": "bob est parti"}])
def test_somebody_s_departure_is_not_our_goodbye(tmp_path: Path, departure: Json) -> None:
    def habit(request: Json) -> list[Json]:
        if request["action"] == "join":
            return [{"action": "server-quit", **departure}, {"action": "server-join", "msg": "alice est dans wob"}]
        return hello(request)

    with foreign(habit) as server:
        out = tchat(tmp_path, server, "j;wob", "bg;wob;toujours là")
    assert "* bob is gone" in out
    assert "goodbye" not in out
    assert "server stops" not in out
    assert server.requests[2]["msg"] == "toujours là"
