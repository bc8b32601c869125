"""The specification holds together: ids, examples, tables and schemas, in English and in French."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from jsonschema.validators import extend

from libtchat.message.direct import KEPT, Sent
from libtchat.message.errors import ErrorCode, ProtocolError, Violation
from libtchat.message.event import EVENTS
from libtchat.message.limits import (
    DEFAULT_LIMITS,
    MAX_DEPTH,
    MAX_FRAME_BYTES,
    MAX_GROUP_CHARS,
    MAX_ID_BYTES,
    MAX_KEYS,
    MAX_MSG_BYTES,
    MAX_NAME_CHARS,
    MAX_REASON_BYTES,
)
from libtchat.message.reply import REPLIES, PresenceNotice
from libtchat.message.request import REQUESTS
from libtchat.wire.codec import decode_message, decode_request, encode
from libtchat.wire.spelling import ACTIONS, FIELDS, PRIVACY_TEXTS, PUBLIC_FLAGS, WRAPPER

SPEC = Path(__file__).parents[2] / "spec"
ENGLISH = (SPEC / "protocol.md").read_text("utf-8")
FRENCH = (SPEC / "protocole.md").read_text("utf-8")
SCHEMAS: Mapping[str, Any] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted((SPEC / "schema").glob("*.json"))
}

RULE = re.compile(r"^- \*\*(R-[a-z0-9-]+)\*\*( \((?:SHOULD|MAY)\))? (.+)$", re.MULTILINE)
MENTION = re.compile(r"\bR-[a-z0-9]+(?:-[a-z0-9]+)+")
RFC_2119 = re.compile(r"\b(MUST|SHALL|SHOULD|MAY|REQUIRED|RECOMMENDED|OPTIONAL)\b")
CODE = re.compile(r"`([^`\n]+)`")


def strict_integer(_checker: object, instance: object) -> bool:
    """spec/schema/README.md: an integer is written without fraction or exponent."""
    return isinstance(instance, int) and not isinstance(instance, bool)


STRICT_TYPES = Draft202012Validator.TYPE_CHECKER.redefine("integer", strict_integer)
Validator = extend(Draft202012Validator, type_checker=STRICT_TYPES)  # type: ignore[no-untyped-call]


KINDS: Mapping[str, type] = {
    **KEPT,
    **REPLIES,
    **EVENTS,
    "presence": PresenceNotice,
    "kept-text": Sent,
}
"""The definitions of what a server sends -> the classes."""


@cache
def validator(schema: str, definition: str) -> Any:
    return Validator({**SCHEMAS[schema], "oneOf": [{"$ref": f"#/$defs/{definition}"}]})


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def prose(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def rows(text: str) -> list[str]:
    return [line for line in prose(text).splitlines() if line.startswith("|")]


def headings(text: str) -> list[str]:
    return [line for line in prose(text).splitlines() if line.startswith("#")]


def examples() -> list[dict[str, Any]]:
    return [json.loads(line) for block in blocks(ENGLISH, "json") for line in block.splitlines()]


def is_from_server(message: Mapping[str, Any]) -> bool:
    """Whatever a server sends has a `msg`; of the requests with one only gbroadcast has a server's action."""
    action = message["action"]
    return action in SCHEMAS["server"]["$defs"] and "msg" in message and (action != "gbroadcast" or "seq" in message)


def definition(message: Mapping[str, Any]) -> tuple[str, str]:
    if not is_from_server(message):
        return "requests", message["action"]
    return "server", "presence" if "event" in message else message["action"]


def test_every_requirement_has_its_own_id() -> None:
    ids = [rule[0] for rule in RULE.findall(ENGLISH)]
    assert len(ids) > 100
    assert len(ids) == len(set(ids))


def test_a_requirement_says_its_level() -> None:
    for id, level, sentence in RULE.findall(ENGLISH):
        assert set(RFC_2119.findall(sentence)) == {level.strip(" ()") or "MUST"}, id
        assert sentence.endswith("."), id


