"""A server accepts as many connections as it may open files for, and says so when that is fewer than it was asked."""

from __future__ import annotations

import resource
from contextlib import ExitStack
from pathlib import Path

import pytest
from live import Bystanders, Client, Server, serving

from tchat_server.ops.descriptor import RESERVED


def limited(soft: int, hard: int) -> str:
    """Python that gives a server's process these limits before anything else."""
    return f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))"


def files_of(server: Server) -> tuple[int, int]:
    return resource.prlimit(server.pid, resource.RLIMIT_NOFILE)


def test_the_soft_limit_is_raised_as_far_as_needed(tmp_path: Path) -> None:
    with serving(tmp_path, "--max-peers", "300", prelude=limited(100, 1000)) as server:
        assert files_of(server) == (300 + RESERVED, 1000)
        assert server.log() == ""


def test_a_limit_that_suffices_stays(tmp_path: Path) -> None:
    with serving(tmp_path, "--max-peers", "300", prelude=limited(900, 1000)) as server:
        assert files_of(server) == (900, 1000)


def test_fewer_are_accepted_where_the_hard_limit_is_low_and_one_line_says_so(tmp_path: Path) -> None:
    with serving(tmp_path, prelude=limited(100, 200)) as server:
        assert files_of(server) == (200, 200)
        assert server.logs("ask for fewer\n")
        (line,) = server.log().splitlines()
        assert line.endswith(
            "accepts 136 connections at once, not the 10000 of --max-peers: this process may open 200 files. "
            "Let it open 10064 (ulimit -Hn; LimitNOFILE= of systemd; --ulimit nofile= of docker), or ask for fewer"
        )
        with Bystanders(server) as bystanders, ExitStack() as stack:
            crowd = [stack.enter_context(Client(server.port)) for _ in range(200)]
            for client in crowd[136 - 2 :]:
                assert [(it["code"], it["limit"]) for it in client.rest()] == [("limit-reached", 136)]
            bystanders.chat()
            assert crowd[0].ask(action="ping")["action"] == "ping"
        assert "can't accept" not in server.log()


@pytest.mark.parametrize(("files", "peers"), [(64, 32), (130, 66)])
def test_with_hardly_any_files_half_of_them_are_for_connections(tmp_path: Path, files: int, peers: int) -> None:
    with serving(tmp_path, "--db", str(tmp_path / "tchat.db"), open_files=files) as server:
        assert server.logs(f"accepts {peers} connections at once")
        with Bystanders(server), ExitStack() as stack:
            crowd = [stack.enter_context(Client(server.port)) for _ in range(peers + 20)]
            assert crowd[-1].get()["code"] == "limit-reached"
        assert "can't accept" not in server.log()
