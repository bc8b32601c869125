"""The page's brain in Node gives the same as the library, on the specification's vectors and conversations."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from harness import Shell
from hubdriver import WHOLE, HubDriver
from node import missing
from scenario import SPEC, Run
from typed import COURSE, MORE, PLACES

from libtchat.commands import COMMANDS, Mistyped, may_hold_secret, parse, place
from libtchat.message.errors import Refused
from libtchat.message.names import check_group_name, check_user_name, user_key
from libtchat.message.request import ListMembers, Request
from libtchat.mirror import Mirror
from libtchat.wire.codec import decode_message, encode_request
from tchat_client.page_words import files
from tchat_client.patience import patience

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "tchat_server" / "page"
Ask = Callable[..., Any]

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    node = shutil.which("node") or "node"
    command = [node, str(ROOT / "tests" / "page" / "brain.mjs")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def asked(what: str, **about: Any) -> Any:
            process.stdin.write(json.dumps({"ask": what, **about}) + "\n")
            process.stdin.flush()
            return json.loads(process.stdout.readline())

        yield asked
        process.stdin.close()


def test_the_words_and_commands_are_those_of_the_terminal() -> None:
    assert {path.name: path.read_text("utf-8") for path in PAGE.glob("words*.js")} == files(), "make page"


def test_every_sentence_the_page_asks_for_is_there_and_none_is_idle() -> None:
    text = "".join(path.read_text("utf-8") for path in PAGE.glob("*") if not path.name.startswith("words"))
    known = set(re.findall(r'^"(p\.[\w-]+)":', files()["words.fr.js"], re.MULTILINE))
    assert set(re.findall(r'"(p\.[\w-]+)"', text)) == known


def test_all_modules_are_asked_for_at_once() -> None:
    """A browser that finds them one behind another waits for the network each time; sentences wait for the language."""
    index = (PAGE / "index.html").read_text("utf-8")
    named = re.findall(r'<(?:link rel="modulepreload" href|script type="module" src)="([\w.]+)"', index)
    assert sorted(named) == sorted(path.name for path in PAGE.glob("*.js") if path.name.count(".") == 1)


def test_the_brain_knows_no_page() -> None:
    """What protocol.js needs, needs nothing of a browser."""
    found, new = set(), {"protocol.js"}
    while new:
        found |= new
        new = {
            name for file in new for name in re.findall(r'from "\./([\w.]+)"', (PAGE / file).read_text("utf-8"))
        } - found
    assert found == {f"{name}.js" for name in ("protocol", "names", "request", "command", "guess", "mirror", "words")}
    source = "".join((PAGE / name).read_text("utf-8") for name in found - {"words.js"})
    assert not re.search(r"\b(document|window|localStorage|WebSocket|Date|setTimeout|navigator|fetch)\b[.(]", source)


def test_commands_have_the_same_forms(ask: Ask) -> None:
    assert ask("forms") == [[command.name, command.form, command.takes] for command in COMMANDS]


WRONG = (
    *("", "memebrs;", "memebrs", "kick", "kick;;", "xyzzy;a", "/nothing", "ls;x", "ban;;a b", "cg;server room"),
    *(
        "messages;;0",
        "messages;;1001",
        "cg;wob;perhaps",
        "/raw [1]",
        "/trace perhaps",
        "/help kikc",
        "k",
        "bg;;" + "é" * 5000,
    ),
    *(
        "kick;wob;bob;" + "r" * 400,
        "s;server;x",
        "s;guest-7;x",
        "J;WOB",
        "  ls ; ",
        "/kick bob",
        "/kick wob bob  for  spam ",
    ),
    *(
        "hello; there",
        "http://a.b/c;d",
        "say;;a\nb",
        "messages;;5;9",
        "invite;;ａｌｉｃｅ",
        "leave;",
        "/LEAVE",
        "helo",
        "brodcast",
    ),
    *(
        "kick wob bob spam",
        "kick bob",
        "join wob",
        "s bob hi",
        "s bob",
        "b hello all",
        "msg is lost",
        "register me now",
    ),
    *(
        "registre de commerce",
        "registr;secret",
        "/regster secret",
        "/nick bob",
        "part;wob",
        "/who",
        "w;bob;hi",
        "kik;bob",
    ),
    *(
        "quti;",
        "leav;",
        "lave;",
        "bann;x",
        "help me",
        "help kick",
        "members of the group",
        "use wob",
        "mute bob",
        "me x",
    ),
    *("/me waves", "mute;bob", "/unmute guest-3", "/search a b", "/more", "more;x", "ignore;bob", "ban bob for ever"),
    *("/more @bob", "mute;@bob", "/mute @a b", "more beer"),
)
KNOWN = ["bob", "wob"]


@pytest.mark.parametrize("group", ["here", None])
@pytest.mark.parametrize("line", [*(line for line, _ in (*COURSE, *MORE)), *WRONG])
def test_a_typed_line_means_the_same(ask: Ask, line: str, group: str | None) -> None:
    try:
        meaning = parse(line, group, KNOWN)
    except Mistyped as problem:
        wrong = {"problem": problem.problem, "values": problem.values}
    else:
        wrong = None
    if wrong is not None:
        assert ask("parse", line=line, group=group, known=KNOWN) == wrong
        return
    found = ask("parse", line=line, group=group, known=KNOWN)
    if isinstance(meaning, Request):
        made = ask("request", action=found["action"], fields=found["fields"], name="ada")
        ours = json.loads(encode_request(meaning))
        assert {key: value for key, value in made.items() if value != "ada"} == {
            key: value for key, value in ours.items() if value not in (False, "") or key in found["fields"]
        }
    else:
        names = [field.name for field in COMMANDS[[c.name for c in COMMANDS].index(found["command"])].fields]
        assert found["fields"] == {name: value for name in names if (value := getattr(meaning, name)) is not None}


def test_what_may_be_a_password_is_kept_nowhere(ask: Ask) -> None:
    lines = [*WRONG, "register;", "REGISTER x", '/raw {"password":1}', "a token", "hello", "registers are full"]
    assert ask("secrets", lines=lines) == [may_hold_secret(line) for line in lines]


NAMES = (
    *(
        "alice",
        " Alice ",
        "ＡＬＩＣＥ",
        "e\u0301te",
        "ÉTÉ",
        "ß",
        "ẞ",
        "İstanbul",
        "ſ",
        "ΣΑΣ",
        "ﬁ",
        "Ⅷ",
        "x²",
        "٣",
        "a b",
        "",
    ),
    *(
        "-",
        "_",
        ".",
        "server",
        "SERVER",
        "guest-1",
        "Guest-٣",
        "guest-x",
        "a" * 32,
        "a" * 33,
        "\ufdfa" * 10,
        "\u3164",
        "a\ufe0f",
    ),
    *(
        "a\u200b",
        "a\u034f",
        "мир",
        "日本",
        "🙂",
        "a;b",
        "a/b",
        "\u0645\u0631\u064a\u0645",
        "a\u0300" * 16,
        "a\u0300" * 20,
        "Å",
        "K",
        "\u1e9b\u0323",
    ),
)


def test_names_are_the_same_names(ask: Ask) -> None:
    def checked(check: Callable[[str], str], name: str) -> str | None:
        try:
            return check(name)
        except Refused:
            return None

    found = ask("names", names=NAMES)
    for name, ours in zip(NAMES, found, strict=True):
        assert ours == [user_key(name), checked(check_user_name, name), checked(check_group_name, name)], ascii(name)


@pytest.mark.parametrize("line", [found[0] for found in PLACES])
def test_the_cursor_is_at_the_same_place(ask: Ask, line: str) -> None:
    here = place(line)
    assert ask("place", line=line) == {
        "command": here.command and here.command.name,
        "field": here.field and here.field.name,
        "fragment": here.fragment,
        "before": list(here.before),
    }


def test_the_wait_a_server_asks_for_is_a_sane_one(ask: Ask) -> None:
    asked = [None, -5, 0, 0.01, 3, 61, 1e300]
    assert ask("patience", asked=asked) == [patience(it) for it in asked]


@pytest.mark.parametrize("moves", [True, False], ids=["a group that moves on", "a server that has no end"])
def test_no_list_of_members_is_asked_for_without_end(ask: Ask, moves: bool) -> None:
    page = {"action": "members", "group": "g", "list": ["al", "bob"], "online": [], "more": True, "msg": ""}
    pages = [{**page, "seq": number if moves else 5, "id": f"{number}"} for number in range(5, 40)]
    told = {"from": "me", "version": 1, "server": "", "token": "", "groups": ["g"], "seqs": {"g": 5}, "msg": ""}
    welcome = {"action": "server-hello", "sender": "me", **told}
    mirror, asked = Mirror("me"), []
    mirror.apply(decode_message(json.dumps(welcome).encode()))
    for one in pages:
        wanted = next((it for it in mirror.wanted() if isinstance(it, ListMembers)), None)
        if wanted is None:
            break
        asked.append(wanted.after)
        mirror.sent(evolve(wanted, id=str(one["id"])), quiet=True)
        mirror.apply(decode_message(json.dumps(one).encode()))
    assert ask("members", welcome=welcome, pages=pages) == asked
    assert len(asked) < 25


def vectors() -> list[Any]:
    cases = json.loads((SPEC / "vectors" / "codec.json").read_text("utf-8"))["cases"]
    return [pytest.param(case, id=case["id"]) for case in cases if "text" in case]


OTHERS = ("codec/privacy-", "codec/integer-", "codec/depth-5000")
"""What a page can't write or tell: other programs' spellings, numbers that JavaScript reads as whole ones."""


@pytest.mark.parametrize("case", vectors())
def test_a_vector_is_made_or_found_wrong(ask: Ask, case: dict[str, Any]) -> None:
    if "message" in case:
        message = case["message"]
        assert ask("fault", message=message) is None
        fields = {key: value for key, value in message.items() if key not in ("action", "sender", "from", "name")}
        name = next((message[key] for key in ("sender", "from", "name") if key in message), "")
        made = ask("request", action=message["action"], fields=fields, name=name)
        assert message.items() <= made.items()
        assert ask("fault", message=made) is None
        return
    if case["id"].startswith(OTHERS):
        return
    try:
        found = json.loads(case["text"])
    except ValueError:
        return  # no client can write it
    if isinstance(found, dict) and case["error"]["code"] in ("bad-request", "too-large", "unknown-action"):
        wrong = ask("fault", message=found)
        assert wrong is not None
        assert wrong["code"] == case["error"]["code"]


class Recorder(HubDriver):
    """A hub that keeps, for each peer, what it was sent."""

    def __init__(self) -> None:
        super().__init__(Shell())
        self.steps: dict[str, list[dict[str, Any]]] = {}

    def open(self, label: str) -> None:
        super().open(label)
        if label in self.steps:
            self.steps[label].append({"lost": True})
        self.steps.setdefault(label, [])

    def next(self, label: str) -> tuple[Any, float] | None:
        came = super().next(label)
        if came is not None:
            self.steps[label].append({"text": json.dumps(came[0])})
        return came


@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case["id"])
def test_a_conversation_leaves_the_same_view(ask: Ask, case: dict[str, Any]) -> None:
    recorder = Recorder()
    Run(case, recorder).run()
    for label, steps in recorder.steps.items():
        welcome = next((json.loads(s["text"]) for s in steps if '"server-hello"' in s.get("text", "")), None)
        if welcome is None or not welcome.get("from"):
            continue
        mirror = Mirror()
        mirror.name = welcome["from"]
        for step in steps:
            if "lost" in step:
                mirror.disconnected()
            else:
                mirror.apply(decode_message(step["text"].encode()))
        assert ask("mirror", name=mirror.name, steps=steps) == shown(mirror), label


def shown(mirror: Mirror) -> dict[str, Any]:
    groups: list[Any] = []
    for key, view in mirror.groups.items():
        group = view.group and [
            view.group.owner,
            [list(item) for item in view.group.members.items()],
            list(view.group.invited),
            [list(item) for item in view.group.banned.items()],
        ]
        groups.append([key, view.name, view.seq, view.target, view.is_member, view.is_invited, group])
    users = sorted(list(item) for item in mirror.users.items())
    return {"name": mirror.name, "groups": sorted(groups), "users": users, "online": sorted(mirror.online)}
