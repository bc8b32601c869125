"""JSON texts and messages: what is about Python; the bytes themselves are in spec/vectors/codec.json."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Any

import pytest
from attrs import evolve, fields
from hypothesis import example, given
from hypothesis import strategies as st

from libtchat.group import Group, fold
from libtchat.message.errors import ErrorCode, ProtocolError
from libtchat.message.event import EVENTS, Banned, Created, Event, Invited, Joined, Kicked, Left, Said
from libtchat.message.names import UserKey
from libtchat.message.reply import (
    REPLIES,
    DirectMessage,
    Error,
    Goodbye,
    Groups,
    Members,
    Message,
    Messages,
    PresenceNotice,
    PublicMessage,
    States,
    Users,
    Welcome,
)
from libtchat.message.request import (
    REQUESTS,
    Ban,
    Create,
    Hello,
    ListGroups,
    ListMessages,
    ListStates,
    ListUsers,
    Ping,
    Request,
)
from libtchat.wire import strict_json
from libtchat.wire.codec import (
    WHO,
    Foreign,
    Violation,
    decode_event,
    decode_message,
    decode_request,
    encode,
    encode_page,
    encode_request,
    read_message,
)
from libtchat.wire.fields import shape_of
from libtchat.wire.snapshot import decode_group, encode_group
from libtchat.wire.wording import describe

TS = "2026-01-31T10:42:00.123Z"

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
ids = texts.filter(lambda text: len(text.encode()) <= 64)
names = st.lists(texts, max_size=4).map(tuple)
numbers = st.integers(0, 2**53)

# The values of a field, by its name or its type's; what a class may omit is also None.
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "id": st.none() | ids,
    "limit": st.none() | st.integers(1, 1000),
    "retry_after": st.none() | st.integers(0, 10**6).map(lambda n: n / 1000),
    "code": st.sampled_from([*map(str, ErrorCode), "later-code"]),
    "seqs": st.dictionaries(texts, numbers, max_size=3),
    "event": st.sampled_from(["connect", "disconnect"]),
    "str": texts,
    "str | None": st.none() | texts,
    "int": numbers,
    "int | None": st.none() | numbers,
    "bool": st.booleans(),
    "str | int | None": st.none() | texts | numbers,
    "tuple[str, ...]": names,
    "tuple[str, ...] | None": st.none() | names,
}


def instances(kind: type[Any]) -> st.SearchStrategy[Any]:
    def value(name: str, annotation: Any) -> st.SearchStrategy[Any]:
        annotation = annotation.__name__ if isinstance(annotation, type) else str(annotation)
        if "Said" in annotation:
            return st.lists(instances(EVENTS["gbroadcast"]), max_size=3).map(tuple)
        if "event." in annotation or "Event" in annotation:
            return st.lists(st.one_of(*map(instances, EVENTS.values())), max_size=3).map(tuple)
        if name == "code" and kind is not Error:
            name = ""
        return VALUES[name] if name in VALUES else VALUES[annotation]

    return st.builds(kind, **{a.name: value(a.name, a.type) for a in fields(kind)})


requests = st.one_of(*map(instances, REQUESTS.values())).map(
    lambda request: (
        evolve(request, before=None)
        if isinstance(request, ListMessages | ListStates) and request.after is not None
        else request
    )
)
messages: st.SearchStrategy[Message] = st.one_of(*map(instances, (*EVENTS.values(), *REPLIES.values(), PresenceNotice)))


def both(act: Any) -> tuple[Any, Any]:
    """What *act* returns with either backend."""
    before, results = strict_json.backend(), []
    for name in ("orjson", "stdlib"):
        strict_json.use_backend(name)  # type: ignore[arg-type]
        try:
            results.append(act())
        finally:
            strict_json.use_backend(before)
    return results[0], results[1]


# there and back


@given(request=requests)
def test_a_request_comes_back_as_it_was(request: Request) -> None:
    one, other = both(lambda: encode_request(request))
    assert one == other
    expected = evolve(request, sender=None) if not WHO[type(request)] and hasattr(request, "sender") else request
    assert both(lambda: decode_request(one)) == (expected, expected)


@given(message=messages)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    one, other = both(lambda: encode(message))
    assert one == other
    expected = evolve(message, msg=describe(message)) if isinstance(message, Error) else message
    assert both(lambda: decode_message(one)) == (expected, expected)


@given(message=messages)
def test_every_message_is_one_line_with_an_action_first_and_a_msg(message: Message) -> None:
    line = encode(message)
    assert line.startswith(b'{"action":"')
    assert b"\n" not in line
    assert b"\r" not in line
    found = json.loads(line)
    assert found["action"] == message.action
    assert isinstance(found["msg"], str)
    if not isinstance(message, Said | DirectMessage | PublicMessage | Error):
        assert found["msg"].strip()
        assert found["msg"].splitlines() == [found["msg"]]
    who = getattr(message, "sender", None)
    assert (found.get("sender"), found.get("from")) == (who, who)
    assert None not in found.values()


def test_a_known_message_is_these_bytes() -> None:
    said = Said("alice", "wob", 'é "x"\n', 12, TS, "q1")
    expected = (
        '{"action":"gbroadcast","sender":"alice","from":"alice","group":"wob","msg":"é \\"x\\"\\n",'
        f'"seq":12,"ts":"{TS}","id":"q1"}}'
    )
    assert both(lambda: encode(said)) == (expected.encode(), expected.encode())


@pytest.mark.usefixtures("backend")
@given(event=instances(Said))
def test_a_text_is_written_like_any_other_event(event: Said) -> None:
    who = {"sender": event.sender, "from": event.sender}
    assert encode(event) == strict_json.dumps({"action": event.action, **who, **shape_of(Said).write(event)})


def test_lists_and_reasons_are_written_even_when_they_are_empty() -> None:
    assert json.loads(encode(Welcome("a", 1, "s", "t"))).items() >= {"groups": [], "seqs": {}}.items()
    assert json.loads(encode(Groups(()))).items() >= {"list": [], "private": [], "mine": []}.items()
    assert json.loads(encode(Kicked("a", "w", "b", "", 2, TS)))["reason"] == ""
    assert json.loads(encode_request(Ban("w", "b")))["reason"] == ""
    assert "invited" not in json.loads(encode(Members("w", 1, ("a",), ())))
    assert json.loads(encode(Members("w", 1, ("a",), (), invited=())))["invited"] == []
    assert json.loads(encode(Messages("w", (), False))).keys() == {"action", "group", "list", "more", "msg"}


@pytest.mark.parametrize(
    ("request_", "who"),
    [
        (Hello(sender="alice"), {"from", "name", "sender"}),
        (ListUsers(sender="alice"), {"from", "name", "sender"}),
        (Create("wob", sender="alice"), {"sender", "from", "name"}),
        (ListGroups(sender="alice"), {"name", "sender", "from"}),
        (Ping(), set()),
        (Hello(), set()),
    ],
)
def test_a_client_writes_who_asks_where_servers_look_for_it(request_: Request, who: set[str]) -> None:
    found = json.loads(encode_request(request_))
    assert {key for key in ("sender", "from", "name", "user") if found.get(key) == "alice"} == who


# whatever comes

fragments = st.sampled_from(
    [
        *(b"{", b"}", b"[", b"]", b":", b",", b'"', b"\\", b"\\u0000", b"\\ud800", b"null", b"true", b" ", b"\n"),
        *(b"1", b"-0", b"1e999", b"NaN", b"9" * 30, b"9" * 400, b"\xff", b"\xc3\xa9", b"[[[[[[[["),
        *(b'"action"', b'"join"', b'"a":1,'),
    ]
)


@given(data=st.binary(max_size=100) | st.lists(fragments, max_size=12).map(b"".join))
def test_any_bytes_are_a_request_or_a_violation_with_either_backend(data: bytes) -> None:
    one, other = both(lambda: decode_request(data))
    assert one == other
    assert isinstance(one, Request | Violation)


@given(request=requests, at=st.integers(0, 500), cut=st.integers(0, 8), put=st.lists(fragments, max_size=3))
@example(request=Hello(sender="a"), at=2, cut=0, put=[])
def test_a_spoilt_request_is_judged_the_same_with_either_backend(
    request: Request, at: int, cut: int, put: list[bytes]
) -> None:
    frame = encode_request(request)
    at %= len(frame)
    spoilt = frame[:at] + b"".join(put) + frame[at + cut :]
    one, other = both(lambda: decode_request(spoilt))
    assert one == other
    assert isinstance(one, Request | Violation)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELD_NAMES = ["sender", "from", "name", "group", "groupe", "msg", "text", "dest", "to", "id", "limit", "after", "all"]


@given(
    action=st.sampled_from([*REQUESTS, "cgroup", "messages", "dance"]),
    found=st.dictionaries(st.sampled_from([*FIELD_NAMES, "private", "type", "isPublic", "x"]), json_values),
    ascii_only=st.booleans(),
)
def test_any_object_is_a_request_or_says_which_field_is_wrong(
    action: str, found: dict[str, Any], ascii_only: bool
) -> None:
    frame = json.dumps({**found, "action": action}, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    one, other = both(lambda: decode_request(frame))
    assert one == other
    if isinstance(one, Violation):
        assert not one.fatal
        assert (one.field is None) == (one.code in (ErrorCode.BAD_JSON, ErrorCode.UNKNOWN_ACTION))


@given(data=st.binary(max_size=60) | st.lists(fragments, max_size=12).map(b"".join) | messages.map(encode))
def test_a_client_reads_anything(data: bytes) -> None:
    assert isinstance(read_message(data), Message | Foreign)


@given(found=st.dictionaries(st.sampled_from([*FIELD_NAMES, "list", "data", "seq", "ts", "event"]), json_values))
@pytest.mark.parametrize("action", [*REQUESTS, *REPLIES, "server-join", "server-messages", "group-members"])
def test_a_client_reads_any_object(action: str, found: dict[str, Any]) -> None:
    frame = json.dumps({"action": action, **found}).encode()
    one, other = both(lambda: read_message(frame))
    assert one == other
    assert isinstance(one, Message | Foreign)


# sizes


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(("field", "limit"), [("msg", 8192), ("reason", 390), ("id", 64)])
@pytest.mark.parametrize("char", ["x", "é", "😀"])
def test_a_text_may_have_so_many_bytes_and_no_more(field: str, limit: int, char: str) -> None:
    base = {"action": "kick", "sender": "a", "group": "w", "dest": "b", "msg": ""}
    base["action"] = {"msg": "gbroadcast", "reason": "kick", "id": "leave"}[field]
    size = len(char.encode())
    text = char * (limit // size) + "x" * (limit % size)
    item = decode_request(json.dumps({**base, field: text}).encode())
    assert not isinstance(item, Violation)
    assert getattr(item, field) == text
    item = decode_request(json.dumps({**base, field: text + "x"}).encode())
    assert isinstance(item, Violation)
    code = ErrorCode.BAD_REQUEST if field == "id" else ErrorCode.TOO_LARGE
    assert (item.code, item.field, item.limit, item.fatal) == (code, field, limit, False)


def test_a_page_has_as_many_entries_as_the_protocol_says() -> None:
    assert isinstance(decode_request(b'{"action":"msgs","group":"w","limit":1000}'), ListMessages)
    item = decode_request(b'{"action":"msgs","group":"w","limit":1001}')
    assert isinstance(item, Violation)
    assert (item.field, item.detail) == ("limit", "limit is a number from 1 to 1000")


@pytest.mark.usefixtures("backend")
@given(
    values=st.lists(json_values, max_size=6), text=st.text(st.sampled_from('a,"\\[{'), max_size=20), spare=st.booleans()
)
def test_commas_outside_strings_are_counted_before_anything_is_read(values: list[Any], text: str, spare: bool) -> None:
    frame = json.dumps({"action": "ping", "x": [*values, text]})
    commas = re.sub(r'"(?:[^"\\]|\\.)*"', "", frame).count(",")
    read = partial(strict_json.loads, frame.encode(), max_keys=100, max_depth=100)
    if spare:
        assert read(max_commas=commas)["action"] == "ping"
    else:
        with pytest.raises(ProtocolError, match="commas"):
            read(max_commas=commas - 1)


def test_more_strings_than_commas_and_keys_can_part_are_not_even_counted() -> None:
    item = decode_request(b'{"action":"ping","x":["' + b',""' * 2000 + b'"]}')  # every comma is inside a string
    assert isinstance(item, Violation)
    assert "commas" in item.detail


# what a violation tells

WHOLE = '"from":"alice","group":"wob","to":"bob","id":"q1"'


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (f'{{{WHOLE},"action":"kick","reason":1}}', ("bad-request", "kick", "alice", "wob", "bob", "q1", True)),
        (f'{{{WHOLE},"action":"cgroup","type":1}}', ("bad-request", "cgroup", "alice", "wob", None, "q1", True)),
        ('{"action":"join","from":"a"}', ("bad-request", "join", "a", None, None, None, True)),
        ('{"action":"join","from":7,"group":"w"}', ("bad-request", "join", None, "w", None, None, True)),
        ('{"action":"join","id":"%s"}' % ("x" * 65), ("bad-request", "join", None, None, None, None, True)),
        ('{"action":"kick","group":"\\ud800"}', ("bad-request", "kick", None, None, None, None, True)),
        ('{"action":"client-hello","from":7}', ("bad-request", "client-hello", None, None, None, None, False)),
        ('{"action":"register","sender":"a"}', ("bad-request", "register", "a", None, None, None, False)),
        ('{"action":"ping","id":7}', ("bad-request", "ping", None, None, None, None, False)),
        ('{"action":"dance","sender":"a","id":"q"}', ("unknown-action", "dance", "a", None, None, "q", False)),
        ('{"action":7,"sender":"a","id":"q"}', ("bad-request", None, "a", None, None, "q", False)),
        ("{", ("bad-json", None, None, None, None, None, False)),
    ],
)
def test_a_violation_tells_who_asked_for_what(frame: str, expected: tuple[Any, ...]) -> None:
    item = decode_request(frame.encode())
    assert isinstance(item, Violation)
    assert (item.code, item.request, item.sender, item.group, item.dest, item.id, item.identifies) == expected


# pages

EVENTS_OF_WOB: tuple[Event, ...] = (
    Created("alice", "wob", 1, TS, "alice", True),
    Joined("bob", "wob", 2, TS),
    Said("bob", "wob", "yo\nthere", 3, TS),
    Invited("alice", "wob", "carol", 4, TS, "q"),
    Banned("alice", "wob", "dave", "spam\nspam", 5, TS),
    Left("alice", "wob", 6, TS, "bob"),
)


@pytest.mark.usefixtures("backend")
@given(events=st.lists(instances(Said), max_size=4), more=st.booleans(), page_id=st.none() | ids)
@pytest.mark.parametrize("kind", [Messages, States])
def test_a_page_made_of_lines_is_the_page_made_of_events(
    kind: type[Messages | States], events: list[Said], more: bool, page_id: str | None
) -> None:
    first, last = (events[0].seq, events[-1].seq) if events else (None, None)
    page = kind("wob", tuple(events), more, first, last, page_id)
    lines = [encode(event) for event in events]
    spliced = encode_page(kind.action, "wob", lines, more=more, first=first, last=last, id=page_id)
    assert spliced == encode(page)
    assert decode_message(spliced) == page


def test_the_msg_of_a_page_is_its_last_texts() -> None:
    lines = [encode(event) for event in EVENTS_OF_WOB]
    page = json.loads(encode_page("states", "wob", lines, more=False, first=1, last=6, id=None))
    assert page["list"] == [json.loads(line) for line in lines]
    assert page["msg"] == (
        "alice created wob / bob joined wob / bob: yo there / alice invited carol to wob (j;wob to join)"
        " / alice banned dave from wob: spam spam / alice left wob"
    )


def test_a_page_decodes_no_more_lines_than_its_msg_needs() -> None:
    lines = [b"these are never decoded", *(encode(Said("a", "w", "x" * 400, seq, TS)) for seq in (2, 3, 4))]
    page = encode_page("msgs", "w", lines, more=True, first=1, last=4, id=None)
    assert f'"msg":"a: {"x" * 400} / a: {"x" * 400}"'.encode() in page


# groups


@given(data=st.data())
def test_a_group_comes_back_with_its_members_in_their_order(data: st.DataObject) -> None:
    keyed = st.dictionaries(texts, texts, max_size=5)
    owner = data.draw(st.none() | texts)
    group = Group(
        data.draw(texts),
        data.draw(st.booleans()),
        data.draw(numbers),
        TS,
        None if owner is None else UserKey(owner),
        {UserKey(key): name for key, name in data.draw(keyed).items()},
        {
            UserKey(key): event
            for key, event in data.draw(st.dictionaries(texts, instances(Invited), max_size=3)).items()
        },
        {UserKey(key): name for key, name in data.draw(keyed).items()},
    )
    one, other = both(lambda: encode_group(group))
    assert one == other
    read = decode_group(one)
    assert read == group
    assert [*read.members] == [*group.members]


def test_a_fold_comes_back_from_its_snapshot() -> None:
    group = fold(EVENTS_OF_WOB)
    assert group is not None
    assert decode_group(encode_group(group)) == group


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("damage", [b"", b"{}", b"[]", b'{"name":"w"}', b"\xff"])
def test_a_damaged_snapshot_is_a_protocol_error(damage: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_group(damage)


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", "bad-json"),
        (encode(Goodbye("a")), "unknown-action"),
        (b'{"action":"dance"}', "unknown-action"),
        (b'{"action":["join"]}', "unknown-action"),
        (b'{"action":"join","sender":"a","group":"w","seq":true,"ts":"t"}', "bad-request"),
        (b'{"action":"join","sender":"a","group":"w","seq":1}', "bad-request"),
        (b'{"action":"join","sender":"a\\u0000","group":"w","seq":1,"ts":"t"}', "bad-request"),
    ],
)
def test_what_is_no_event_is_a_protocol_error(line: bytes, code: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        decode_event(line)
    assert caught.value.code == code


# other people's servers


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ('{"action":"client-send","from":"a","to":"b","msg":"x"}', DirectMessage("a", "b", "x", "")),
        ('{"action":"server-send","user":"a","dest":"b","content":"x"}', DirectMessage("a", "b", "x", "")),
        ('{"action":"client-broadcast","from":"a","message":"x"}', PublicMessage("a", "x", "")),
        ('{"action":"server-list-clients","msg":["a","b"]}', Users(("a", "b"))),
        ('{"action":"client-list-clients","clients":[{"name":"a"},{"from":"b"}]}', Users(("a", "b"))),
        ('{"action":"server-groups","groups":["w"]}', Groups(("w",))),
        ('{"action":"server-members","group":"w","membres":["a"]}', Members("w", 0, ("a",), ())),
        ('{"action":"group-members","groupe":"w","data":[{"user":"a"}]}', Members("w", 0, ("a",), ())),
        ('{"action":"server-error","error":"no"}', Error("failed", msg="no")),
        ('{"action":"server-error","code":"E1","message":"no"}', Error("E1", msg="no")),
        ('{"action":"server-quit"}', Goodbye()),
        (
            '{"action":"messages","group":"w","messages":[{"from":"a","group":"w","content":"x","seq":3}]}',
            Messages("w", (Said("a", "w", "x", 3, ""),), False),
        ),
        ('{"messageFormat":{"action":"server-groups","list":[]}}', Groups(())),
    ],
)
def test_another_servers_message_is_understood(frame: str, expected: Message) -> None:
    assert read_message(frame.encode()) == expected


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize(
    ("frame", "text"),
    [
        ('{"action":"server-gbroadcast","sender":"a","group":"w","msg":"hi"}', "a: hi"),
        ('{"action":"join","sender":"a","group":"w"}', "a joined w"),
        ('{"action":"cgroupe","sender":"a","group":"w"}', "a created w"),
        ('{"action":"msgs","group":"w","list":[{"from":"a","msg":"1"},{"from":"b","msg":"2"}]}', "a: 1 / b: 2"),
        ('{"action":"msgs","group":"w","list":["a: 1"],"message":"old: a: 1"}', "old: a: 1"),
        ('{"action":"news","text":"hello"}', "hello"),
        ('{"msg":"hello"}', "hello"),
        ('{"a":1}', '{"a":1}'),
        ("{oops}", "{oops}"),
    ],
)
def test_what_is_not_understood_is_shown_as_its_text(frame: str, text: str) -> None:
    assert read_message(frame.encode()) == Foreign(text, frame)


def test_bytes_that_are_no_text_are_shown_as_far_as_they_are() -> None:
    assert read_message(b'{"msg":"\xff"}') == Foreign("\ufffd", '{"msg":"\ufffd"}')
