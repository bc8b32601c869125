"""Every limit is an option with the default of SECURITY.md; who reaches one is told, and nobody else notices."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from live import ROOT, Bystanders, Client, Server, fresh, serving

DEFAULTS = {
    "--rate": "50.0",
    "--request-burst": "100",
    "--max-peers": "10000",
    "--max-peers-per-address": "64",
    "--max-peers-per-user": "8",
    "--max-groups-joined": "100",
    "--max-groups-created": "15",
    "--max-members": "10000",
    "--max-invited-and-banned": "2000",
    "--max-out-bytes": "1048576",
    "--burst-bytes": "262144",
    "--bytes-per-second": "65536.0",
    "--burst-bytes-per-address": "2097152",
    "--bytes-per-second-per-address": "262144.0",
    "--delivered-burst-bytes": "4194304",
    "--delivered-bytes-per-second": "2097152.0",
    "--max-spaced-bytes": "262144",
    "--broadcast-burst": "10",
    "--broadcasts-per-second": "1.0",
    "--password-burst": "30",
    "--passwords-per-second": "0.2",
    "--register-burst": "30",
    "--registers-per-second": "1.0",
    "--silent-seconds": "60.0",
    "--mid-frame-seconds": "30.0",
    "--keepalive-seconds": "60",
    "--grace": "10.0",
}
SMALL = {
    "--max-peers-per-address": "1",
    "--max-peers-per-user": "2",
    "--max-groups-joined": "3",
    "--max-groups-created": "2",
    "--max-members": "2",
    "--max-invited-and-banned": "2",
    "--max-out-bytes": "20000",
    "--broadcast-burst": "2",
    "--broadcasts-per-second": "0.01",
    "--password-burst": "1",
    "--passwords-per-second": "0.01",
    "--keepalive-seconds": "7",
}


def test_the_options_have_the_defaults_promised() -> None:
    command = [sys.executable, "-m", "tchat_server", "--help"]
    help = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
    options = re.split(r"\n  (?=--)", help)
    found = {}
    for option in options[1:]:
        text = " ".join(option.split())
        if default := re.search(r"\[default: ([^;\]]+)", text):
            found[text.split()[0]] = default[1]
    assert {option: found.get(option) for option in DEFAULTS} == DEFAULTS


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = [word for option in SMALL.items() for word in option]
    with serving(tmp_path_factory.mktemp("server"), *options) as server:
        yield server


def per_address(server: Server) -> tuple[Client, int]:
    server.client(source="127.0.0.9")
    return server.client(source="127.0.0.9"), 1


def per_user(server: Server) -> tuple[Client, int]:
    first = server.client(fresh("many"))
    server.client().hello(first.name, token=first.welcome["token"])
    client = server.client()
    client.send(action="client-hello", token=first.welcome["token"], **{"from": first.name})
    return client, 2


def joined(server: Server) -> tuple[Client, int]:
    owners = [server.client(fresh("owner")) for _ in range(2)]
    client = owners[0]
    groups = [fresh("g") for _ in range(4)]
    for group, owner in zip(groups, (client, client, owners[1], owners[1]), strict=True):
        assert owner.ask(action="cgroupe", group=group)["action"] == "cgroupe"
    assert client.ask(action="join", group=groups[2])["action"] == "join"
    client.send(action="join", group=groups[3])
    return client, 3


def created(server: Server) -> tuple[Client, int]:
    client = server.client(fresh("greedy"))
    for _ in range(2):
        assert client.ask(action="cgroupe", group=fresh("g"))["action"] == "cgroupe"
    client.send(action="cgroupe", group=fresh("g"))
    return client, 2


def members(server: Server) -> tuple[Client, int]:
    clients = [server.client(fresh("m")) for _ in range(3)]
    group = fresh("g")
    clients[0].ask(action="cgroupe", group=group)
    assert clients[1].ask(action="join", group=group)["action"] == "join"
    clients[2].send(action="join", group=group)
    return clients[2], 2


def invited_and_banned(server: Server) -> tuple[Client, int]:
    client, group = server.client(fresh("owner")), fresh("g")
    client.ask(action="cgroupe", group=group)
    for _ in range(2):
        assert client.ask(action="ban", group=group, dest=fresh("x"))["action"] == "ban"
    client.send(action="ban", group=group, dest=fresh("x"))
    return client, 2


REACHED = [per_address, per_user, joined, created, members, invited_and_banned]


@pytest.mark.parametrize("reach", REACHED, ids=lambda reach: reach.__name__)
def test_who_reaches_a_limit_of_number_is_told_it(
    server: Server, reach: Callable[[Server], tuple[Client, int]]
) -> None:
    with Bystanders(server):
        client, limit = reach(server)
        answer = client.get()
        server.close_clients()
    assert (answer["action"], answer.get("code"), answer.get("limit")) == ("error", "limit-reached", limit)
    assert answer["msg"]


def test_the_server_takes_so_many_connections_in_all(tmp_path: Path) -> None:
    with serving(tmp_path, "--max-peers", "5") as server, Bystanders(server):
        for _ in range(3):
            assert server.client().ask(action="ping")["action"] == "ping"
        for _ in range(10):
            with server.client() as client:
                assert [(answer["code"], answer["limit"]) for answer in client.rest()] == [("limit-reached", 5)]


def test_who_is_too_fast_is_told_when_to_come_back(server: Server) -> None:
    with Bystanders(server):
        with server.client(fresh("loud")) as loud:
            for _ in range(2):
                assert loud.ask(action="client-broadcast", msg="hear")["action"] == "server-broadcast"
            answer = loud.ask(action="client-broadcast", msg="hear")
            assert answer["code"] == "rate-limited"
            assert 90 < answer["retry_after"] <= 100
        with server.client() as guesser:
            assert guesser.code(action="client-hello", password="a", **{"from": fresh("x")}) == "auth-failed"
            answer = guesser.ask(action="client-hello", password="b", **{"from": fresh("x")})
            assert answer["code"] == "rate-limited"
            assert 90 < answer["retry_after"] <= 100


def test_requests_beyond_the_burst_are_refused_one_by_one_and_the_rate_is_given_back(tmp_path: Path) -> None:
    with serving(tmp_path, "--rate", "20", "--request-burst", "10") as server, server.client() as peer:
        peer.write(json.dumps({"action": "ping", "id": "a"}).encode() * 15)
        answers = [peer.get() for _ in range(15)]
        assert [answer["action"] for answer in answers] == ["ping"] * 10 + ["error"] * 5
        assert {(answer["code"], answer["id"]) for answer in answers[10:]} == {("rate-limited", "a")}
        assert all(0 < answer["retry_after"] <= 0.05 for answer in answers[10:])
        peer.write(json.dumps({"action": "ping"}).encode() * 10)
        assert [peer.get()["action"] for _ in range(10)] == ["ping"] * 10


def test_a_queue_that_is_full_closes_with_the_reason_in_the_log(server: Server) -> None:
    with Bystanders(server):
        group = fresh("g")
        speaker, deaf = server.client(fresh("speaker")), server.client(fresh("deaf"))
        speaker.ask(action="cgroupe", group=group)
        deaf.ask(action="join", group=group)
        speaker.get()
        while "does not read" not in server.log():
            for _ in range(50):
                speaker.ask(action="gbroadcast", group=group, msg="x" * 8000)
        rest = deaf.rest_of_lines()
        assert len(rest) > 10
        assert all(json.loads(line)["action"] == "gbroadcast" for line in rest[:-1])
        server.close_clients()


def test_the_kernel_is_told_when_to_ask_whether_a_peer_is_there(server: Server) -> None:
    with server.client() as peer:
        peer.ask(action="ping")
        here, there = (f":{port:04X}" for port in (server.port, peer.sock.getsockname()[1]))
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        (timer,) = [row[5] for row in rows if row[1].endswith(here) and row[2].endswith(there)]
        kind, _, ticks = timer.partition(":")
        assert kind == "02", "it runs no keepalive timer"
        assert int(ticks, 16) <= 700
