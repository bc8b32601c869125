"""Holds one case about WebSocket itself: a handshake and its status, or frames, what answers them, and how it ends."""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Callable, Dict, List, Mapping, Optional, Tuple

from cases.case import Case
from report.outcome import Cause, Line, Outcome
from talk.matcher import match
from talk.websocket import CLOSE, PING, PONG, TEXT, Frames, shake_hands, written
from words import say

__all__ = ["hold_frames"]

_PEER = "web"
_KINDS = {TEXT: "text", CLOSE: "close", PING: "ping", PONG: "pong"}


class _Failed(Exception):
    """The case failed; the text says why."""


def hold_frames(case: Case, dial: Callable[[], socket.socket], host: str, port: int) -> Outcome:
    """Run *case* on a connection of its own.

    Raises:
        OSError: nobody listens there.
    """
    began = time.monotonic()
    lines: List[Line] = []
    problem: Optional[str] = None
    sock = dial()
    try:
        if "status" in case.frames:
            _shake(case.frames, sock, host, port, lines)
        else:
            _converse(case.frames, sock, host, port, lines)
    except EOFError:
        problem = say("closed")
    except (OSError, _Failed) as error:
        problem = str(error)
    finally:
        sock.close()
    cause = Cause("frames", "", "", "", problem) if problem else Cause("", "", "", "", "")
    return Outcome(case, problem, tuple(lines), (), 1, time.monotonic() - began, cause=cause)


def _shake(frames: Mapping[str, object], sock: socket.socket, host: str, port: int, lines: List[Line]) -> None:
    headers = frames.get("headers", {})
    assert isinstance(headers, dict)
    path = str(frames.get("path", "/tchat"))
    lines.append(Line(_PEER, ">", "GET %s %s" % (path, json.dumps(headers))))
    answer, _ = shake_hands(sock, host, port, path, headers)
    lines.append(Line(_PEER, "<", "%d %s" % (answer.status, json.dumps(answer.headers))))
    if answer.status != frames["status"]:
        raise _Failed(say("differs", path="status", value=answer.status, wanted=frames["status"]))
    if "sec-websocket-extensions" in answer.headers:
        raise _Failed(say("differs", path="Sec-WebSocket-Extensions", value="...", wanted=say("no-such-field")))
    chosen = answer.headers.get("sec-websocket-protocol")
    wanted = "tchat.1" if headers.get("Sec-WebSocket-Protocol", "tchat.1") is not None else None
    if answer.status == 101 and chosen != wanted:
        raise _Failed(say("differs", path="Sec-WebSocket-Protocol", value=chosen, wanted=wanted))


def _converse(case: Mapping[str, object], sock: socket.socket, host: str, port: int, lines: List[Line]) -> None:
    answer, rest = shake_hands(sock, host, port)
    if answer.status != 101:
        raise _Failed(say("differs", path="status", value=answer.status, wanted=101))
    frames, wanted = Frames(sock, rest), case["answers"]
    asked = case["frames"]
    assert isinstance(asked, list)
    assert isinstance(wanted, list)
    for frame in asked:
        data = _bytes_of(frame)
        lines.append(Line(_PEER, ">", "frame %s%s" % (data[:40].hex(), "..." if len(data) > 40 else "")))
        sock.sendall(data)
    for pattern in wanted:
        _expect(pattern, _next(frames, lines))
    if "close" not in case:
        sock.sendall(written(TEXT, b'{"action":"ping","id":"still there"}'))
        _expect({"action": "ping", "id": "still there"}, _next(frames, lines))
        return
    kind, payload = _next(frames, lines)
    code = struct.unpack("!H", payload[:2])[0] if kind == CLOSE and len(payload) > 1 else _KINDS.get(kind, kind)
    if code != case["close"]:
        raise _Failed(say("differs", path="close", value=code, wanted=case["close"]))


def _next(frames: Frames, lines: List[Line]) -> Tuple[int, bytes]:
    kind, payload = frames.next()
    shown = payload.decode("utf-8", "replace") if kind != CLOSE else payload[:2].hex()
    lines.append(Line(_PEER, "<", "%s %s" % (_KINDS.get(kind, kind), shown)))
    return kind, payload


def _expect(pattern: Dict[str, object], frame: Tuple[int, bytes]) -> None:
    kind, payload = frame
    is_pong = "$pong" in pattern
    if kind != (PONG if is_pong else TEXT):
        raise _Failed(say("differs", path="frame", value=_KINDS.get(kind, kind), wanted="pong" if is_pong else "text"))
    text = payload.decode("utf-8")
    if is_pong:
        problem = None if text == pattern["$pong"] else say("differs", path="pong", value=text, wanted=pattern["$pong"])
    elif not (text.startswith("{") and text.endswith("}")):
        problem = say("no-message", what=repr(text[:60]))
    else:
        problem = match(pattern, json.loads(text), {})
    if problem:
        raise _Failed(problem)


def _bytes_of(frame: Dict[str, object]) -> bytes:
    if "raw" in frame:
        return bytes.fromhex(str(frame["raw"]))
    times = frame.get("times", 1)
    assert isinstance(times, int)
    data = bytes.fromhex(str(frame["hex"])) if "hex" in frame else str(frame["text"]).encode("utf-8") * times
    return written(0, data, int(str(frame["head"]), 16))
