"""One group's rules: the whole table of spec/protocol.md, then what holds over any sequence of requests."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import attrs
import model
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from libtchat.effect import Append, Part
from libtchat.group import Group, Standing, evolve, fold, outsiders, subject
from libtchat.message.errors import ErrorCode, Refused
from libtchat.message.event import Banned, Created, Event, Invited, Joined, Kicked, Left, Said, Unbanned
from libtchat.message.limits import ServerLimits
from libtchat.message.names import group_key, user_key
from libtchat.message.request import (
    REQUESTS,
    Ban,
    Create,
    GroupRequest,
    Invite,
    Join,
    Kick,
    Leave,
    ListMembers,
    ListMessages,
    ListStates,
    Say,
    Unban,
)
from libtchat.rules import GroupQuery, admit, decide, say
from libtchat.stored import Loaded

TS, LATER = "2026-01-02T03:04:05.678Z", "2026-01-02T03:04:06.000Z"

# What a request is answered with, by the standing of who asks. "ok" is an event, or for a query that it is answered.
WHO_ASKS = """
             none             invited     member          owner           banned
cgroupe      group-exists     group-exists group-exists   group-exists    group-exists
join         ok               ok          already-member  already-member  banned
leave        not-member       ok          ok              ok              not-member
gbroadcast   not-member       not-member  ok              ok              banned
members      ok               ok          ok              ok              ok
msgs         not-member       not-member  ok              ok              banned
states       not-member       not-member  ok              ok              banned
"""
WHO_ASKS_IF_PRIVATE = """
             none             invited     member          owner           banned
cgroupe      group-exists     group-exists group-exists   group-exists    group-exists
join         invite-required  ok          already-member  already-member  banned
leave        not-member       ok          ok              ok              not-member
gbroadcast   not-member       not-member  ok              ok              banned
members      not-member       not-member  ok              ok              not-member
msgs         not-member       not-member  ok              ok              banned
states       not-member       not-member  ok              ok              banned
"""

# The same by the standing of the target, for an actor that may do it. `itself`: the actor is the target;
# `unknown`: nobody ever heard of it.
TARGET_OF_A_MEMBER = """
       none      unknown        invited   member         owner          banned        itself
invite ok        user-not-found again     already-member already-member target-banned self-target
kick   forbidden forbidden      forbidden forbidden      forbidden      forbidden     forbidden
ban    forbidden forbidden      forbidden forbidden      forbidden      forbidden     forbidden
unban  forbidden forbidden      forbidden forbidden      forbidden      forbidden     forbidden
"""
TARGET_OF_THE_OWNER = """
             none               unknown            invited     member          banned             itself
invite       ok                 user-not-found     again       already-member  target-banned      self-target
kick         target-not-member  target-not-member  ok          ok              target-not-member  self-target
ban          ok                 ok                 ok          ok              target-banned      self-target
unban        not-banned         not-banned         not-banned  not-banned      ok                 not-banned
"""

# What becomes of whom when it is accepted.
BECOMES = {
    Joined: ("actor", "member"),
    Left: ("actor", "none"),
    Invited: ("target", "invited"),
    Kicked: ("target", "none"),
    Banned: ("target", "banned"),
    Unbanned: ("target", "none"),
}

STANDINGS = ("none", "invited", "member", "owner", "banned")
EVERYBODY = [*STANDINGS, *(f"other-{name}" for name in STANDINGS if name != "owner")]


def a_group(*, private: bool = False) -> Group:
    """Make a group with two users of every standing, called so; `member` is the longest-standing after the owner."""
    log: list[Event] = [Created("owner", "wob", 1, TS, "owner", private)]
    for prefix in ("", "other-"):
        for name, kind in (("member", Invited), ("member", Joined), ("invited", Invited)):
            who = prefix + name
            seq = len(log) + 1
            log.append(Joined(who, "wob", seq, TS) if kind is Joined else Invited("owner", "wob", who, seq, TS))
        log.append(Banned("owner", "wob", f"{prefix}banned", "", len(log) + 1, TS))
    group = fold(log)
    assert group is not None
    return group


def an_empty_group(*, private: bool) -> Group:
    group = a_group(private=private)
    for leaver in ("owner", "other-member", "member"):
        group = evolve(group, decide(group, Leave("wob"), leaver, ts=TS))
    return group


def request_of(action: str, target: str | None = None) -> GroupRequest | GroupQuery:
    kind = REQUESTS[action]
    has = {it.name for it in attrs.fields(kind)}
    fields = {"group": "wob", "dest": target, "msg": "hi", "reason": "spam", "id": "q1"}
    found = kind(**{name: value for name, value in fields.items() if name in has})
    assert isinstance(found, GroupRequest | GroupQuery)
    return found


def outcome(group: Group | None, request: GroupRequest | GroupQuery, actor: str, *, known: bool = True) -> Event | str:
    """Return the event, or the code of the refusal; "ok" for a query that is answered."""
    try:
        if isinstance(request, GroupQuery):
            admit(group, request, user_key(actor))
            return "ok"
        target = getattr(request, "dest", None)
        return decide(group, request, actor, ts=LATER, known_dest=target if known else None)
    except Refused as refusal:
        return str(refusal.code)


def rows(table: str) -> Iterator[tuple[str, str, str]]:
    """Go through a table's cells: action, column, expected."""
    head, *lines = table.strip("\n").splitlines()
    for line in lines:
        action, *cells = line.split()
        yield from ((action, column, cell) for column, cell in zip(head.split(), cells, strict=True))


