"""What must hold on the union of all that members of all nodes heard: judged when a `nodes.World` came to rest."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import model
from nodes import Connection, World

from libtchat.message.event import EVENTS, Event, Invited
from libtchat.message.names import Key, group_key
from libtchat.message.request import (
    GroupRequest,
    Hello,
    Invite,
    ListGroups,
    ListMembers,
    ListMessages,
    ListStates,
    ListUsers,
    Request,
    Tell,
)

__all__ = ["check"]

GROUPED = GroupRequest | ListMembers | ListMessages | ListStates


def check(world: World) -> None:
    """Judge everything that was acknowledged, stored and heard."""
    for key in world.records:
        _check_log(world, key)
    for connection in world.connections:
        _check_answers(world, connection)
        _check_events(world, connection)
        _check_texts(connection)
        _check_notices(world, connection)
    _check_roster(world)
    _check_guests(world)


def _check_log(world: World, key: Key) -> None:
    events = world.events(key)
    model.replay(events)
    ids = [(event.sender, event.id) for event in events if event.id is not None]
    assert len(set(ids)) == len(ids), f"an id made two events in {key}"
    assert world.acknowledged.get(key, 0) <= len(events), f"what was acknowledged in {key} is lost"


def _check_answers(world: World, connection: Connection) -> None:
    waiting, is_named = list(connection.sent), False
    invited: set[tuple[str, str]] = set()

    def is_standing(request: Request) -> bool:
        """Tell whether *request* may have been answered with the invitation that stands, which has another id."""
        return isinstance(request, Invite) and (request.group, request.dest) in invited

    for line, lengths in connection.heard:
        message = json.loads(line)
        is_named = is_named or message["action"] == "server-hello"
        found = next((n for n, (request, _) in enumerate(waiting) if request.id == message.get("id")), None)
        if message["action"] == "invite":
            invited.add((message["group"], message["dest"]))
        if message.get("id") is None or found is None:
            continue
        while found and is_standing(waiting[0][0]):
            waiting.pop(0)
            found -= 1
        if found and "seq" in message and message["id"] in _asked_again(world, connection):
            continue  # what was asked on the other connection is heard here, too
        assert found == 0, f"{waiting[0][0]} is overtaken by the answer {message}"
        request, before = waiting.pop(0)
        if is_named or isinstance(request, Hello):
            _check_answer(world, connection, request, message, before, lengths)
        else:
            assert message["code"] == "bad-request", "it did not say hello with success"
    waiting = [it for it in waiting if not is_standing(it[0])]
    assert not (waiting and connection.is_open), f"{waiting[0][0]} is never answered"


def _asked_again(world: World, connection: Connection) -> set[str | None]:
    """Return the ids of what was asked on another connection, too."""
    others = {request.id for it in world.connections if it is not connection for request, _ in it.sent}
    return others & {request.id for request, _ in connection.sent}


def _check_answer(
    world: World,
    connection: Connection,
    request: Request,
    message: Any,
    before: dict[Key, int],
    lengths: dict[Key, int],
) -> None:
    code, user = message.get("code"), connection.name
    if code in ("unavailable", "name-in-use", "auth-failed", "auth-required", "limit-reached"):
        assert code != "unavailable" or world.faults, f"{request} is unavailable without a fault"
        return
    if isinstance(request, Tell) and code is not None:
        there = connection.present[request.id].get(request.to)
        assert there is None or not there.is_open, f"{request} is refused, and {request.to} is there"
        return
    key = group_key(getattr(request, "group", None) or "")
    logs = _logs(world, key, before, lengths)
    if code is not None:
        assert isinstance(request, GROUPED)
        found = {model.verdict(log, request, user, known) for log in logs for known in (True, False)}
        assert code in found, f"{request} of {user} is refused with {code}, and should be {found}"
    elif isinstance(request, Hello):
        for group, seq in message["seqs"].items():
            assert before.get(Key(group), 0) <= seq <= lengths[Key(group)], f"the welcome is of before, {group} {seq}"
    elif isinstance(request, ListUsers):
        here = {name for name, it in connection.present[request.id].items() if it.is_open}
        assert here <= set(message["list"]), f"{message['list']} is without some of {here}"
    elif isinstance(request, ListGroups):
        for group in world.records:
            member = {user in model.replay(log).members for log in _logs(world, group, before, lengths)}
            assert (group in message["mine"]) in member, f"mine {message['mine']} of {user}: {group} is {member}"
    elif isinstance(request, ListMembers):
        state = model.replay(world.events(key)[: message["seq"]])
        assert before.get(key, 0) <= message["seq"] <= lengths[key], f"members of before {before[key]}"
        assert message["list"] == sorted(state.members)
    elif isinstance(request, ListMessages | ListStates):
        last = [seq for seq in range(1, len(logs[0]) + 1) if world.events(key)[seq - 1].action in _shown(request)]
        seqs = [event["seq"] for event in message["list"]]
        assert seqs[: len(last)] == last, f"a page of before: {seqs} without {last}"
        assert all(json.loads(world.lines(key)[event["seq"] - 1]) == event for event in message["list"])


def _shown(request: ListMessages | ListStates) -> set[str]:
    if isinstance(request, ListStates) and request.all:
        return set(EVENTS)
    return {"gbroadcast"} if isinstance(request, ListMessages) else set(EVENTS) - {"gbroadcast"}


def _logs(world: World, key: Key, before: dict[Key, int], lengths: dict[Key, int]) -> list[Sequence[Event]]:
    """Return what the log of a group may have been for whom answered."""
    events = world.events(key)
    return [events[:seq] for seq in range(before.get(key, 0), lengths.get(key, 0) + 1)]


def _check_events(world: World, connection: Connection) -> None:
    user = connection.name
    welcome = next((n for n, (line, _) in enumerate(connection.heard) if b'"server-hello"' in line), None)
    heard: dict[Key, list[int]] = {}
    for number, (line, _) in enumerate(connection.heard):
        message = json.loads(line)
        if message.get("action") not in EVENTS or "seq" not in message:
            continue
        assert welcome is not None, f"{message} before the welcome"
        assert number > welcome, f"{message} before the welcome"
        seqs = heard.setdefault(group_key(message["group"]), [])
        if seqs and message["seq"] <= seqs[-1]:
            is_repeat = message["action"] == "invite" or message["sender"] == user
            assert is_repeat, f"{user} hears {message} after {seqs}"
            continue
        seqs.append(message["seq"])
    if welcome is None:
        assert not heard
        return
    line, lengths = connection.heard[welcome]
    seqs_told = {Key(key): seq for key, seq in json.loads(line)["seqs"].items()}
    before = connection.sent[0][1]
    for key in world.records:
        _check_group(world, connection, key, heard.get(key, []), seqs_told.get(key), before, lengths)


def _check_group(
    world: World,
    connection: Connection,
    key: Key,
    heard: list[int],
    told: int | None,
    before: dict[Key, int],
    lengths: dict[Key, int],
) -> None:
    user, events = connection.name, world.events(key)
    again = _asked_again(world, connection)
    invited = {request.dest for request, _ in connection.sent if isinstance(request, Invite)}
    repeated = {
        event.seq  # told once more, or not, to who asked again
        for event in events
        if (isinstance(event, Invited) and (event.dest == user or event.dest in invited))
        or (event.sender == user and event.id in again)
    }
    heard = [seq for seq in heard if seq not in repeated]
    due = [n for n, event in enumerate(events, 1) if user in model.told(events[: n - 1], event)]
    due = [seq for seq in due if seq not in repeated]
    starts: Iterable[int] = (told,) if told is not None else range(before.get(key, 0), lengths.get(key, 0) + 1)
    for start in starts:
        expected = [seq for seq in due if seq > start]
        if heard == expected or (not connection.is_open and heard == expected[: len(heard)]):
            return
    raise AssertionError(
        f"{user} on {connection.node} heard {heard} of {due} in {key}, welcomed at {told} ({list(starts)})"
    )


def _present(world: World) -> list[Connection]:
    return [it for it in world.connections if it.is_open and it.token is not None]


def _check_roster(world: World) -> None:
    tokens: dict[str, set[str | None]] = {}
    counts: dict[str, Counter[str]] = {}
    for it in _present(world):
        tokens.setdefault(it.name, set()).add(it.token)
        counts.setdefault(it.name, Counter())[world.machines[it.node].node] += 1
    shared = {name: found for name, found in tokens.items() if len(found) > 1}
    assert not shared, f"one name is two users: {shared}"
    seats = {key: Counter(seat.nodes) for key in world.seats if (seat := world.seat(key)).nodes}
    assert seats == counts, f"the roster has {seats}, there are {counts}"
    for machine in world.machines:
        assert list(machine.hub.online()) == sorted(counts), f"{machine.node} knows {machine.hub.online()}"


def _check_notices(world: World, connection: Connection) -> None:
    last: dict[str, str] = {}
    for line, _ in connection.heard:
        message = json.loads(line)
        if "event" in message:
            assert last.get(message["name"]) != message["event"], f"{message} comes twice in a row"
            last[message["name"]] = message["event"]
    online = {it.name for it in _present(world)}
    if connection.is_open:
        assert all((event == "connect") is (name in online) for name, event in last.items()), f"{last}, not {online}"


def _check_texts(connection: Connection) -> None:
    texts = [json.loads(line) for line, _ in connection.heard]
    ids = [text["id"] for text in texts if text["action"] in ("server-send", "server-broadcast") and "id" in text]
    assert all("to" in text for text in texts if text["action"] == "server-send")
    assert len(set(ids)) == len(ids), f"a text comes twice: {ids}"
    for text in texts:
        if text["action"] == "server-send":
            assert connection.name in (text["sender"], text["to"]), f"{text} is for somebody else"


def _check_guests(world: World) -> None:
    present = {it.name for it in _present(world)}
    for key in world.records:
        events = world.events(key)
        for event in events:
            if event.action == "leave" and event.id is None:
                assert event.sender not in present, f"{event.sender} is made to leave {key}, and is here"
        is_loaded = any(machine.hub.group(key) is not None for machine in world.machines)
        if is_loaded and not world.faults:  # a leave that can't be stored comes when the group is loaded again
            lost = {name for name in model.replay(events).members if name.startswith("guest-")} - present
            assert not lost, f"{lost} are gone, and in {key}"
