"""What the tests of logs share: public in part, here under the name they know."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any

from tchat_server.testing.book import BIG, TS, Book, Clock, create, page, say, state_of

__all__ = ["BIG", "TS", "Book", "Clock", "create", "on_loop", "page", "say", "state_of"]


def on_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test that awaits."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        asyncio.run(test(*args, **kwargs))

    return run
