"""Members of a group who read all they get, in a process of their own: `python -m hostile.crowd PORT GROUP COUNT`.

They come from 127.0.0.1, join, and read until the input of the process ends.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys

from live import Client


def main(port: int, group: str, count: int) -> None:
    wheel = selectors.DefaultSelector()
    wheel.register(sys.stdin, selectors.EVENT_READ)
    for number in range(count):
        member = Client(port)
        member.write(
            b"".join(
                json.dumps(message).encode() + b"\n"
                for message in (
                    {"action": "client-hello", "from": f"{group}.{number}"},
                    {"action": "join", "group": group},
                )
            )
        )
        while json.loads(member.line() or b"{}").get("action") != "join":
            pass
        member.sock.setblocking(False)
        wheel.register(member.sock, selectors.EVENT_READ)
        read_all(wheel, 0)
    print("ready", flush=True)
    while read_all(wheel, None):
        pass


def read_all(wheel: selectors.BaseSelector, timeout: float | None) -> bool:
    """Read what came; tell whether the input goes on."""
    for key, _ in wheel.select(timeout):
        if key.fileobj is sys.stdin:
            return False
        assert isinstance(key.fileobj, socket.socket)
        try:
            data = key.fileobj.recv(1 << 20)
        except ConnectionResetError:
            data = b""
        if not data:
            print("closed", flush=True)
            wheel.unregister(key.fileobj)
    return True


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
