"""Holds one conversation of a scenario with a server, and says whether the server kept to it."""

from __future__ import annotations

import json
import time
from typing import Callable, Dict, List, Optional

from case import Case
from matcher import Names, fill, match
from outcome import Fault, Line, Outcome
from wire import Closed, Flood, Frame, Garbage, Message, Peer, Silence, write

__all__ = ["hold"]

BARRIER: Message = {"action": "ping"}
PAUSE_SECONDS = 0.03


class _Failed(Exception):
    """The server did not keep to the scenario; the text says how."""


class _Untimely(_Failed):
    """The right message, but too soon: perhaps this program was too slow to see the pause."""


class _RateLimited(Exception):
    def __init__(self, seconds: float) -> None:
        super().__init__("rate-limited")
        self.seconds = seconds


def hold(case: Case, open_peer: Callable[[], Peer], names: Names, faults_of: Callable[[Message], List[str]]) -> Outcome:
    """Run *case* on fresh connections.

    Args:
        open_peer: connects to the server; its OSError fails the case.
        names: fresh names of this run.
        faults_of: what is wrong with the shape of a message, by the schema.
    """
    talk = _Conversation(case, open_peer, names, faults_of)
    began = time.monotonic()
    problem: Optional[str] = None
    retry_after: Optional[float] = None
    is_silence = is_untimely = False
    try:
        talk.run()
    except _Failed as error:
        problem, is_untimely = str(error), isinstance(error, _Untimely)
    except _RateLimited as error:
        problem, retry_after = "the server says rate-limited", error.seconds
    except Silence as error:
        problem, is_silence = str(error), True
    except (Closed, Garbage, Flood) as error:
        problem = str(error)
    except OSError as error:
        problem, is_silence = "cannot connect: %s" % error, True
    finally:
        talk.finish()
    return Outcome(
        case,
        problem,
        tuple(talk.lines),
        tuple(talk.faults),
        talk.received,
        time.monotonic() - began,
        retry_after=retry_after,
        is_silence=is_silence,
        is_untimely=is_untimely,
    )


