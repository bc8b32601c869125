"""A scenario's peers as requests straight into a hub: no framing, no bytes."""

from __future__ import annotations

from typing import Any

from drivers import CASES
from harness import Shell

from libtchat.effect import PeerId
from libtchat.message.request import REQUESTS
from libtchat.wire.codec import decode_request
from libtchat.wire.spelling import ACTIONS


def is_whole(case: dict[str, Any]) -> bool:
    """Tell whether a case sends whole requests in their own spelling only, so that it needs no connection."""
    if any({"send_text", "send_hex"} & step.keys() for step in case["steps"]):
        return False
    actions = [str(step["send"].get("action")) for step in case["steps"] if "send" in step]
    return not any(action in ACTIONS or action.startswith("ack-") for action in actions if action not in REQUESTS)


WHOLE = list(filter(is_whole, CASES.values()))


class HubDriver:
    """Requests straight into a hub: no framing, no bytes."""

    has_clock = False

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.peers: dict[str, PeerId] = {}

    def open(self, label: str) -> None:
        self.peers[label] = self.shell.connect()

    def write(self, label: str, data: bytes) -> None:
        self.shell.handle(self.peers[label], decode_request(data.strip()))

    def next(self, label: str) -> tuple[Any, float] | None:
        received = self.shell.received[self.peers[label]]
        if not received:
            self.shell.finish()
        return (received.popleft(), 0.0) if received else None

    def is_closed(self, label: str) -> bool:
        return self.peers[label] in self.shell.closed

    def close(self, label: str) -> None:
        self.shell.disconnect(self.peers.pop(label))

    def end(self) -> None:
        pass
