"""The client's view: nothing twice, nothing missing, whatever the connection did (R-client-dedup, -catch-up)."""

from __future__ import annotations

from itertools import count

import pytest
from attrs import evolve as changed
from hypothesis import given, settings
from hypothesis import strategies as st

from libtchat.group import Group, evolve, fold, outsiders
from libtchat.message.errors import Refused
from libtchat.message.event import Banned, Created, Event, Invited, Joined, Kicked, Left, Said, Unbanned
from libtchat.message.names import group_key, user_key
from libtchat.message.reply import (
    DirectMessage,
    Error,
    Groups,
    Members,
    Message,
    Pong,
    PresenceNotice,
    PublicMessage,
    States,
    Users,
    Welcome,
)
from libtchat.message.request import (
    Ban,
    Broadcast,
    Create,
    GroupRequest,
    Hello,
    Invite,
    Join,
    Kick,
    Leave,
    ListMembers,
    ListStates,
    Ping,
    Request,
    Say,
    Unban,
)
from libtchat.mirror import CaughtUp, Gone, Heard, Mirror, Missing, NoAnswer, Notice
from libtchat.rules import decide


def ts(seq: int) -> str:
    return f"2026-01-01T00:00:{seq:02d}.000Z"


def said(seq: int, text: str = "", *, sender: str = "bob", group: str = "wob") -> Said:
    return Said(sender, group, text or f"text {seq}", seq, ts(seq))


def hello(seqs: dict[str, int], name: str = "alice") -> Welcome:
    return Welcome(name, 1, "test", "token", tuple(seqs), seqs)


def member_since(seq: int, *, group: str = "wob") -> Mirror:
    """A mirror that was welcomed as a member, and needs nothing."""
    mirror = Mirror()
    mirror.apply(hello({group: seq}))
    answer(mirror, Members(group, seq, ("alice", "bob"), ("alice",), "bob", (), ()))
    assert mirror.wanted() == []
    return mirror


_ids = (f"i{n}" for n in count())


def answer(mirror: Mirror, message: Message) -> list[Notice]:
    """Send the first thing the mirror wants, and answer it with *message*."""
    request = changed(mirror.wanted()[0], id=next(_ids))
    mirror.sent(request, quiet=True)
    return mirror.apply(changed(message, id=request.id))


def shown(notices: list[Notice]) -> list[int]:
    return [n.message.seq for n in notices if isinstance(n, Heard) and isinstance(n.message, Event)]


def test_a_live_event_is_shown_once() -> None:
    mirror = member_since(4)
    assert mirror.apply(said(5)) == [Heard(said(5))]
    assert mirror.apply(said(5)) == []


def test_what_came_above_a_gap_is_held_until_the_gap_is_filled() -> None:
    mirror = member_since(4)
    assert mirror.apply(said(7)) == []
    assert mirror.wanted() == [ListStates("wob", after=4, limit=1000, all=True)]
    notices = answer(mirror, States("wob", (said(5), said(6)), more=False, first=5, last=6))
    assert shown(notices) == [5, 6, 7]
    assert notices[-1] == CaughtUp("wob", 2)
    assert mirror.wanted() == []


def test_after_a_reconnect_pages_are_asked_until_nothing_is_missing() -> None:
    mirror = member_since(4)
    mirror.disconnected()
    mirror.apply(hello({"wob": 8}))
    assert mirror.apply(said(9)) == []
    first = answer(mirror, States("wob", (said(5), said(6)), more=True, first=5, last=6))
    assert [(n.message.seq, n.missed) for n in first if isinstance(n, Heard)] == [(5, True), (6, True)]
    assert mirror.wanted() == [ListStates("wob", after=6, limit=1000, all=True)]
    second = answer(mirror, States("wob", (said(7), said(8)), more=False, first=7, last=8))
    assert shown(second) == [7, 8, 9]
    assert [n.missed for n in second if isinstance(n, Heard)] == [True, True, False], "the last one came live"
    assert second[-1] == CaughtUp("wob", 4)


