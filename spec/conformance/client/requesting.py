"""How a client asks: one request a write, and ids that nobody could guess."""

from __future__ import annotations

import secrets
from statistics import median
from typing import List

from programs.program import Unfit
from talk.wire import Silence
from words import say as tell

from client.showing import marker, say
from client.stage import Stage

__all__ = ["guessable_ids", "one_write", "own_elsewhere"]

LINES = ("members;wob", "messages;wob", "groups;", "states;wob", "ls;")
ANSWER_SECONDS = 0.3
APART_MS = 25  # 50 by the rule, less what a busy machine is late; the middle one of all gaps counts


def one_write(stage: Stage) -> None:
    """Type several lines at once and answer late: until an answer the requests have to come apart from each other."""
    for line in LINES:
        stage.type(line)
    last, gaps_ms = stage.frame(), []
    for _ in LINES[1:]:
        try:
            frame = stage.frame(ANSWER_SECONDS)
            gaps_ms.append(round((frame.at - last.at) * 1000))
        except Silence:  # it waits for the answer
            stage.answer(last.message)
            frame = stage.frame()
        last = frame
    if gaps_ms and median(gaps_ms) < APART_MS:
        raise Unfit(tell("client-hurries", ms=round(median(gaps_ms))))


def guessable_ids(stage: Stage) -> None:
    """Start the client twice and type the same: an id that comes again was not chosen at random."""
    first = _ids(stage)
    if not first:
        return  # it uses none
    if len(set(first)) != len(first):
        raise Unfit(tell("client-same-id", what=first[-1]))
    with Stage(stage.command, "alice-" + secrets.token_hex(3), stage.timeout_seconds) as again:
        again.enter()
        repeated = set(first) & set(_ids(again))
    if repeated:
        raise Unfit(tell("client-same-id", what=sorted(repeated)[0]))


def own_elsewhere(stage: Stage) -> None:
    """Tell the client what its user said on another peer, with an id that is not this client's: it is news."""
    text = marker()
    stage.tell({**say(stage, text), "sender": stage.name, "from": stage.name, "id": secrets.token_hex(8)})
    stage.screen.shows(text)


def _ids(stage: Stage) -> List[str]:
    found = []
    for line in LINES:
        stage.type(line)
    try:
        for _ in LINES:
            request = stage.frame().message
            stage.answer(request)
            if isinstance(request.get("id"), str):
                found.append(str(request["id"]))
    except Silence:
        pass
    return found
