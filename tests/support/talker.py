"""Somebody who talks all the time, in a thread."""

from __future__ import annotations

import json
import threading

from live import Client


class Talk(threading.Thread):
    """Somebody who says *count* texts to a group and reads them back, as fast as the server goes."""

    def __init__(self, client: Client, group: str, count: int, window: int = 200) -> None:
        super().__init__(daemon=True)
        self.client, self.count, self.window, self.said = client, count, window, 0
        self.line = json.dumps({"action": "gbroadcast", "group": group, "msg": "x" * 40}).encode() + b"\n"

    def run(self) -> None:
        while self.said < self.count:
            self.client.write(self.line * self.window)
            for _ in range(self.window):
                assert self.client.line() is not None
            self.said += self.window