def test_nothing_is_asked_twice_at_once() -> None:
    mirror = member_since(4)
    mirror.apply(said(7))
    mirror.sent(changed(mirror.wanted()[0], id="x"), quiet=True)
    assert mirror.wanted() == []
    mirror.forget("x")
    assert len(mirror.wanted()) == 1


def test_a_refusal_that_passes_is_asked_again_and_another_gives_up() -> None:
    mirror = member_since(4)
    mirror.apply(said(7))
    answer(mirror, Error("rate-limited", "states"))
    assert len(mirror.wanted()) == 1
    notices = answer(mirror, Error("unknown-action", "states"))
    assert [n for n in notices if isinstance(n, Missing)] == [Missing("wob", 2)]
    assert shown(notices) == [7]
    assert mirror.apply(said(8)) == [Heard(said(8))]


def test_a_page_that_brings_nothing_ends_the_asking() -> None:
    mirror = member_since(4)
    mirror.apply(said(7))
    notices = answer(mirror, States("wob", (), more=False))
    assert notices[0] == Missing("wob", 2)
    assert shown(notices) == [7]
    assert not any(isinstance(request, ListStates) for request in mirror.wanted())


def test_a_page_with_a_hole_does_not_make_one_ask_for_ever() -> None:
    mirror = member_since(4)
    mirror.apply(said(8))
    notices = answer(mirror, States("wob", (said(6), said(7)), more=False, first=6, last=7))
    assert notices[0] == Missing("wob", 3)
    assert shown(notices) == [8]


def test_a_kick_that_was_held_back_ends_the_membership_when_it_is_shown() -> None:
    mirror = member_since(4)
    mirror.apply(said(7))
    mirror.apply(Kicked("bob", "wob", "alice", "", 8, ts(8)))
    assert mirror.groups[group_key("wob")].is_member
    assert shown(answer(mirror, States("wob", (said(5), said(6)), more=False))) == [5, 6, 7, 8]
    assert not mirror.groups[group_key("wob")].is_member


def test_a_kick_in_the_past_does_not_end_the_membership_of_now() -> None:
    mirror = member_since(4)
    mirror.disconnected()
    mirror.apply(hello({"wob": 6}))
    past = (Kicked("bob", "wob", "alice", "", 5, ts(5)), Joined("alice", "wob", 6, ts(6)))
    assert shown(answer(mirror, States("wob", past, more=False))) == [5, 6]
    assert mirror.groups[group_key("wob")].is_member


def test_an_invitation_does_not_unset_the_current_group() -> None:
    mirror = Mirror()
    mirror.apply(hello({}))
    mirror.focus("wob")
    mirror.apply(Invited("bob", "wob", "alice", 5, ts(5)))
    assert mirror.current_name == "wob"
    assert not mirror.groups[group_key("wob")].is_member


def test_a_log_that_became_shorter_is_a_new_one() -> None:
    mirror = member_since(9)
    mirror.disconnected()
    mirror.apply(hello({"wob": 3}))
    assert mirror.wanted() == [ListStates("wob", after=0, limit=1000, all=True)]
    assert shown(answer(mirror, States("wob", tuple(map(said, (1, 2, 3))), more=False))) == [1, 2, 3]
    assert shown(mirror.apply(said(4))) == [4]


def test_what_was_being_asked_when_the_connection_went_is_asked_again() -> None:
    mirror = member_since(4)
    mirror.apply(said(7))
    mirror.sent(changed(mirror.wanted()[0], id="x"), quiet=True)
    mirror.disconnected()
    mirror.apply(hello({"wob": 8}))
    assert mirror.wanted() == [ListStates("wob", after=4, limit=1000, all=True)]
    assert shown(answer(mirror, States("wob", tuple(map(said, (5, 6, 7, 8))), more=False))) == [5, 6, 7, 8]


def test_an_answer_says_which_request_it_answers() -> None:
    mirror = member_since(4)
    request = Say("wob", "hi", sender="alice", id="r1")
    mirror.sent(request)
    event = changed(said(5, "hi", sender="alice"), id="r1")
    assert mirror.apply(event) == [Heard(event, request, mine=True)]
    assert not mirror.is_pending("r1")


