"""What a person types becomes a request, or one line that says what was expected (R-client-semicolons, -mistyped)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typed import COURSE, MORE, PLACES

from libtchat.commands import (
    COMMANDS,
    PROBLEMS,
    Help,
    Kind,
    LocalAction,
    Mistyped,
    find,
    may_hold_secret,
    parse,
    place,
    unparse,
)
from libtchat.message.errors import ErrorCode
from libtchat.message.request import (
    REQUESTS,
    Hello,
    Register,
    ReportError,
    Request,
)


@pytest.mark.parametrize(("line", "meaning"), [*COURSE, *MORE], ids=lambda v: v if isinstance(v, str) else "")
def test_a_typed_line_means_one_request(line: str, meaning: object) -> None:
    assert parse(line, "here") == meaning


@pytest.mark.parametrize(("line", "request_"), COURSE, ids=[line for line, _ in COURSE])
def test_a_request_is_shown_as_it_is_typed(line: str, request_: object) -> None:
    assert unparse(request_) == line


def test_every_request_a_person_can_make_has_a_row() -> None:
    assert {c.makes for c in COMMANDS} >= set(REQUESTS.values()) - {Hello, ReportError}


def test_no_password_is_ever_shown() -> None:
    assert "hunter2" not in unparse(Register("hunter2", sender="bob"))
    assert unparse(Hello("hunter2", sender="bob")) == "client-hello"


MISTYPED = [
    ("", "empty", "nothing"),
    ("   ", "empty", "nothing"),
    ("memebrs;wob", "near", "unknown command 'memebrs', did you mean members"),
    ("/memebrs wob", "near", "did you mean members"),
    ("/xyzzy", "unknown", "bg;;/xyzzy sends it as text"),
    ("ok; merci", "unknown", "unknown command 'ok'"),
    ("/", "unknown", "unknown command ''"),
    ("memebrs", "bare", "for the command type members;[group], to say it type bg;;memebrs"),
    ("groups", "bare", "for the command type groups;, to say it type bg;;groups"),
    ("kick wob bob spam", "spaced", "for the command type kick;wob;bob;spam, to say it type bg;;kick wob bob spam"),
    ("kick bob", "spaced", "for the command type kick;;bob, to say it"),
    ("leave wob", "spaced", "for the command type leave;wob, to say it"),
    (" CG  wob ", "spaced", "for the command type cg;wob, to say it"),
    ("cg wob private", "spaced", "for the command type cg;wob;private, to say it"),
    ("messages wob 20", "spaced", "for the command type messages;wob;20, to say it"),
    ("members wob", "spaced", "for the command type members;wob, to say it"),
    ("help kick", "spaced", "for the command type help;kick, to say it"),
    ("bg here hello you", "spaced", "for the command type bg;here;hello you, to say it"),
    ("b hello", "spaced", "for the command type b;hello, to say it"),
    ("register monsecret", "register", "nothing was sent: type register; alone"),
    ("register mon secret à moi", "register", "nothing was sent"),
    (" Register  monsecret", "register", "nothing was sent"),
    ("regsiter monsecret", "register", "nothing was sent"),
    ("regster;monsecret", "register", "nothing was sent"),
    ("/regsiter monsecret", "register", "nothing was sent"),
    ("register: monsecret", "register", "nothing was sent"),
    ("/who", "irc", "no command 'who' here: ls; does that"),
    ("/names wob", "irc", "no command 'names' here: members;[group] does that"),
    ("/part wob", "irc", "no command 'part' here: leave;[group] does that"),
    ("/list", "irc", "no command 'list' here: groups; does that"),
    ("/query bob hi", "irc", "no command 'query' here: s;user;text does that"),
    ("/topic x", "no-irc", "there is no 'topic' here"),
    ("/whois bob", "no-irc", "there is no 'whois' here"),
    ("nick;bob", "no-irc", "there is no 'nick' here"),
    ("/leav wob", "near", "did you mean leave"),
    ("kick;wob", "fields", "kick takes [group];user[;reason], for example kick;wob;bob;spam"),
    ("kick;wob;;spam", "fields", "kick takes"),
    ("bg;wob;", "fields", "bg takes [group];text"),
    ("s;;hello", "fields", "s takes user;text"),
    ("cg;", "fields", "cg takes group[;private]"),
    ("/use", "fields", "use takes group"),
    ("/kick", "fields", "kick takes"),
    ("groups;wob", "no-fields", "groups takes nothing more: groups;"),
    ("/ls now", "no-fields", "ls takes nothing more"),
    ("j;a b", "name", "'a b' cannot be a group name: 1 to 64"),
    ("invite;wob;" + "b" * 33, "name", "cannot be a user name: 1 to 32"),
    ("s;server;hi", "name", "'server' cannot be a user name"),
    ("j;\x1b[31m", "name", "cannot be a group name"),
    ("messages;@a b", "name", "'a b' cannot be a user name: 1 to 32"),
    ("messages;@", "name", "'' cannot be a user name"),
    ("members;@bob", "name", "'@bob' cannot be a group name"),
    ("bg;wob;" + "é" * 4097, "too-large", "the text has 8194 bytes, at most 8192"),
    ("kick;wob;bob;" + "x" * 391, "too-large", "the reason has 391 bytes, at most 390"),
    ("x" * 100_000, "too-large", "the text has 100000 bytes"),
    ("bg;wob;\0", "text", "the text holds a character that cannot be sent"),
    ("bg;wob;\udcff", "text", "the text holds a character that cannot be sent"),
    ("messages;wob;0", "number", "'0' is no number from 1 to 1000"),
    ("messages;wob;1001", "number", "'1001' is no number"),
    ("messages;wob;²", "number", "'²' is no number"),
    ("messages;wob;5;" + "9" * 5000, "number", "is no number"),
    ("cg;wob;secret", "choice", "'secret' cannot be: cg;group[;private]"),
    ("/trace maybe", "choice", "'maybe' cannot be: trace;on or off"),
    ("/help memebrs", "near", "did you mean members"),
    ("/raw [1]", "json", "no JSON object"),
    ("/raw " + "[" * 100_000, "json", "no JSON object"),
]


@pytest.mark.parametrize(
    ("line", "problem", "sentence"), MISTYPED, ids=[f"{p}-{i}" for i, (_, p, _) in enumerate(MISTYPED)]
)
def test_a_mistyped_line_is_refused_with_what_was_expected(line: str, problem: str, sentence: str) -> None:
    with pytest.raises(Mistyped) as caught:
        parse(line, "here")
    assert caught.value.problem == problem
    assert sentence in caught.value.detail
    assert caught.value.code is PROBLEMS[problem][0]
    assert len(caught.value.detail) < 300


@pytest.mark.parametrize("word", ["live", "leaf", "bag", "bank", "pick", "click", "quote", "exam", "have", "quip"])
@pytest.mark.parametrize("form", ["/{}", "{};x", "{}"])
def test_nothing_drastic_is_suggested_for_another_word(word: str, form: str) -> None:
    try:
        parse(form.format(word), "here")
    except Mistyped as problem:
        suggestion = str(problem.values.get("suggestion", problem.values.get("form", "")))
        assert suggestion.partition(";")[0] not in ("leave", "q", "kick", "ban")


@pytest.mark.parametrize("line", ["s bob hi", "send bob hi there", "say wob hi", "kick wob bob spam and eggs"])
def test_a_sentence_that_names_somebody_known_is_taken_for_a_command(line: str) -> None:
    with pytest.raises(Mistyped) as caught:
        parse(line, "here", ("wob", "bob"))
    assert caught.value.problem == "spaced"


def test_what_may_hold_a_password_is_known() -> None:
    for line in ("register;x", "register x", "/register x", " Regsiter: x", 'raw;{"password":"x"}'):
        assert may_hold_secret(line)
    for line in ("registered users", "hello", "kick;wob;bob", ""):
        assert not may_hold_secret(line)


@pytest.mark.parametrize("line", ["hello", "bg;;hello", "members;", "/leave", "/kick bob"])
def test_without_a_current_group_an_empty_one_is_refused(line: str) -> None:
    with pytest.raises(Mistyped) as caught:
        parse(line, None)
    assert caught.value.problem == "no-group"


def test_every_problem_is_tried_above() -> None:
    assert {problem for _, problem, _ in MISTYPED} | {"no-group"} == set(PROBLEMS)


@given(st.text(max_size=60), st.sampled_from([None, "here"]))
def test_any_line_is_a_meaning_or_mistyped(line: str, group: str | None) -> None:
    try:
        meaning = parse(line, group)
    except Mistyped:
        return
    assert isinstance(meaning, Request | LocalAction)


@given(
    st.sampled_from([c for c in COMMANDS if c.makes is not Help]),
    st.lists(st.sampled_from(["", "wob", "5"]), max_size=4),
)
def test_what_is_unparsed_is_parsed_to_the_same(command: object, words: list[str]) -> None:
    try:
        meaning = parse(f"{command.name};" + ";".join(words), "here")
    except Mistyped:
        return
    if command.makes is not Register:
        assert parse(unparse(meaning), None) == meaning


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.name)
def test_every_row_has_an_example_that_works_and_help(command: object) -> None:
    assert isinstance(parse(command.example, None), command.makes)
    assert command.help
    assert command.who
    assert all(isinstance(code, ErrorCode) for code in command.errors)
    assert all(find(name) is command for name in (command.name, *command.also))


@pytest.mark.parametrize(("line", "command", "kind", "fragment"), PLACES, ids=[p[0] for p in PLACES])
def test_completion_knows_which_field_is_being_typed(
    line: str, command: str | None, kind: Kind | None, fragment: str
) -> None:
    found = place(line)
    assert (found.command and found.command.name) == command
    assert (found.field and found.field.kind) == kind
    assert found.fragment == fragment


def test_completion_knows_the_fields_before() -> None:
    assert place("unban;wob;b").before == ("wob",)
    assert place("/unban wob b").before == ("wob",)