def test_rfc_2119_words_stand_in_requirements_only() -> None:
    loose = [line for line in prose(ENGLISH).splitlines() if RFC_2119.search(line) and not RULE.match(line)]
    explained = ["The words MUST, MUST NOT,", "A rule marked (SHOULD) ma"]
    assert [line[:25] for line in loose] == explained


@pytest.mark.parametrize("text", [ENGLISH, FRENCH], ids=["english", "french"])
def test_every_id_that_is_mentioned_exists(text: str) -> None:
    ids = {rule[0] for rule in RULE.findall(ENGLISH)}
    assert set(MENTION.findall(text)) - {"R-join-once"} <= ids


@pytest.mark.parametrize("text", [ENGLISH, FRENCH], ids=["english", "french"])
def test_every_link_leads_to_a_heading(text: str) -> None:
    anchors = [re.sub(r"[^\w\- ]", "", line.lstrip("# ").lower()).replace(" ", "-") for line in headings(text)]
    assert len(anchors) == len(set(anchors))
    links = re.findall(r"\]\(#([^)]+)\)", text.replace("\n", " "))
    assert links
    assert set(links) <= set(anchors)


@pytest.mark.parametrize("action", sorted({*REQUESTS, "error"}))
def test_every_request_has_an_anchor(action: str) -> None:
    assert f"### {action}" in headings(ENGLISH)


@pytest.mark.parametrize("action", sorted({*REQUESTS, *REPLIES, *EVENTS, *KEPT}))
def test_every_message_has_an_example(action: str) -> None:
    kinds = {definition(message) for message in examples() if message["action"] == action}
    assert {schema for schema, _ in kinds} == {
        *(["requests"] if action in REQUESTS else []),
        *(["server"] if action in REPLIES or action in EVENTS or action in KEPT else []),
    }


@pytest.mark.parametrize("message", examples(), ids=lambda message: "-".join(definition(message)))
def test_every_example_validates(message: dict[str, Any]) -> None:
    validator(*definition(message)).validate(message)


@pytest.mark.parametrize("message", examples(), ids=lambda message: "-".join(definition(message)))
def test_every_example_says_sender_and_from_alike(message: dict[str, Any]) -> None:
    assert not is_from_server(message) or message.get("sender") == message.get("from")


def test_the_error_codes_are_those_of_the_library() -> None:
    section = ENGLISH.partition("### Error codes")[2].partition("\n#")[0]
    assert [CODE.findall(row)[0] for row in rows(section)[2:]] == [str(code) for code in ErrorCode]


def test_the_other_spellings_are_those_the_library_reads() -> None:
    section = ENGLISH.partition("## Accepted, never sent")[2].partition("\n#")[0]
    table = {
        name.strip(): CODE.findall(read) for name, read in (row.strip("|").split("|") for row in rows(section)[2:])
    }
    actions = {name: [other for other, action in ACTIONS.items() if action == name] for name in ACTIONS.values()}
    fields = {"who asks" if name == "sender" else f"`{name}`": [*others] for name, others in FIELDS.items()}
    assert table == {
        **fields,
        "who asks": ["sender", *FIELDS["sender"]],
        **{f"`{name}`": others for name, others in actions.items()},
        "`private: true`": [*(f"{name}: false" for name in PUBLIC_FLAGS), *PRIVACY_TEXTS, "priv"],
        "the object itself": [WRAPPER],
    }


def test_every_code_that_is_named_is_an_error_code() -> None:
    named = {code for line in ENGLISH.splitlines() if "efused with" in line for code in CODE.findall(line)}
    hyphenated = {word for word in named if re.fullmatch(r"(?!client-|server-)[a-z]+(-[a-z]+)+", word)}
    assert hyphenated
    assert hyphenated <= {str(code) for code in ErrorCode}