def test_the_answer_to_a_retry_is_shown_to_who_asked_but_counts_once() -> None:
    mirror = member_since(4)
    event = Invited("alice", "wob", "zoe", 5, ts(5), "r1")
    mirror.apply(event)
    request = Invite("wob", "zoe", sender="alice", id="r2")
    mirror.sent(request)
    assert mirror.apply(changed(event, id="r2")) == [Heard(changed(event, id="r2"), request, mine=True, repeated=True)]
    assert mirror.groups[group_key("wob")].seq == 5


def test_an_own_text_that_waits_for_what_was_missed_still_answers_its_request() -> None:
    mirror = member_since(4)
    mirror.apply(said(6))
    request = Say(sender="alice", group="wob", msg="hi", id="r1")
    mirror.sent(request)
    mine = changed(said(7, "hi", sender="alice"), id="r1")
    assert mirror.apply(mine) == []
    notices = answer(mirror, States("wob", (said(5), said(6), mine), more=False))
    assert notices == [
        Heard(said(5), missed=True),
        Heard(said(6)),
        Heard(mine, request, mine=True),
        CaughtUp("wob", 1),
    ]


@pytest.mark.parametrize(
    "message",
    [
        said(5, sender="ALICE"),
        Kicked("alice", "wob", "bob", "", 5, ts(5)),
        DirectMessage("alice", "bob", "hi", ts(1)),
        PublicMessage("alice", "hi", ts(1)),
    ],
)
def test_what_is_ones_own_says_so(message: Message) -> None:
    assert [n.mine for n in member_since(4).apply(message)] == [True]
    assert [n.mine for n in member_since(4).apply(changed(message, sender="bob"))] == [False]


def resumed(seq: int, last: int, time: str = "") -> Mirror:
    mirror = Mirror()
    mirror.resume("wob", seq, time)
    mirror.apply(hello({"wob": last}))
    return mirror


def test_what_was_missed_while_the_program_was_down_is_fetched() -> None:
    mirror = resumed(4, 6)
    assert mirror.wanted() == [ListStates("wob", after=4, limit=1000, all=True)]
    assert mirror.apply(said(7)) == []
    notices = answer(mirror, States("wob", (said(5), said(6)), more=False))
    assert [(n.message.seq, n.missed) for n in notices if isinstance(n, Heard)] == [(5, True), (6, True), (7, False)]
    assert notices[-1] == CaughtUp("wob", 2)


def test_who_missed_nothing_is_told_nothing() -> None:
    mirror = resumed(4, 4)
    assert not any(isinstance(request, ListStates) for request in mirror.wanted())
    assert mirror.apply(said(5)) == [Heard(said(5))]


def test_who_was_removed_meanwhile_is_told() -> None:
    mirror = Mirror()
    mirror.resume("wob", 4)
    assert mirror.apply(hello({}))[1:] == [Gone("wob")]


@pytest.mark.parametrize("last", [4, 6])
def test_the_log_that_was_known_is_recognised(last: int) -> None:
    mirror = resumed(4, last, ts(4))
    assert mirror.wanted() == [ListStates("wob", after=3, limit=1000, all=True)]
    assert mirror.apply(said(last + 1)) == []
    notices = answer(mirror, States("wob", tuple(map(said, range(4, last + 1))), more=False))
    assert shown(notices) == list(range(5, last + 2))


@pytest.mark.parametrize("last", [2, 4, 6])
def test_a_log_that_was_begun_anew_is_shown_from_its_beginning(last: int) -> None:
    mirror = resumed(4, last, ts(4))
    log = tuple(changed(said(seq), ts=ts(10 + seq)) for seq in range(1, last + 1))
    if last >= 4:
        assert answer(mirror, States("wob", log[3:], more=False)) == []
    assert mirror.wanted() == [ListStates("wob", after=0, limit=1000, all=True)]
    assert shown(answer(mirror, States("wob", log, more=False))) == list(range(1, last + 1))