def every_transition() -> Iterator[tuple[bool, str, str, str, str]]:
    """Go through private, action, actor, target ("" for none), expected."""
    for private, table in ((False, WHO_ASKS), (True, WHO_ASKS_IF_PRIVATE)):
        for action, actor, expected in rows(table):
            yield private, action, actor, "", expected
        for actor, targets in (("member", TARGET_OF_A_MEMBER), ("owner", TARGET_OF_THE_OWNER)):
            for action, standing, expected in rows(targets):
                target = {"itself": actor, "owner": "owner", "unknown": "stranger"}.get(standing, f"other-{standing}")
                yield private, action, actor, target, expected
        for actor in ("none", "invited", "banned"):
            for action, standing, _ in rows(TARGET_OF_A_MEMBER):
                target = {"itself": actor, "owner": "owner", "unknown": "stranger"}.get(standing, f"other-{standing}")
                yield private, action, actor, target, "not-member"


TRANSITIONS = list(every_transition())


@pytest.mark.parametrize(("private", "action", "actor", "target", "expected"), TRANSITIONS)
def test_the_table_of_transitions_holds(private: bool, action: str, actor: str, target: str, expected: str) -> None:
    group = a_group(private=private)
    untouched = copy.deepcopy(group)
    request = request_of(action, target or None)
    came = outcome(group, request, actor, known=target != "stranger")
    assert group == untouched
    if isinstance(request, GroupQuery) or expected not in ("ok", "again"):
        assert came == expected
    elif expected == "again":
        assert came == group.invited[user_key(target)]
    else:
        check_event(group, request, actor, target, came)


def check_event(group: Group, request: GroupRequest, actor: str, target: str, event: Event | str) -> None:
    """Check that *event* is the stamped *request*, and that it changes one standing and nothing else."""
    assert not isinstance(event, str)
    assert (event.action, event.sender) == (request.action, actor)
    assert (event.seq, event.ts) == (group.seq + 1, LATER)
    asked = {it.name: getattr(request, it.name) for it in attrs.fields(type(request)) if it.name != "sender"}
    assert {name: getattr(event, name) for name in asked} == asked
    after = evolve(group, event)
    assert evolve(attrs.evolve(group, closed=True), event) == attrs.evolve(after, closed=True)
    whose, becomes = BECOMES.get(type(event), ("nobody", ""))
    changed = {"actor": actor, "target": target, "nobody": None}[whose]
    assert subject(event) == changed
    for name in {*EVERYBODY, actor, target} - {"", changed}:
        assert after.standing(user_key(name)) == group.standing(user_key(name))
    assert changed is None or after.standing(user_key(changed)) == becomes
    owner = "member" if actor == "owner" and isinstance(event, Left) else "owner"
    assert (after.owner, after.owner_name) == (owner, owner)
    assert getattr(event, "owner", None) == (owner if owner != "owner" else None)


def test_the_table_is_full() -> None:
    seen = {(private, action, actor) for private, action, actor, _, _ in TRANSITIONS}
    actions = [kind.action for kind in REQUESTS.values() if kind in (*GroupRequest.__args__, *GroupQuery.__args__)]
    assert len(actions) == 11
    assert seen == {(private, action, actor) for private in (True, False) for action in actions for actor in STANDINGS}
    for action in ("invite", "kick", "ban", "unban"):
        assert len({row for row in TRANSITIONS if row[1] == action}) == 2 * (7 + 6 + 3 * 7)


