"""Holds one conversation of a scenario with a server, and says whether the server kept to it."""

from __future__ import annotations

import json
import re
import time
from typing import Callable, Dict, List, Optional

from cases.case import Case
from cases.path import canonical
from report.outcome import NO_CAUSE, Cause, Fault, Line, Outcome
from talk.matcher import Names, fill, match
from talk.wire import Closed, Flood, Frame, Garbage, Message, Peer, Silence, write
from words import say

from server.tidy import Tidy

__all__ = ["FaultsOf", "hold", "told"]

FaultsOf = Callable[[Message], List[str]]

BARRIER: Message = {"action": "ping"}
PAUSE_SECONDS = 0.03
_NAME = re.compile(r"-[0-9a-f]{6}\b")  # the suffix of this run's names


class _Failed(Exception):
    """The server did not keep to the scenario; the text says how."""

    def __init__(self, text: str, kind: str = "differs", came: str = "", wanted: str = "", detail: str = "") -> None:
        super().__init__(text)
        self.kind, self.came, self.wanted, self.detail = kind, came, wanted, detail


_KINDS: Dict[type, str] = {Silence: "silence", Closed: "closed", Garbage: "garbage", Flood: "garbage"}


class _RateLimited(Exception):
    def __init__(self, seconds: float) -> None:
        super().__init__("rate-limited")
        self.seconds = seconds


def hold(
    case: Case,
    open_peer: Callable[[int], Peer],
    names: Names,
    faults_of: FaultsOf,
    is_kept: bool = False,
    moment_seconds: float = 0.0,
) -> Outcome:
    """Run *case* on fresh connections.

    Args:
        open_peer: connects peer number 0, 1, ... to the server; its OSError fails the case.
        names: fresh names of this run.
        faults_of: what is wrong with the shape of a message, by the schema.
        is_kept: leave the members in the groups that the case made.
        moment_seconds: how long to wait after a connection has gone, until all of the server knows it.
    """
    talk = _Conversation(case, open_peer, names, faults_of, moment_seconds)
    began = time.monotonic()
    problem: Optional[str] = None
    retry_after: Optional[float] = None
    cause = NO_CAUSE
    try:
        talk.run()
    except _Failed as error:
        problem, cause = str(error), Cause(error.kind, talk.after, error.came, error.wanted, error.detail)
    except _RateLimited as error:
        problem, retry_after = say("rate-limited"), error.seconds
    except (Silence, Closed, Garbage, Flood) as error:
        problem, cause = str(error), Cause(_KINDS[type(error)], talk.after, "", talk.wanted, "")
    except OSError as error:
        problem = say("cannot-connect", why=error.strerror or error)
        cause = Cause("refused", talk.after, "", "", "")
    finally:
        talk.finish(is_kept)
    return Outcome(
        case,
        problem,
        tuple(talk.lines),
        tuple(talk.faults),
        talk.received,
        time.monotonic() - began,
        retry_after=retry_after,
        cause=cause,
    )