def test_a_log_that_was_cut_repeats_nothing() -> None:
    mirror = resumed(4, 3, ts(4))
    log = (said(1), said(2), changed(said(3), ts=ts(9)))
    assert shown(answer(mirror, States("wob", log, more=False))) == [3]


@pytest.mark.parametrize("seq", [-1, 2**53 + 1])
def test_what_is_no_seq_is_not_resumed_from(seq: int) -> None:
    with pytest.raises(ValueError, match="a seq is a number from 0"):
        Mirror().resume("wob", seq)


def test_every_notice_says_whether_it_is_a_message() -> None:
    for notice in (CaughtUp("wob", 1), Missing("wob", 1), Gone("wob"), NoAnswer(Ping())):
        assert (notice.message, notice.missed, notice.quiet, notice.mine) == (None, False, False, False)


def test_the_id_of_somebody_else_is_no_answer() -> None:
    mirror = member_since(4)
    event = changed(said(5), id="theirs")
    assert mirror.apply(event) == [Heard(event)]


def test_a_server_without_ids_answers_in_order() -> None:
    mirror = member_since(4)
    first, second = Say("wob", "a", sender="alice", id="r1"), Say("wob", "b", sender="alice", id="r2")
    for request in (first, second, Ping(id="r3")):
        mirror.sent(request)
    assert mirror.apply(said(5, "x")) == [Heard(said(5, "x"))]
    mine = said(6, "a", sender="alice")
    assert mirror.apply(mine) == [Heard(mine, first, mine=True)]
    assert mirror.apply(Pong(ts(1), 1, "other"))[0].request == Ping(id="r3")
    refused = Error("not-member", "gbroadcast")
    assert mirror.apply(refused) == [Heard(refused, second)]


def test_requests_in_flight_are_reported_when_the_connection_goes() -> None:
    mirror = member_since(4)
    request = Say("wob", "hi", sender="alice", id="r1")
    mirror.sent(request)
    mirror.sent(Ping(id="r2"), quiet=True)
    assert mirror.disconnected() == [NoAnswer(request)]
    assert mirror.disconnected() == []


def test_a_group_lost_while_away_is_reported() -> None:
    mirror = member_since(4)
    mirror.focus("wob")
    mirror.disconnected()
    notices = mirror.apply(hello({}))
    assert notices[1:] == [Gone("wob")]
    assert mirror.current is None
    assert mirror.wanted() == []


def test_a_repeated_invitation_is_shown_once() -> None:
    mirror = Mirror()
    event = Invited("bob", "wob", "alice", 5, ts(5))
    mirror.apply(hello({}))
    assert shown(mirror.apply(event)) == [5]
    mirror.disconnected()
    mirror.apply(hello({}))
    assert mirror.apply(event) == []
    assert mirror.groups[group_key("wob")].is_invited


def test_a_server_that_lost_its_log_is_not_taken_for_repeating_itself() -> None:
    mirror = member_since(9)
    mirror.apply(said(10))
    mirror.disconnected()
    mirror.apply(hello({}))
    created = Created("bob", "wob", 1, ts(30), "bob")
    invited = Invited("bob", "wob", "alice", 2, ts(31))
    assert shown(mirror.apply(invited)) == [2]
    assert shown(mirror.apply(Joined("alice", "wob", 3, ts(32)))) == [3]
    assert mirror.groups[group_key("wob")].is_member
    again = member_since(9)
    assert again.apply(said(10)) == [Heard(said(10))]
    assert shown(again.apply(created)) == [1]


def test_creating_a_group_needs_no_question_and_makes_it_current() -> None:
    mirror = Mirror()
    mirror.apply(hello({}))
    request = Create("Wob", id="r1", sender="alice")
    mirror.sent(request)
    mirror.apply(Created("alice", "Wob", 1, ts(1), "alice", id="r1"))
    assert mirror.current_name == "Wob"
    assert mirror.wanted() == []
    assert mirror.groups[group_key("wob")].group == fold([Created("alice", "Wob", 1, ts(1), "alice", id="r1")])