class _Conversation:
    def __init__(
        self,
        case: Case,
        open_peer: Callable[[], Peer],
        names: Names,
        faults_of: Callable[[Message], List[str]],
    ) -> None:
        self.case = case
        self.names = names
        self.lines: List[Line] = []
        self.faults: List[Fault] = []
        self.received = 0
        self._open = open_peer
        self._faults_of = faults_of
        self._peers: Dict[str, Peer] = {}
        self._captures: Dict[str, object] = {}
        self._last_at: Dict[str, float] = {}

    def run(self) -> None:
        for label in self.case.hello:
            self._write(label, {"from": self.names.of(label), "action": "client-hello"})
            frame = self._next(label)
            problem = match({"action": "server-hello"}, frame.message, self._captures)
            if problem:
                self._raise_if_limited(frame.message)
                raise _Failed(problem)
        wrote_last = ""
        for step in self.case.steps:
            label = str(step["peer"])
            verb = next(key for key in step if key in _VERBS)
            if verb in _WRITING and label == wrote_last:
                time.sleep(PAUSE_SECONDS)  # so that they leave as two segments; nothing is judged by it
            wrote_last = label if verb in _WRITING and verb != "silent" else ""
            _VERBS[verb](self, label, step)

    def finish(self) -> None:
        for peer in self._peers.values():
            peer.finish()
            for raw, fault in peer.faults:
                self.faults.append(Fault("frame", fault, raw.decode("utf-8", "replace")))

    def _peer(self, label: str) -> Peer:
        if label not in self._peers:
            self._peers[label] = self._open()
        return self._peers[label]

    def _note(self, label: str, sign: str, text: str) -> None:
        self.lines.append(Line(label, sign, text))

    def _write(self, label: str, message: Message) -> None:
        data = write(message)
        self._note(label, ">", data.decode("utf-8", "replace").rstrip("\n"))
        self._peer(label).send(data)

    def _next(self, label: str, wants_event: bool = False) -> Frame:
        """Return the next message that concerns this case; others' presence and broadcasts do not."""
        peer = self._peer(label)
        deadline = time.monotonic() + peer.timeout_seconds
        while True:
            frame = peer.next()
            self.received += 1
            text = frame.raw.decode("utf-8", "replace")
            self.faults.extend(Fault("shape", fault, text) for fault in self._faults_of(frame.message))
            if not self._is_foreign(frame.message, wants_event):
                self._note(label, "<", text)
                return frame
            if time.monotonic() > deadline:
                raise Silence("nothing but other users' notices within %g s" % peer.timeout_seconds)

    def _is_foreign(self, message: Message, wants_event: bool) -> bool:
        if message.get("action") != "server-broadcast":
            return False
        if "event" in message:
            return not wants_event or self.names.suffix not in str(message.get("name"))
        return self.names.suffix not in str(message.get("sender", message.get("from")))

    def send(self, label: str, step: Dict[str, object]) -> None:
        message = fill(step["send"], self.names, self._captures)
        assert isinstance(message, dict)
        self._write(label, message)

    def send_raw(self, label: str, step: Dict[str, object]) -> None:
        times = step.get("times", 1)
        assert isinstance(times, int)
        if "send_hex" in step:
            data = bytes.fromhex(str(step["send_hex"]))
            self._note(label, ">", "bytes %s" % data.hex())
        else:
            text = self.names.replace(str(step["send_text"]))
            data = text.encode("utf-8") * times
            self._note(label, ">", "text %s%s" % (json.dumps(text, ensure_ascii=False), _times(times)))
        self._peer(label).send(data)

    def get(self, label: str, step: Dict[str, object]) -> None:
        pattern = fill(step["get"], self.names)
        assert isinstance(pattern, dict)
        try:
            frame = self._next(label, "event" in pattern)
        except (Silence, Closed) as error:
            self._note(label, "!", str(error))
            raise type(error)("%s: %s; expected %s" % (label, error, _wanted(pattern))) from None
        problem = match(pattern, frame.message, self._captures)
        if problem:
            self._raise_if_limited(frame.message)
            raise _Failed("%s: %s" % (label, problem))
        apart_ms = step.get("apart_ms")
        if isinstance(apart_ms, int) and label in self._last_at:
            gap_ms = (frame.at - self._last_at[label]) * 1000
            if gap_ms < apart_ms:
                raise _Untimely("%s: the message came %.0f ms after the one before" % (label, gap_ms))
        self._last_at[label] = frame.at

    def silent(self, label: str, step: Dict[str, object]) -> None:
        self._write(label, BARRIER)
        try:
            frame = self._next(label)
        except (Silence, Closed) as error:
            self._note(label, "!", str(error))
            raise type(error)("%s: %s; expected the answer to ping" % (label, error)) from None
        if frame.message.get("action") != "ping":
            self._raise_if_limited(frame.message)
            raise _Failed("%s: expected nothing but the answer to ping" % label)

    def close(self, label: str, step: Dict[str, object]) -> None:
        self._note(label, "!", "closes")
        self._peer(label).finish()

    def closed(self, label: str, step: Dict[str, object]) -> None:
        deadline = time.monotonic() + self._peer(label).timeout_seconds
        while time.monotonic() < deadline:
            try:
                self._next(label, True)
            except Closed:
                self._note(label, "!", "closed by the server")
                return
            except Garbage as error:  # an answer in HTTP, perhaps
                self._note(label, "<", str(error))
            except (Silence, Flood):
                break
        raise _Failed("%s: the server should have closed the connection" % label)

    def _raise_if_limited(self, message: Message) -> None:
        if message.get("action") == "error" and message.get("code") == "rate-limited":
            seconds = message.get("retry_after")
            raise _RateLimited(float(seconds) if isinstance(seconds, (int, float)) else 1.0)


def _times(times: int) -> str:
    return " %d times" % times if times > 1 else ""


def _wanted(pattern: Message) -> str:
    keys = [key for key in ("action", "code") if isinstance(pattern.get(key), str)]
    words = ["%s %s" % (key, json.dumps(pattern[key])) for key in keys]
    return ", ".join(words) or "a message"


_WRITING = ("send", "send_text", "send_hex", "silent")
_VERBS: Dict[str, Callable[[_Conversation, str, Dict[str, object]], None]] = {
    "send": _Conversation.send,
    "send_text": _Conversation.send_raw,
    "send_hex": _Conversation.send_raw,
    "get": _Conversation.get,
    "silent": _Conversation.silent,
    "close": _Conversation.close,
    "closed": _Conversation.closed,
}