def test_the_limits_are_those_of_the_library() -> None:
    section = ENGLISH.partition("### Limits")[2].partition("\n#")[0]
    limits = DEFAULT_LIMITS
    numbers = [[int(n) for n in re.findall(r"\d+", row.split("|")[2])] for row in rows(section)[2:]]
    assert numbers == [
        [MAX_FRAME_BYTES],
        [MAX_DEPTH, MAX_KEYS],
        [MAX_MSG_BYTES],
        [MAX_REASON_BYTES],
        [MAX_ID_BYTES],
        [MAX_NAME_CHARS, MAX_GROUP_CHARS],
        [limits.max_page_entries, limits.max_page_bytes],
        [limits.max_peers_per_user],
        [limits.max_groups_joined, limits.max_groups_created],
        [limits.max_members, limits.max_invited_and_banned],
        [limits.max_invitations],
        [limits.max_kept_texts, limits.max_kept_bytes, limits.max_kept_senders],
        [limits.retry_seconds / 60, limits.max_retries],
        [limits.request_burst, limits.requests_per_second],
        [limits.broadcast_burst, limits.broadcasts_per_second],
        [limits.burst_bytes, limits.bytes_per_second],
        [limits.burst_bytes_per_address // 1024**2, limits.bytes_per_second_per_address],
        [limits.delivered_burst_bytes // 1024**2, limits.delivered_bytes_per_second // 1024**2],
        [limits.max_out_bytes // 1024**2],
    ]


def test_french_has_the_same_requirements() -> None:
    assert [rule[:2] for rule in RULE.findall(FRENCH)] == [rule[:2] for rule in RULE.findall(ENGLISH)]


def test_french_requirements_name_the_same_things() -> None:
    french = {rule[0]: sorted(CODE.findall(rule[2])) for rule in RULE.findall(FRENCH)}
    assert french == {rule[0]: sorted(CODE.findall(rule[2])) for rule in RULE.findall(ENGLISH)}


def test_french_has_the_same_examples() -> None:
    assert blocks(FRENCH, "json") == blocks(ENGLISH, "json")
    assert len(blocks(FRENCH, "text")) == len(blocks(ENGLISH, "text"))


def test_french_has_the_same_sections() -> None:
    def shape(text: str) -> list[str]:
        actions = {*REQUESTS, "error"}
        levels = [line.partition(" ")[::2] for line in headings(text)]
        return [f"{hashes} {title if title in actions else ''}" for hashes, title in levels]

    assert shape(FRENCH) == shape(ENGLISH)


def test_french_has_the_same_tables() -> None:
    def technical(row: str) -> list[list[str]]:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        return [[*CODE.findall(cell), *re.findall(r"\d+", cell)] for cell in cells]

    assert [technical(row) for row in rows(FRENCH)] == [technical(row) for row in rows(ENGLISH)]
    words = {"yes": "oui", "no": "non"}
    for french, english in zip(rows(FRENCH), rows(ENGLISH), strict=True):
        required = english.split("|")[3].strip() if english.count("|") > 4 else ""
        assert required not in words or french.split("|")[3].strip() == words[required]


def schemas_in(schema: object) -> Iterator[Mapping[str, Any]]:
    """Every schema object inside *schema*, itself included."""
    if not isinstance(schema, dict):
        assert isinstance(schema, bool)
        return
    yield schema
    for keyword in ("properties", "$defs"):
        for inner in schema.get(keyword, {}).values():
            yield from schemas_in(inner)
    for keyword in ("items", "additionalProperties"):
        if keyword in schema:
            yield from schemas_in(schema[keyword])
    for keyword in ("oneOf", "anyOf"):
        for inner in schema.get(keyword, []):
            yield from schemas_in(inner)


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_valid_2020_12(name: str) -> None:
    assert SCHEMAS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMAS[name])


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_uses_the_listed_keywords_only(name: str) -> None:
    section = (SPEC / "schema" / "README.md").read_text("utf-8").partition("## Keywords")[2].partition("\n- ")[0]
    allowed = set(CODE.findall(section))
    assert {"$ref", "oneOf", "pattern"} <= allowed
    used = {keyword for schema in schemas_in(SCHEMAS[name]) for keyword in schema}
    assert used <= allowed


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_refers_to_its_own_definitions_only(name: str) -> None:
    refs = {schema["$ref"] for schema in schemas_in(SCHEMAS[name]) if "$ref" in schema}
    assert refs
    assert refs <= {f"#/$defs/{key}" for key in SCHEMAS[name]["$defs"]}


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_compares_with_strings_and_true_only(name: str) -> None:
    for schema in schemas_in(SCHEMAS[name]):
        for value in [*schema.get("enum", []), *([schema["const"]] if "const" in schema else [])]:
            assert value is True or isinstance(value, str)


def fields_of(schema: str, name: str) -> tuple[set[str], set[str]]:
    """The fields of a message and those that must be there, who under `sender`, without what the codec writes."""
    found = SCHEMAS[schema]["$defs"][name]
    fields, required = set(found["properties"]), set(found["required"])
    if schema == "requests":
        who = {"client-hello", "client-error"} if name.startswith("client-") else {"groups"}
        return {"sender" if field in ("from", "name") and who else field for field in fields} - {"action"}, required
    return fields - {"action", "from"}, required - {"action", "from"}


def attributes(kind: type) -> set[str]:
    return {attribute.name for attribute in kind.__attrs_attrs__}  # type: ignore[attr-defined]


@pytest.mark.parametrize("action", REQUESTS)
def test_a_request_has_the_fields_of_its_schema(action: str) -> None:
    assert fields_of("requests", action)[0] == attributes(REQUESTS[action])


@pytest.mark.parametrize("action", sorted(KINDS))
def test_a_server_message_has_the_fields_of_its_schema(action: str) -> None:
    kind = Sent if action == "server-send" else KINDS[action]
    fields, _ = fields_of("server", action)
    assert fields - {"msg"} - ({"event"} if action == "server-broadcast" else set()) == attributes(kind) - {"msg"}


@pytest.mark.parametrize("path", sorted(SPEC.glob("scenarios/*.json")), ids=lambda path: path.stem)
def test_a_scenario_file_validates(path: Path) -> None:
    validator("scenario", "scenario-file").validate(json.loads(path.read_text("utf-8")))


@pytest.mark.parametrize("name", ["framing", "codec", "receive", "websocket"])
def test_a_vector_file_validates(name: str) -> None:
    path = SPEC / "vectors" / f"{name}.json"
    validator("scenario", f"{name}-file").validate(json.loads(path.read_text("utf-8")))


def cases() -> list[dict[str, Any]]:
    paths = [*sorted(SPEC.glob("scenarios/*.json")), *sorted(SPEC.glob("vectors/*.json"))]
    return [case for path in paths for case in json.loads(path.read_text("utf-8"))["cases"]]


def test_every_requirement_on_a_server_has_a_case() -> None:
    wanted = {rule[0] for rule in RULE.findall(ENGLISH) if not rule[0].startswith(("R-client-", "R-op-"))}
    tester = (SPEC / "conformance" / "server" / "whole.py").read_text(
        "utf-8"
    )  # its own cases: on the bytes of every message
    assert wanted - {cited for case in cases() for cited in case["cites"]} - set(MENTION.findall(tester)) == set()


def test_every_case_cites_requirements_that_exist() -> None:
    ids = {rule[0] for rule in RULE.findall(ENGLISH)}
    assert {cited for case in cases() for cited in case["cites"]} - ids == set()


def test_the_ids_of_cases_are_unique() -> None:
    ids = [case["id"] for case in cases()]
    assert len(ids) == len(set(ids))


def test_a_case_has_the_level_of_what_it_cites() -> None:
    levels = {rule[0]: rule[1].strip(" ()") or "MUST" for rule in RULE.findall(ENGLISH)}
    for case in cases():
        assert case["level"] in {levels[cited] for cited in case["cites"]}, case["id"]


def requests_in(case: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], object]]:
    """What a scenario sends as JSON, and the code of the error that answers it, None if another message does."""
    steps = case.get("steps", [])
    for at, step in enumerate(steps):
        if isinstance(step.get("send"), dict):
            answers = (later["get"] for later in steps[at:] if later["peer"] == step["peer"] and "get" in later)
            answer: dict[str, Any] = next(answers, {})
            yield step["send"], answer.get("code")