def test_joining_asks_for_the_members_in_pages() -> None:
    mirror = Mirror()
    mirror.apply(hello({}))
    mirror.apply(Joined("alice", "wob", 9, ts(9)))
    assert mirror.wanted() == [ListMembers("wob")]
    answer(mirror, Members("wob", 9, ("alice", "bob"), ("bob",), "bob", (), ("carl",), more=True))
    assert mirror.wanted() == [ListMembers("wob", after="carl")]
    notices = answer(mirror, Members("wob", 9, ("dan",), ("dan",), "bob", ("eve",), ()))
    assert isinstance(notices[0], Heard)
    assert notices[0].quiet
    group = mirror.groups[group_key("wob")].group
    assert group is not None
    assert list(group.members) == ["alice", "bob", "dan"]
    assert (list(group.invited), list(group.banned), group.owner_name) == (["eve"], ["carl"], "bob")
    assert mirror.online >= {"alice", "bob", "dan"}
    assert mirror.wanted() == []


def test_pages_of_members_with_an_event_between_are_asked_anew() -> None:
    mirror = Mirror()
    mirror.apply(hello({"wob": 9}))
    answer(mirror, Members("wob", 9, ("alice", "bob"), (), "bob", (), (), more=True))
    mirror.apply(said(10))
    answer(mirror, Members("wob", 11, ("dan",), (), "bob", (), ()))
    assert mirror.wanted() == [ListMembers("wob")]


def test_unread_texts_of_others_are_counted_until_the_group_is_current() -> None:
    mirror = member_since(4)
    mirror.apply(said(5))
    mirror.apply(said(6, sender="alice"))
    mirror.apply(Joined("dan", "wob", 7, ts(7)))
    view = mirror.groups[group_key("wob")]
    assert view.unread == 1
    mirror.focus("WOB")
    assert view.unread == 0
    mirror.apply(said(8))
    assert view.unread == 0


def test_who_is_out_of_a_group_has_nothing_unread_there() -> None:
    mirror = member_since(4)
    mirror.apply(said(5))
    mirror.apply(Kicked("bob", "wob", "alice", "", 6, ts(6)))
    assert mirror.groups[group_key("wob")].unread == 0


def test_who_is_online_is_learned_from_what_passes() -> None:
    mirror = Mirror()
    mirror.apply(hello({}))
    mirror.apply(PresenceNotice("server", "connect", "bob"))
    mirror.apply(Users(("alice", "bob", "dan")))
    mirror.apply(PresenceNotice("server", "disconnect", "bob"))
    mirror.apply(Groups(("dev", "wob")))
    assert mirror.online == {"alice", "dan"}
    assert set(mirror.users) == {"alice", "bob", "dan"}
    assert mirror.listed == {"dev": "dev", "wob": "wob"}


def test_being_kicked_ends_the_membership_and_the_current_group() -> None:
    mirror = member_since(4)
    mirror.focus("wob")
    mirror.apply(Kicked("bob", "wob", "alice", "spam", 5, ts(5)))
    assert mirror.current is None
    assert not mirror.groups[group_key("wob")].is_member
    assert shown(mirror.apply(Banned("bob", "wob", "alice", "", 9, ts(9)))) == [9]
    assert shown(mirror.apply(Unbanned("bob", "wob", "alice", 12, ts(12)))) == [12]
    assert shown(mirror.apply(Left("alice", "wob", 12, ts(12)))) == []


def test_a_broadcast_answers_only_who_sent_it() -> None:
    mirror = Mirror()
    mirror.apply(hello({}))
    mirror.sent(Broadcast("hi", sender="alice", id="r1"))
    assert mirror.apply(PublicMessage("bob", "hi", ts(1)))[0].request is None
    assert mirror.apply(PublicMessage("alice", "hi", ts(1)))[0].request == Broadcast("hi", sender="alice", id="r1")


def test_a_request_without_id_cannot_be_told_from_others() -> None:
    with pytest.raises(ValueError, match="id"):
        Mirror().sent(Hello(sender="alice"))


NAMES = ("alice", "bob", "carl")


