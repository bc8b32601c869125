"""A server that was given dialects: what goes wrong on one connection costs as much as on any other."""

from __future__ import annotations

import json
from pathlib import Path

from live import ROOT, Client, serving

DIALECTS = ROOT / "tests" / "foreign" / "dialects"


def write(client: Client, data: bytes = b"", **message: str) -> None:
    client.write(data + json.dumps(message).encode() + b"\n")


def heard(client: Client, text: str) -> bool:
    """Tell whether *text* comes; what speaks another dialect is ended by LF, or by nothing."""
    data = b""
    while text.encode() not in data:
        more = client.sock.recv(65_536)
        if not more:
            return False
        data += more
    return True


def test_after_bytes_that_are_no_message_a_client_of_another_dialect_is_heard_as_before(tmp_path: Path) -> None:
    with serving(tmp_path, "--dialects", str(DIALECTS)) as server:
        client = server.client()
        write(client, action="client-hello", expediteur="zoe")
        assert heard(client, "welcome zoe")
        write(client, b"what is this\n", action="client-broadcast", expediteur="zoe", contenu="un")
        assert heard(client, '"contenu": "un"')
        write(client, action="client-broadcast", expediteur="zoe", contenu="deux")
        assert heard(client, '"contenu": "deux"')
        write(client, b'{"action": "' + b"x" * 65_536, action="")
        assert not heard(client, "nothing more")
