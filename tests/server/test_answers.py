"""What the hub asks is answered from the log: `tchat_server.store.answers`."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from logs import on_loop

from libtchat.effect import CheckRequest, LoadGroup
from libtchat.message.names import group_key
from libtchat.stored import Loaded
from tchat_server.store.answers import Answers
from tchat_server.store.event_log import EventLog


class SlowLog:
    """Loads a group in a while, and counts how often."""

    def __init__(self) -> None:
        self.loads = 0

    async def load(self, key: str) -> Loaded:
        self.loads += 1
        await asyncio.sleep(0.01)
        return Loaded()


async def check(request: CheckRequest) -> bool:
    return True


@on_loop
async def test_a_group_that_many_ask_for_at_once_is_loaded_once_and_later_anew() -> None:
    log = SlowLog()
    answers = Answers(cast(EventLog, log), check)
    many: list[Any] = [answers.answer(LoadGroup(group_key(name))) for name in ("wob", "wob", "other", "wob")]
    assert await asyncio.gather(*many) == [Loaded()] * 4
    assert log.loads == 2
    await answers.answer(LoadGroup(group_key("wob")))
    assert log.loads == 3