class _Conversation:
    def __init__(
        self,
        case: Case,
        open_peer: Callable[[int], Peer],
        names: Names,
        faults_of: FaultsOf,
        moment_seconds: float,
    ) -> None:
        self.case = case
        self.names = names
        self.lines: List[Line] = []
        self.faults: List[Fault] = []
        self.received = 0
        self.after = self.wanted = ""
        self._tidy = Tidy()
        self._open = open_peer
        self._faults_of = faults_of
        self._moment_seconds = moment_seconds
        self._peers: Dict[str, Peer] = {}
        self._captures: Dict[str, object] = {}
        self._last_at: Dict[str, float] = {}

    def run(self) -> None:
        for label in self.case.hello:
            self._write(label, {"from": self.names.of(label), "action": "client-hello"})
            frame = self._next(label)
            self._compare(label, {"action": "server-hello"}, frame.message)
        wrote_last = ""
        for step in self.case.steps:
            label = str(step["peer"])
            verb = next(key for key in step if key in _VERBS)
            if verb in _WRITING and label == wrote_last:
                time.sleep(PAUSE_SECONDS)  # so that they leave as two segments; nothing is judged by it
            wrote_last = label if verb in _WRITING and verb != "silent" else ""
            _VERBS[verb](self, label, step)

    def finish(self, is_kept: bool) -> None:
        if not is_kept:
            self._tidy.leave_all(self._open)
        for peer in self._peers.values():
            peer.finish()
            for raw, fault in peer.faults:
                self.faults.append(Fault("frame", fault, raw.decode("utf-8", "replace")))

    def _peer(self, label: str) -> Peer:
        if label not in self._peers:
            self._peers[label] = self._open(len(self._peers))
        return self._peers[label]

    def _note(self, label: str, sign: str, text: str) -> None:
        self.lines.append(Line(label, sign, text))

    def _write(self, label: str, message: Message) -> None:
        data = write(message)
        self.after = canonical(message.get("action"))
        self._tidy.note_request(self._peer(label), self.names.of(label), message)
        self._note(label, ">", data.decode("utf-8", "replace").rstrip("\n"))
        self._peer(label).send(data)

    def _next(self, label: str, wants_event: bool = False) -> Frame:
        """Return the next message that concerns this case; others' presence and broadcasts do not."""
        peer = self._peer(label)
        deadline = time.monotonic() + peer.timeout_seconds
        while True:
            frame = peer.next()
            self.received += 1
            self._tidy.note(peer, frame.message)
            text = frame.raw.decode("utf-8", "replace")
            self.faults.extend(Fault("shape", fault, text) for fault in self._faults_of(frame.message))
            if not self._is_foreign(frame.message, wants_event):
                self._note(label, "<", text)
                return frame
            if time.monotonic() > deadline:
                raise Silence(say("only-notices", ms=int(peer.timeout_seconds * 1000)))

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
        self.after = ""
        self._peer(label).send(data)

    def get(self, label: str, step: Dict[str, object]) -> None:
        pattern = fill(step["get"], self.names)
        assert isinstance(pattern, dict)
        frame = self._await(label, _wanted(pattern), "event" in pattern)
        self._compare(label, pattern, frame.message)
        apart_ms = step.get("apart_ms")
        if isinstance(apart_ms, int) and label in self._last_at:
            gap_ms = (frame.at - self._last_at[label]) * 1000
            if gap_ms < apart_ms:
                raise _Failed(say("too-soon", peer=label, ms=round(gap_ms), wanted=apart_ms), "soon")
        self._last_at[label] = frame.at

    def silent(self, label: str, step: Dict[str, object]) -> None:
        after = self.after
        self._write(label, BARRIER)
        frame = self._await(label, "ping", False)
        if frame.message.get("action") != "ping":
            self._raise_if_limited(frame.message)
            self.after = after
            came = told(frame.message)
            raise _Failed(say("extra", peer=label, came=came), "extra", came)

    def _await(self, label: str, wanted: str, wants_event: bool) -> Frame:
        self.wanted = wanted
        try:
            return self._next(label, wants_event)
        except (Silence, Closed) as error:
            self._note(label, "!", str(error))
            raise type(error)(say("instead", peer=label, what=error, wanted=wanted)) from None

    def _compare(self, label: str, pattern: Message, message: Message) -> None:
        difference = match(pattern, message, self._captures)
        if not difference:
            return
        self._raise_if_limited(message)
        came, wanted = told(message), _wanted(pattern)
        text = say("instead", peer=label, what=say("came", what=came), wanted=wanted) if came != wanted else difference
        detail = "" if came != wanted else _NAME.sub("", difference)
        raise _Failed(text if came != wanted else "%s: %s" % (label, text), "differs", came, wanted, detail)

    def close(self, label: str, step: Dict[str, object]) -> None:
        self._note(label, "!", say("peer-closes"))
        self._peer(label).finish()
        time.sleep(self._moment_seconds)

    def closed(self, label: str, step: Dict[str, object]) -> None:
        deadline = time.monotonic() + self._peer(label).timeout_seconds
        while time.monotonic() < deadline:
            try:
                self._next(label, True)
            except Closed:
                self._note(label, "!", say("closed-by-server"))
                time.sleep(self._moment_seconds)
                return
            except Garbage as error:  # an answer in HTTP, perhaps
                self._note(label, "<", str(error))
            except (Silence, Flood):
                break
        raise _Failed(say("still-open", peer=label), "open")

    def _raise_if_limited(self, message: Message) -> None:
        if message.get("action") == "error" and message.get("code") == "rate-limited":
            seconds = message.get("retry_after")
            raise _RateLimited(float(min(max(0.1, seconds), 1e9)) if isinstance(seconds, (int, float)) else 1.0)


def _times(times: int) -> str:
    return " " + say("times", n=times) if times > 1 else ""


def told(message: Message) -> str:
    """Return what a message is, in short: its action and, of an error, its code."""
    action, code = message.get("action"), message.get("code")
    return ("%s %s" % (action, code) if isinstance(code, str) else str(action))[:60]


def _wanted(pattern: Message) -> str:
    found: Message = {key: value for key, value in pattern.items() if isinstance(value, str)}
    if "action" in found:
        return told(found)
    return say("a-message")


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