def test_every_request_in_a_scenario_validates_unless_that_is_its_point() -> None:
    wrong, right = [], 0
    for case in cases():
        is_the_point = case["id"].startswith("aliases/") or any(
            cited.startswith("R-action-") for cited in case["cites"]
        )
        for request, code in requests_in(case):
            if is_the_point or code == "bad-request":
                continue
            captured = {
                name: "t" if isinstance(value, dict) and "$get" in value else value for name, value in request.items()
            }
            if request["action"] in REQUESTS and validator("requests", request["action"]).is_valid(captured):
                right += 1
            else:
                wrong.append((case["id"], request))
    assert wrong == []
    assert right > 500


TEXT = st.text('\n\r\u2028\x85;"\\ é\x1b😀') | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0")
)
NAMES = st.text("abcXYZé_-.09", min_size=1, max_size=8)
TIMES = st.just("2026-01-31T10:42:00.123Z")
JUNK: tuple[Any, ...] = (
    *(None, True, False, [], ["wob"], {}, {"wob": 1}),
    *(0, 1, -1, 1000, 1001, 2**53, 2**53 + 1, -(2**53), -(2**53) - 1, 2**70, 0.0, 1.0, 0.5, 1e300),
    *("", "wob", "a\0b", "\ud800", "1", "true"),
)
SAMPLES: Mapping[str, Any] = {"private": True, "kept": False, "all": False, "limit": 10}


