"""The path: in which order one learns to answer what, and what each case needs before it can be judged."""

from __future__ import annotations

import re
from typing import Dict, FrozenSet, Iterable, Iterator, List, Set, Tuple

from cases.case import Case

__all__ = ["EVENTS", "PARTS", "PATH", "canonical", "echoes", "needs", "part_of", "sort"]

# What a server learns to answer, in this order, and the part of the path in which it does.
PATH: Dict[str, int] = {
    "client-hello": 1,
    "ping": 1,
    "client-quit": 1,
    "client-list-clients": 2,
    "client-send": 2,
    "client-broadcast": 2,
    "client-error": 2,
    "cgroupe": 3,
    "join": 3,
    "gbroadcast": 3,
    "leave": 3,
    "members": 3,
    "groups": 3,
    "invite": 4,
    "kick": 4,
    "ban": 4,
    "unban": 4,
    "msgs": 5,
    "states": 5,
    "register": 6,
}
EVENTS = ("cgroupe", "join", "gbroadcast", "leave", "invite", "kick", "ban", "unban")
PARTS = (1, 2, 3, 4, 5, 6)
_TOPICS = {
    "wire": 1,
    "hello": 1,
    "talk": 2,
    "groups": 3,
    "lists": 3,
    "invitations": 4,
    "moderation": 4,
    "history": 5,
    "retry": 6,
    "fields": 6,
    "framing": 6,
    "aliases": 6,
    "auth": 6,
    "choices": 6,
}
# What can wait until everything else works: the rules for names, other spellings, several peers of one user.
_STRICT = ("R-name-", "R-alias-", "R-token-", "R-peers-", "R-implicit-", "R-field-", "R-guest-", "R-hello-guest")
_OTHER_NAMES = {
    "cgroup": "cgroupe",
    "create-group": "cgroupe",
    "messages": "msgs",
    "client-connection": "client-hello",
    "connection": "client-hello",
}
_ACTION = re.compile(r'"action"\s*:\s*"([a-z-]+)"')
_ORDER = list(PATH)


def canonical(action: object) -> str:
    """Return the action under its own name, whatever spelling a case tries; an empty text if it is none."""
    name = str(action)
    name = _OTHER_NAMES.get(name, name)
    return name if name in PATH else ""


def needs(case: Case) -> FrozenSet[str]:
    """Return the actions that a server has to answer before *case* can be judged."""
    found = {"client-hello"} if case.hello else set()
    for step in case.steps:
        pattern = step.get("get")
        if "silent" in step or (isinstance(pattern, dict) and pattern.get("action") == "ping"):
            found.add("ping")
        found.update(_asked(step))
    for peer in {str(step["peer"]) for step in case.steps}:  # a request may be cut over several steps
        cut = "".join(str(step["send_text"]) for step in case.steps if step["peer"] == peer and "send_text" in step)
        found.update(map(canonical, _ACTION.findall(cut)))
    return frozenset(found - {""})


def echoes(case: Case) -> FrozenSet[str]:
    """Return the actions whose stamped message *case* wants to come back to the peer that asked."""
    asked: Set[Tuple[str, str]] = set()
    found: Set[str] = set()
    peers = {str(step["peer"]) for step in case.steps}
    for step in case.steps:
        peer, pattern = str(step["peer"]), step.get("get")
        asked.update((peer, action) for action in _asked(step))
        if isinstance(pattern, dict) and pattern.get("sender") not in ["$" + other for other in peers - {peer}]:
            action = canonical(pattern.get("action"))
            if action in EVENTS and (peer, action) in asked:
                found.add(action)
    return frozenset(found)


def part_of(case: Case) -> int:
    """Return the part of the path that *case* belongs to: that of its topic, or a later one if it needs more."""
    if any(cited.startswith(_STRICT) for cited in case.cites):
        return PARTS[-1]
    return case.part or max([_TOPICS.get(case.topic, 6)] + [PATH[action] for action in needs(case)])


def sort(cases: Iterable[Case]) -> Dict[str, List[Case]]:
    """Group *cases* by the last action on the path that each needs, in the order of the path."""
    found: Dict[str, List[Case]] = {action: [] for action in PATH}
    for case in cases:
        found[max(needs(case), key=_ORDER.index, default=_ORDER[0])].append(case)
    return found


def _asked(step: Dict[str, object]) -> Iterator[str]:
    request = step.get("send")
    if isinstance(request, dict):
        wrapped = request.get("messageFormat")
        inner: Tuple[object, ...] = (request, wrapped)
        yield from (canonical(one.get("action")) for one in inner if isinstance(one, dict))
    elif "send_text" in step:
        yield from map(canonical, _ACTION.findall(str(step["send_text"])))
    elif "send_hex" in step:
        text = bytes.fromhex(str(step["send_hex"])).decode("latin-1")
        yield from map(canonical, _ACTION.findall(text))
