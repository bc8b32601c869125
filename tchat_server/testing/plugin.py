"""What pytest finds where tchat is installed: the fixture `chat_server`. Tests that do not use it pay nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tchat_server.testing import LiveServer

pytest.register_assert_rewrite("tchat_server.testing.contract")


@pytest.fixture
def chat_server() -> Iterator[LiveServer]:
    """A live tchat server on a free port of 127.0.0.1, for this test alone; see `tchat_server.testing.LiveServer`."""
    from tchat_server.testing import server

    with server() as live:
        yield live