def fields_asked(action: str) -> list[str]:
    return [field for field in SCHEMAS["requests"]["$defs"][action]["properties"] if field != "action"]


def sample(action: str, field: str) -> Any:
    return 7 if field in ("before", "after") and action in ("msgs", "states") else SAMPLES.get(field, "wob")


def verdicts(found: Mapping[str, Any]) -> tuple[bool, bool]:
    decoded = decode_request(json.dumps(found).encode())
    return validator("requests", found["action"]).is_valid(found), not isinstance(decoded, Violation)


@pytest.mark.parametrize("action", REQUESTS)
def test_schema_and_decoder_agree_on_every_value_of_every_field(action: str) -> None:
    whole = {"action": action, **{field: sample(action, field) for field in fields_asked(action)}}
    whole.pop("before", None)  # not together with `after`
    assert verdicts(whole) == (True, True)
    accepted = 0
    for field in fields_asked(action):
        rest = {name: value for name, value in whole.items() if name != field}
        if field == "before":
            del rest["after"]
        for found in (rest, *({**rest, field: value} for value in JUNK)):
            by_schema, by_decoder = verdicts(found)
            assert by_schema == by_decoder, found
            accepted += by_schema
    assert 0 < accepted < len(fields_asked(action)) * (len(JUNK) + 1)


@st.composite
def anything_like_a_request(draw: st.DrawFn) -> dict[str, Any]:
    """A request with any of its own fields present, right or wrong."""
    action = draw(st.sampled_from([*REQUESTS]))
    found: dict[str, Any] = {"action": action}
    for field in draw(st.permutations([*fields_asked(action), "colour"])):
        if draw(st.integers(0, 5)):
            found[field] = draw(st.just(sample(action, field)) | TEXT | st.sampled_from(JUNK))
    return found


@given(anything_like_a_request())
@settings(max_examples=300, deadline=None, derandomize=True)
def test_schema_and_decoder_agree_on_any_request(found: dict[str, Any]) -> None:
    by_schema, by_decoder = verdicts(found)
    assert by_schema == by_decoder