class World:
    """A server of one group, one watched client (alice) behind a wire that may be cut, and an oracle."""

    def __init__(self) -> None:
        self.mirror = Mirror()
        self.group: Group | None = None
        self.log: list[Event] = []
        self.wire: list[Message] | None = None
        self.expected: list[Event] = []
        self.due: list[Event] = []  # what alice must be shown sooner or later
        self.shown: list[Event] = []
        self.is_refused = False  # alice asked for what she missed when she was no member any more

    def happen(self, actor: str, request: GroupRequest, id: str | None = None) -> None:
        try:
            event = decide(self.group, request, actor, ts=ts(len(self.log)), known_dest=getattr(request, "dest", None))
        except Refused as refused:
            if id is not None and self.wire is not None:
                self.wire.append(Error(str(refused.code), request.action, id=id))
            return
        if event.seq <= len(self.log):
            return
        before = self.group
        self.group = evolve(before, event)
        self.log.append(event)
        told = {*(before.members if before else ()), *self.group.members, *outsiders(before, event, self.group)}
        me = user_key("alice")
        was = before is not None and me in before.members
        if me in told and (self.wire is not None or was or me in self.group.members):
            self.due.append(event)
        if me in told and self.wire is not None:
            self.wire.append(changed(event, id=id))

    def connect(self) -> None:
        if self.wire is not None:
            return
        me = user_key("alice")
        is_member = self.group is not None and me in self.group.members
        view = self.mirror.groups.get(group_key("wob"))
        knew = view is not None and view.is_member
        if not (is_member and knew):
            self.due = []  # a stretch that began or ended unseen is not fetched
        self.wire = [hello({"wob": len(self.log)} if is_member else {})]
        if self.group is not None and me in self.group.invited:
            event = self.group.invited[me]
            self.wire.append(event)
            if event not in self.shown:
                self.due.append(event)

    def cut(self) -> None:
        if self.wire is not None:
            self.wire = None
            self.mirror.disconnected()

    def restart(self) -> None:
        """The client's program ends, and another one begins where it was."""
        view = self.mirror.groups.get(group_key("wob"))
        self.cut()
        self.mirror = Mirror()
        if view is not None and view.ts:
            self.mirror.resume("wob", view.seq, view.ts)

    def deliver(self) -> None:
        if not self.wire:
            return
        for notice in self.mirror.apply(self.wire.pop(0)):
            assert self.is_refused or not isinstance(notice, Missing)
            if isinstance(notice, Heard) and isinstance(notice.message, Event):
                event = changed(notice.message, id=None)
                self.shown.append(event)
        self.pump()

    def pump(self) -> None:
        for wanted in self.mirror.wanted():
            request = changed(wanted, id=next(_ids))
            self.mirror.sent(request, quiet=True)
            assert self.wire is not None
            self.wire.append(self.reply(request))

    def reply(self, request: Request) -> Message:
        group = self.group
        if group is None or user_key("alice") not in group.members:
            self.is_refused = True  # what is on its way to her still comes, what she missed does not
            coming = [changed(event, id=None) for event in self.wire or () if isinstance(event, Event)]
            self.due = [event for event in self.due if changed(event, id=None) in [*coming, *self.shown]]
            return Error("not-member", request.action, id=request.id)
        if isinstance(request, ListStates):
            assert request.after is not None
            assert request.all
            page = tuple(self.log[request.after : request.after + 3])
            return States("wob", page, request.after + 3 < len(self.log), id=request.id)
        assert isinstance(request, ListMembers)
        invited = tuple(event.dest for event in group.invited.values())
        members, banned = tuple(group.members.values()), tuple(group.banned.values())
        return Members("wob", group.seq, members, members, group.owner_name, invited, banned, id=request.id)

    def settle(self) -> None:
        self.connect()
        while self.wire:
            self.deliver()


