"""The socket beside a database ends with the server, whoever comes to it at that moment."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tchat_server.ops.control import Control


@pytest.fixture
def _threads_that_take_turns_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("_threads_that_take_turns_often")
def test_it_ends_while_others_connect(tmp_path: Path) -> None:
    for number in range(50):
        path = tmp_path / f"{number}.sock"
        control = Control(path, {})
        with ExitStack() as stack:
            for _ in range(8):
                client = stack.enter_context(socket.socket(socket.AF_UNIX))
                client.connect(str(path))
            control.stop()
        assert [thread for thread in threading.enumerate() if thread.name == "tchat-control"] == []
        assert not path.exists()