def messages_of(kind: type) -> st.SearchStrategy[Any]:
    by_name: dict[str, st.SearchStrategy[Any]] = {
        **dict.fromkeys(("sender", "to", "group", "dest", "name", "author"), NAMES),
        "ts": TIMES,
        "version": st.just(1),
        "server": st.just("tchat-server 0.1.0"),
        **dict.fromkeys(("seq", "redacts"), st.integers(1, 2**53)),
        "event": st.sampled_from(["connect", "disconnect"]),
        "code": st.sampled_from([*map(str, ErrorCode)]),
        "owner": NAMES if kind is EVENTS["cgroupe"] else st.none() | NAMES,
        "list": st.lists(NAMES, max_size=3).map(tuple),
        "seqs": st.dictionaries(NAMES, st.integers(1, 99), max_size=3),
        "retry_after": st.none() | st.floats(0, 99),
        **dict.fromkeys(("first", "last", "begins"), st.none() | st.integers(1, 99)),
        "reader": st.none() | NAMES,
        "limit": st.none() | st.integers(0, 99),
        **dict.fromkeys(("msg", "reason", "token"), TEXT),
        **dict.fromkeys(("private", "more", "kept", "closed", "undone", "redacted", "removed"), st.booleans()),
        **dict.fromkeys(("groups", "online", "mine"), st.lists(NAMES, max_size=3).map(tuple)),
        **dict.fromkeys(("invited", "banned"), st.none() | st.lists(NAMES, max_size=3).map(tuple)),
        **dict.fromkeys(("id", "request", "field"), st.none() | TEXT),
    }
    if kind is REPLIES["error"]:
        by_name |= {"group": st.none() | NAMES, "dest": st.none() | NAMES}
    if kind is KEPT["server-received"]:
        by_name["last"] = st.integers(1, 99)
    if kind is REPLIES["server-quit"]:
        by_name["sender"] = st.none() | NAMES
    if kind is REPLIES["groups"]:
        by_name["private"] = by_name["list"]
    if kind is REPLIES["msgs"]:
        texts = messages_of(EVENTS["gbroadcast"]) | messages_of(Sent)
        by_name["list"] = st.lists(texts, max_size=3).map(tuple)
    if kind is REPLIES["states"]:
        by_name["list"] = st.lists(st.one_of([*map(messages_of, (*EVENTS.values(), *KEPT.values()))]), max_size=3).map(
            tuple
        )
    return st.builds(kind, **{name: by_name[name] for name in attributes(kind)})


@pytest.mark.parametrize("name", sorted(KINDS))
@given(data=st.data())
@settings(max_examples=40, deadline=None, derandomize=True)
def test_what_the_library_writes_validates_and_is_read_back(name: str, data: st.DataObject) -> None:
    message = data.draw(messages_of(KINDS[name]))
    written = encode(message)
    found = json.loads(written)
    validator("server", name).validate(found)
    assert found.get("sender") == found.get("from")
    assert decode_message(written) == message or name == "error"


@pytest.mark.parametrize("name", sorted(KINDS))
@given(data=st.data())
@settings(max_examples=20, deadline=None, derandomize=True)
def test_a_damaged_message_is_refused_by_schema_and_decoder(name: str, data: st.DataObject) -> None:
    kind = KINDS[name]
    found = json.loads(encode(data.draw(messages_of(kind))))
    field = data.draw(st.sampled_from(sorted(attributes(kind))))
    found[field] = {"wrong": 1.5}
    assert not validator("server", name).is_valid(found)
    with pytest.raises(ProtocolError):
        decode_message(json.dumps(found).encode())


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_requires_only_what_it_lists(name: str) -> None:
    """As ajv asks in strict mode."""
    for schema in schemas_in(SCHEMAS[name]):
        assert set(schema.get("required", ())) <= set(schema.get("properties", ())), schema