def _requests() -> st.SearchStrategy[GroupRequest]:
    target = st.sampled_from(NAMES)
    return st.one_of(
        *[st.just(Say("wob", "hi"))] * 4,
        *[st.just(Join("wob"))] * 3,
        st.just(Leave("wob")),
        st.builds(lambda dest: Invite("wob", dest), target),
        st.builds(lambda dest: Kick("wob", dest), target),
        st.builds(lambda dest: Ban("wob", dest), target),
        st.builds(lambda dest: Unban("wob", dest), target),
    )


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(NAMES), _requests()),
        st.sampled_from(["connect", "cut", "restart", "deliver", "deliver", "deliver", "settle"]),
    ),
    max_size=60,
)


@settings(max_examples=400, deadline=None)
@given(creator=st.sampled_from(NAMES), private=st.booleans(), steps=STEPS)
def test_no_history_of_cuts_shows_a_duplicate_or_leaves_a_gap(creator: str, private: bool, steps: list) -> None:
    world = World()
    world.connect()
    world.happen(creator, Create("wob", private))
    for step in steps:
        if isinstance(step, tuple):
            actor, request = step
            world.happen(actor, request)
        else:
            getattr(world, step)()
        seqs = [event.seq for event in world.shown]
        assert seqs == sorted(set(seqs)), "shown in order, each once"
    world.settle()
    seqs = [event.seq for event in world.shown]
    assert seqs == sorted(set(seqs))
    assert {event.seq for event in world.due} <= set(seqs), "what was due was shown"
    view = world.mirror.groups.get(group_key("wob"))
    if world.group is not None and view is not None and "alice" in world.group.members:
        assert view.is_member
        assert world.mirror.wanted() == []
        mine, theirs = view.group, world.group
        assert mine is not None
        assert (set(mine.members), mine.owner) == (set(theirs.members), theirs.owner)
        assert (set(mine.invited), set(mine.banned)) == (set(theirs.invited), set(theirs.banned))


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(["told", "told", "lost", "twice", "cut"]), min_size=1, max_size=40),
    st.integers(1, 4),
)
def test_a_member_sees_every_seq_once_whatever_is_dropped_or_repeated(fates: list[str], page: int) -> None:
    mirror, log, seen = member_since(0), [], []

    def take(message: Message) -> None:
        seen.extend(shown(mirror.apply(message)))
        while wanted := [r for r in mirror.wanted() if isinstance(r, ListStates)]:
            request = changed(wanted[0], id=next(_ids))
            mirror.sent(request, quiet=True)
            after = request.after or 0
            seen.extend(
                shown(
                    mirror.apply(
                        States("wob", tuple(log[after : after + page]), after + page < len(log), id=request.id)
                    )
                )
            )

    for seq, fate in enumerate([*fates, "told"], 1):
        log.append(said(seq))
        if fate == "cut":
            mirror.disconnected()
            take(hello({"wob": seq}))
        for _ in range({"told": 1, "twice": 2}.get(fate, 0)):
            take(said(seq))
    assert seen == list(range(1, len(log) + 1))


@pytest.mark.parametrize("page", ["the same names", "other names, always lower", "a group that always moved on"])
def test_a_list_of_members_that_never_ends_is_not_asked_for_without_end(page: str) -> None:
    mirror = Mirror("alice")
    mirror.apply(hello({"wob": 9}))
    asked = 0
    while (wanted := mirror.wanted()) and asked < 100:
        asked += 1
        seq = 9 + asked if page == "a group that always moved on" else 9
        name = f"m{99 - asked:02}" if page == "other names, always lower" else f"x{asked:02}" if seq > 9 else "bob"
        assert wanted[0].action == "members"
        answer(mirror, Members("wob", seq, (name,), (), name, (), (), more=True))
    assert asked <= 25
    mirror.apply(hello({"wob": 200}))
    assert mirror.wanted(), "after a reconnect it is tried again"


def test_a_list_of_ever_more_members_ends_some_time() -> None:
    mirror = Mirror("alice")
    mirror.apply(hello({"wob": 9}))
    asked = 0
    while mirror.wanted() and asked < 200:
        asked += 1
        names = tuple(f"m{asked:03}.{number:03}" for number in range(1000))
        answer(mirror, Members("wob", 9, names, (), "bob", (), (), more=True))
    assert asked == 100
