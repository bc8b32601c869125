"""What is done to a node's stream in the engine while it runs: it says so in one line, and is not ready."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from pathlib import Path

from engine import free_ports, shared_engine
from live import TIMEOUT_SECONDS, fresh, serving

from tchat_server.store.nats.connection import Connection
from tchat_server.store.nats.url import parse_url

ASK_SOON = "from tchat_server.store.nats import health; health.ASK_SECONDS = 0.1"


def test_a_node_whose_stream_is_deleted_says_so_and_is_not_ready(tmp_path: Path) -> None:
    (port,), name = free_ports(1), fresh("chat").replace(".", "-")
    url = shared_engine().url(name)
    options = ("--db", url, "--cache", str(tmp_path / "copy.db"), "--admin-listen", f"127.0.0.1:{port}")
    with serving(tmp_path, *options, prelude=ASK_SOON) as node:
        alice, bob = node.client("alice"), node.client()
        assert alice.ask(action="cgroupe", group="wob")["seq"] == 1
        assert is_ready(port)
        before = node.log().count("\n")
        asyncio.run(delete_stream(url, f"tchat-{name}"))
        alice.send(action="gbroadcast", group="wob", msg="is anybody there?")
        bob.send(action="client-hello", **{"from": "bob"})
        assert node.logs(f"engine: the stream tchat-{name} was deleted: nothing can be stored or proved")
        assert not is_ready(port)
        assert node.log().count("\n") == before + 1, node.log()


async def delete_stream(url: str, stream: str) -> None:
    connection = await Connection.open(parse_url(url))
    await connection.ask(f"STREAM.DELETE.{stream}")
    await connection.close()


def is_ready(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError as error:
        error.close()
        return False
    return True