@pytest.mark.parametrize("action", [*REQUESTS][6:17])
def test_a_group_that_was_never_made_is_not_found_and_may_be_made(action: str) -> None:
    request = request_of(action, "bob" if action in ("invite", "kick", "ban", "unban") else None)
    expected = Created("alice", "wob", 1, LATER, "alice", id="q1") if action == "cgroupe" else "group-not-found"
    assert outcome(None, request, "alice") == expected


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("actor", ["none", "invited", "banned", "owner"])
def test_the_first_to_join_an_empty_group_owns_it(private: bool, actor: str) -> None:
    group = an_empty_group(private=private)
    assert (group.owner, group.owner_name, group.members) == (None, None, {})
    came = outcome(group, Join("wob"), actor)
    if actor == "banned":
        assert came == "banned"
    elif private and actor != "invited":
        assert came == "invite-required"
    else:
        assert came == Joined(actor, "wob", group.seq + 1, LATER, owner=actor)
        assert evolve(group, came).owner == actor


def test_succession_goes_by_how_long_one_is_a_member() -> None:
    group = a_group()
    group = evolve(group, decide(group, Leave("wob"), "member", ts=TS))
    group = evolve(group, decide(group, Join("wob"), "member", ts=TS))
    assert decide(group, Leave("wob"), "owner", ts=TS) == Left("owner", "wob", group.seq + 1, TS, owner="other-member")


def test_names_are_compared_by_key_and_shown_as_known() -> None:
    group = a_group()
    assert outcome(group, Kick("WOB", "OTHER-Member"), "Owner") == Kicked(
        "Owner", "wob", "other-member", "", group.seq + 1, LATER
    )
    assert outcome(group, Kick("wob", "ＯＷＮＥＲ"), "owner") == "self-target"
    for asked in (Kick("wob", "OTHER-Invited"), Unban("wob", "OTHER-Banned")):
        assert getattr(outcome(group, asked, "owner"), "dest", None) == asked.dest.lower()


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "\0"])
def test_a_bad_group_name_is_refused(name: str) -> None:
    assert outcome(None, Create(name), "alice") == "bad-name"


@pytest.mark.parametrize("name", ["", "a b", "x" * 33])
def test_a_name_nobody_can_have_is_not_banned(name: str) -> None:
    with pytest.raises(Refused) as caught:
        decide(a_group(), Ban("wob", name), "owner", ts=TS)
    assert (caught.value.code, caught.value.field) == (ErrorCode.BAD_NAME, "dest")


def test_a_clock_that_goes_back_does_not_turn_a_group_back() -> None:
    group, early = a_group(), "2020-01-01T00:00:00.000Z"
    assert decide(group, Say("wob", "hi"), "owner", ts=early).ts == TS
    events, after = say(group, [Say("wob", "hi"), Say("wob", "ho")], "owner", ts=early, key=user_key("owner"))
    assert [(event.seq, event.ts) for event in events] == [(10, TS), (11, TS)]
    assert after == fold(events, group)


@pytest.mark.parametrize(
    ("request_", "limits", "limit"),
    [
        (Join("wob"), ServerLimits(max_members=3), 3),
        (Invite("wob", "stranger"), ServerLimits(max_invited_and_banned=4), 4),
        (Ban("wob", "stranger"), ServerLimits(max_invited_and_banned=4), 4),
        (Ban("wob", "member"), ServerLimits(max_invited_and_banned=4), 4),
    ],
    ids=["join", "invite", "ban a stranger", "ban a member"],
)
def test_a_full_group_takes_nobody_more(request_: GroupRequest, limits: ServerLimits, limit: int) -> None:
    actor = "none" if isinstance(request_, Join) else "owner"
    with pytest.raises(Refused) as caught:
        decide(a_group(), request_, actor, ts=TS, known_dest="stranger", limits=limits)
    assert (caught.value.code, caught.value.limit) == (ErrorCode.LIMIT_REACHED, limit)
    roomy = ServerLimits(max_members=limits.max_members + 1, max_invited_and_banned=limits.max_invited_and_banned + 1)
    assert decide(a_group(), request_, actor, ts=TS, known_dest="stranger", limits=roomy).seq == a_group().seq + 1


