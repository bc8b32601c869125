"""The tester over WebSocket: a server that is right passes, wrong ones fail exactly the cases that name their fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from certificates import secure
from live import serving
from tester import failed, run, verdict

CALM = ("--broadcasts-per-second", "0", "--passwords-per-second", "0")


@pytest.mark.parametrize("way", ["ws", "wss"])
def test_our_server_conforms_over_websocket(tmp_path: Path, way: str) -> None:
    options = secure(tmp_path) if way == "wss" else ()
    with serving(tmp_path, *CALM, *options) as server:
        selectors = ["websocket", "hello", "groups"] if way == "wss" else []
        done = run("server", f"{way}://127.0.0.1:{server.port}/tchat", *selectors, "--strict")
    assert "Result: conformant (0 MUST failed; 0 SHOULD failed, 0 waiting, 0 skipped)" in done.stdout, done.stdout
    assert "websocket" in run("server", "ws://127.0.0.1:1", "--list").stdout
    assert done.returncode == 0


def test_over_websocket_the_cases_about_bytes_are_left_out() -> None:
    plain = run("server", "127.0.0.1:1", "--list").stdout
    framed = run("server", "ws://127.0.0.1:1", "--list").stdout
    assert "framing/one-byte-writes" in plain
    assert "framing/" not in framed
    assert "websocket/" not in plain
    assert "fields/" in framed


def test_a_server_that_takes_no_websocket_is_told_so(tmp_path: Path) -> None:
    with serving(tmp_path, "--no-web") as server:
        done = run("server", f"ws://127.0.0.1:{server.port}", "websocket")
    assert done.returncode == 3
    assert "no answer in HTTP" in done.stderr


@pytest.mark.parametrize("address", ["http://127.0.0.1:8080", "ws://127.0.0.1", "ws://:x", "ws:127.0.0.1:80000"])
def test_what_is_no_address_is_a_case_that_does_not_exist(address: str) -> None:
    done = run("server", address)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


FAULTS = {
    "binary messages end it like a quit": ("websocket", "w._BINARY = 1000", {"binary"}),
    "texts that are not UTF-8 break the protocol": ("websocket", "w._BAD_DATA = 1002", {"not-utf8"}),
    "anybody's page may come in": ("site", "w.Site.check_origin = lambda *a, **k: None", {"origin"}),
    "any name is answered to": ("site", "w.Site._answers_to = lambda *a: True", {"host"}),
    "no subprotocol is chosen": (
        "web",
        "w._handshakes.select_subprotocol = lambda *a: None",
        {"opens", "subprotocol", "other-subprotocol", "extension"},
    ),
    "a limit that is too high": (
        "websocket",
        "o = w.ServerProtocol; w.ServerProtocol = lambda **k: o(**{**k, 'max_size': 1 << 20})",
        {"too-large", "too-large-in-fragments"},
    ),
    "a quit is a limit passed": ("ending", "w._CLOSE_CODES.clear()", {"quit"}),
    "pongs are forgotten": (
        "websocket",
        "i = w.WebSocketConnection.__init__\n"
        "def f(self, *a, reply, **k): i(self, *a, reply=lambda b: None, **k)\n"
        "w.WebSocketConnection.__init__ = f",
        {"ping"},
    ),
}


@pytest.mark.parametrize(("module", "fault", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_wrong_server_fails_the_cases_that_name_its_fault(
    tmp_path: Path, module: str, fault: str, expected: set[str]
) -> None:
    prelude = f"import tchat_server.net.{module} as w\n{fault}\n"
    with serving(tmp_path, *CALM, prelude=prelude) as server:
        found = verdict("server", f"ws://127.0.0.1:{server.port}", "websocket", "--timeout", "1")
    assert failed(found) == {f"websocket/{case}" for case in expected}
