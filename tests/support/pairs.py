"""Two users of one server whose storage fails."""

from __future__ import annotations

from typing import Any

from live import Json, Server


class Pair:
    """Alice, who writes, and Bob, who must hear exactly what is stored."""

    def __init__(self, server: Server) -> None:
        self.alice, self.bob = server.client("alice"), server.client("bob")
        self.seq = 2

    @classmethod
    def meeting(cls, server: Server) -> Pair:
        pair = cls(server)
        pair.alice.ask(action="cgroupe", group="wob")
        pair.bob.ask(action="join", group="wob")
        pair.alice.get()
        return pair

    def say(self, text: str, **more: Any) -> Json:
        """Have Alice say something, which both hear if it is stored, else nobody; return the answer."""
        answer = self.alice.ask(action="gbroadcast", group="wob", msg=text, **more)
        if answer["action"] == "error":
            assert self.bob.sync() == []
            assert self.bob.ask(action="members", group="wob")["seq"] == self.seq
        else:
            self.seq += 1
            assert answer["seq"] == self.seq
            assert self.bob.get() == answer
        return answer

    def whole_log(self) -> list[Json]:
        events: list[Json] = []
        while (page := self.bob.ask(action="states", group="wob", all=True, after=len(events)))["list"]:
            events += page["list"]
        return events


def is_unavailable(answer: Json) -> bool:
    return (answer["action"], answer.get("code")) == ("error", "unavailable")