def test_a_full_group_may_ban_whom_it_invited_and_repeat_an_invitation() -> None:
    group, full = a_group(), ServerLimits(max_invited_and_banned=4)
    assert isinstance(decide(group, Ban("wob", "invited"), "owner", ts=TS, limits=full), Banned)
    assert decide(group, Invite("wob", "invited"), "owner", ts=TS, limits=full) == group.invited[user_key("invited")]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (Said("owner", "wob", "hi", 10, TS), ()),
        (Joined("none", "wob", 10, TS), ()),
        (Left("member", "wob", 10, TS), ("member",)),
        (Left("invited", "wob", 10, TS), ("invited",)),
        (Invited("member", "wob", "none", 10, TS), ("none",)),
        (Kicked("owner", "wob", "member", "", 10, TS), ("member",)),
        (Kicked("owner", "wob", "invited", "", 10, TS), ("invited",)),
        (Banned("owner", "wob", "member", "", 10, TS), ("member",)),
        (Banned("owner", "wob", "invited", "", 10, TS), ("invited",)),
        (Banned("owner", "wob", "none", "", 10, TS), ()),
        (Unbanned("owner", "wob", "banned", 10, TS), ("banned",)),
    ],
    ids=lambda value: f"{value.action} {subject(value)}" if isinstance(value, Event) else None,
)
def test_who_is_told_besides_the_members(event: Event, expected: tuple[str, ...]) -> None:
    group = a_group()
    event = attrs.evolve(event, seq=group.seq + 1)
    assert outsiders(group, event, evolve(group, event)) == expected


@pytest.mark.parametrize(
    ("group", "event"),
    [
        (None, Created("alice", "wob", 2, TS, "alice")),
        (None, Joined("alice", "wob", 1, TS)),
        (None, Said("alice", "wob", "hi", 1, TS)),
        (a_group(), Said("owner", "wob", "hi", 9, TS)),
        (a_group(), Said("owner", "wob", "hi", 8, TS)),
        (a_group(), Said("owner", "wob", "hi", 11, TS)),
        (a_group(), Created("owner", "wob", 10, TS, "owner")),
    ],
    ids=["late start", "no creation", "no creation but a text", "repeated", "older", "gap", "created twice"],
)
def test_an_event_that_does_not_follow_is_refused(group: Group | None, event: Event) -> None:
    assert a_group().seq == 9
    with pytest.raises(ValueError, match=r"follow|begin|twice"):
        evolve(group, event)


USERS = st.sampled_from(["alice", "bob", "carol", "dave"])
ASKED = st.one_of(
    st.builds(Create, st.just("wob"), st.booleans()),
    st.builds(Join, st.just("wob")),
    st.builds(Leave, st.just("wob")),
    *(st.builds(kind, st.just("wob"), USERS) for kind in (Invite, Kick, Ban, Unban)),
    st.builds(Say, st.just("wob"), st.just("hi")),
    *(st.builds(kind, st.just("wob")) for kind in (ListMembers, ListMessages, ListStates)),
)
HISTORY = st.lists(st.tuples(USERS, ASKED, st.booleans()), max_size=40)


@settings(max_examples=300, derandomize=True, database=None, deadline=None)
@given(HISTORY)
@example([("alice", Create("wob"), True), ("bob", Ban("wob", "bob"), True)])
def test_any_history_is_the_naive_models(history: Sequence[tuple[str, GroupRequest | GroupQuery, bool]]) -> None:
    """I1, I2, I3, I8 (in the model's replay, which fails where they are broken), I7, I9 and I10."""
    group: Group | None = None
    log: list[Event] = []
    for actor, request, known in history:
        came = outcome(group, request, actor, known=known)
        assert outcome(copy.deepcopy(group), request, actor, known=known) == came
        expected = model.verdict(log, request, actor, known)
        if isinstance(came, str):
            assert came == (expected or "ok")
            continue
        assert not isinstance(request, GroupQuery)
        if expected == "again":
            assert came in log
            continue
        assert expected == ""
        assert getattr(came, "owner", None) == model.new_owner(log, request, actor)
        after = evolve(group, came)
        hear = {*after.members, *outsiders(group, came, after)}
        assert hear == model.told(log, came)
        log.append(came)
        group = after
        state = model.replay(log)
        assert [*group.members] == state.members
        assert (group.owner, group.private, group.seq) == (state.owner, state.private, len(log))
        assert (group.invited, [*group.banned]) == (state.invited, state.banned)
        assert all(group.standing(user_key(name)) == Standing(state.standing(name)) for name in ("alice", "bob", "eve"))
    assert fold(log) == group


def test_a_group_and_what_holds_it_may_be_in_a_set() -> None:
    event = Created("alice", "wob", 1, TS, "alice")
    group = evolve(None, event)
    part = Part(group_key("wob"), 0, (event,), group, ("",))
    for value in (group, part, Append((part,)), Loaded(group)):
        assert len({value, copy.deepcopy(value)}) == 1
