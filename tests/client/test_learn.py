"""`tchat learn`: the same observations teach the same; foreign programs are learnt by experiment alone."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from libtchat.dialect.asking import learn_requests
from libtchat.dialect.client import assemble, learn_basics
from libtchat.dialect.dialect import Dialect, load
from libtchat.dialect.probe import Observation, Start, Tell, Tokens, Type, conduct
from libtchat.dialect.questions import Close, Connect, Hear, Send, ServerSeen
from libtchat.dialect.server import learn_server
from libtchat.dialect.showing import learn_answers
from libtchat.dialect.spread import Shape, full
from libtchat.dialect.vocabulary import ANSWERS
from tchat_client.cli import main
from tchat_client.learn.client_lab import ClientLab
from tchat_client.learn.program import Setup
from tchat_client.learn.run import teams_of
from tchat_client.learn.server_lab import ServerLab
from tchat_client.port import HOST

HERE = Path(__file__).parents[1] / "foreign"
NEEDS_NODE = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")


class PaperClient:
    """A client on paper: what it sends for a line, what it shows of a message; it dies of what it does not know."""

    def __init__(self, is_fragile: bool) -> None:
        self.is_fragile, self.alive = is_fragile, True

    def observe(self, probe: Start | Type | Tell) -> Observation:
        if isinstance(probe, Start):
            self.alive = True
            return Observation('{"from":"zqmebb","action":"client-hello"}', "> ")
        if isinstance(probe, Type):
            return Observation(self.typed(probe.lines[0]), "", self.alive, 1)
        shown = "".join(self.shown(message) for message in probe.messages if self.alive)
        return Observation("", shown, self.alive)

    def typed(self, line: str) -> str:
        word, *rest = line.split(";")
        if word == "j":
            return json.dumps({"qui": "zqmebb", "salon": rest[0], "at": 1700000000, "action": "join"})
        if word == "s":
            return json.dumps({"qui": "zqmebb", "a": rest[0], "texte": rest[1], "action": "client-send"})
        return json.dumps({"qui": "zqmebb", "action": "client-list-clients"}) if word == "ls" else ""

    def shown(self, message: dict[str, Any]) -> str:
        action = message.get("action")
        try:
            if action == "client-send":
                return f"{message['qui']} -> {message['texte']}\n"
            if action == "join-ok":
                return f"+ {message['salon']}\n"
            if action == "server-list-clients":
                return ", ".join(message["clients"]) + "\n"
        except KeyError:
            self.alive = False
            return ""
        self.alive = self.alive and not self.is_fragile
        return ""


def learn_on_paper(is_fragile: bool) -> Dialect:
    paper = PaperClient(is_fragile)
    requests = conduct(learn_requests("zqmebb"), paper.observe)
    basics = conduct(learn_basics(requests.shape, requests.own, requests.welcome), paper.observe)
    found = conduct(learn_answers(basics, ANSWERS, requests.own), paper.observe)
    return assemble("paper", requests.shape, requests.templates, basics, found)


@pytest.mark.parametrize("is_fragile", [False, True], ids=["bears anything", "dies of the unknown"])
def test_a_client_is_learnt_from_what_is_observed(is_fragile: bool) -> None:
    dialect = learn_on_paper(is_fragile)
    assert dialect.requests["join"] == {"qui": "{me}", "salon": "{group}", "action": "join"}
    assert dialect.requests["tell"] == {"qui": "{me}", "a": "{dest}", "texte": "{text}", "action": "client-send"}
    assert "kick" not in dialect.requests
    assert dialect.rule("tell").template == {"qui": "{who}", "texte": "{text}", "action": "client-send"}  # type: ignore[union-attr]
    assert dialect.rule("users").template == {"clients": ["{list}"], "action": "server-list-clients"}  # type: ignore[union-attr]
    assert dialect.rule("join").template == {"salon": "{group}", "action": "join-ok"}  # type: ignore[union-attr]
    assert dialect.rule("say").template["qui"] == "server"  # type: ignore[union-attr]
    assert ("unknown" in dialect.fatal) is is_fragile
    assert learn_on_paper(is_fragile) == dialect


class PaperServer:
    """A server on paper that tells everybody everything but who asked."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}

    def observe(self, probe: Connect | Send | Close) -> ServerSeen:
        if isinstance(probe, Connect):
            return ServerSeen()
        if isinstance(probe, Close):
            name = self.names.pop(probe.who)
            return ServerSeen(tuple((at, json.dumps({"action": "bye", "nom": name})) for at in self.names))
        message = probe.message
        action, me = message.get("action"), message.get("from")
        if action == "client-hello":
            self.names[probe.who] = me
            return ServerSeen(((probe.who, json.dumps({"action": "ok"})),))
        if action == "client-list-clients":
            return ServerSeen(((probe.who, json.dumps({"action": "gens", "noms": [*self.names.values()]})),))
        others = [at for at in self.names if at != probe.who]
        said = {"action": f"on-{action}", "nom": me, "vers": message.get("dest"), "salon": message.get("group")}
        said["mots"] = message.get("msg") or message.get("reason")
        return ServerSeen(tuple((at, json.dumps(said)) for at in others))


def test_a_server_is_learnt_from_what_comes_back() -> None:
    dialect = conduct(learn_server("paper"), PaperServer().observe).dialect
    text = {"action": "on-gbroadcast", "nom": "{who}", "salon": "{group}", "mots": "{text}"}
    assert dialect.rule("text").template == text
    assert dialect.rule("kick").template["vers"] == "{dest}"
    assert dialect.rule("users").template == {"action": "gens", "noms": ["{list}"]}
    assert {"create", "join", "text", "kick"} <= {*dialect.silent}
    assert conduct(learn_server("paper"), PaperServer().observe).dialect == dialect


class LateServer(PaperServer):
    """One whose answers come only to who waits for them; who heard one waits for all."""

    is_waited_for = False
    late = ServerSeen()

    def observe(self, probe: Connect | Send | Close | Hear) -> ServerSeen:
        if isinstance(probe, Hear):
            self.is_waited_for = True
            return self.late
        seen = super().observe(probe)
        if self.is_waited_for:
            return seen
        self.late = seen if seen.came else self.late
        return ServerSeen()


def test_a_server_that_answers_late_is_learnt_like_any_other() -> None:
    late, usual = (conduct(learn_server("paper"), server.observe) for server in (LateServer(), PaperServer()))
    assert late.remarks[0] == "it answers slowly: every wait was made longer"
    assert {rule.kind for rule in late.dialect.answers} == {rule.kind for rule in usual.dialect.answers}
    assert late.dialect.silent == usual.dialect.silent


def learn(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["learn", *words])
    return int(str(ended.value.code))


def test_a_foreign_server_is_learnt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "select.toml"
    command = [sys.executable, str(HERE / "select_server.py"), "{host}", "{port}"]
    assert learn("server", "--name", "select", "--out", str(out), "--", *command) == 0
    dialect = load(out.read_text("utf-8"))
    assert dialect.rule("join").template == {"action": "join", "message": "{who} joined {group}"}  # type: ignore[union-attr]
    assert dialect.rule("members").template["message"] == "members of {group}: {list}"  # type: ignore[union-attr]
    assert "tell-nobody" in dialect.fatal
    assert dialect.invite_adds
    assert "it dies: tell-nobody" in capsys.readouterr().out


def test_a_refusal_is_known_whatever_was_asked_for(tmp_path: Path) -> None:
    out = tmp_path / "ack.toml"
    assert learn("server", "--out", str(out), "--", sys.executable, str(HERE / "ack_server.py"), "{port}") == 0
    refusals = [rule.template for rule in load(out.read_text("utf-8")).answers if rule.kind == "error"]
    assert refusals == [{"action": "nack", "why": "{say}"}]


class Whisperer:
    """A client on paper that shows one message only, whose name and layout nobody would guess."""

    def __init__(self, name: str) -> None:
        self.name = name

    def observe(self, probe: Start | Type | Tell) -> Observation:
        told = probe.messages if isinstance(probe, Tell) else ()
        return Observation("", "".join(f"! {m['description']}\n" for m in told if m["action"] == self.name))


@pytest.mark.parametrize("name", ["publicMessage", "group-broadcast", "patatras"])
def test_what_a_client_surely_shows_is_found_among_many_names(name: str) -> None:
    basics = conduct(learn_basics(Shape("zqmebb"), {}, None, ("patatras",)), Whisperer(name).observe)
    assert basics.barrier[0]["action"] == name
    assert basics.barrier[1] == "description"


def test_who_is_thrown_out_stands_where_the_requests_have_it() -> None:
    shape = Shape("zqmebb", own_keys={"who": ("sender",), "dest": ("user",)})
    for kind, hole in (("kick", "dest"), ("join", "who")):
        message, spots = full(kind, kind, shape, Tokens())
        assert spots[message["user"]] == f"{hole}:user"


@NEEDS_NODE
def test_a_foreign_client_is_learnt(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "chunk.toml"
    command = ["node", str(HERE / "chunk_client.js"), "{name}", "{host}", "{port}"]
    assert learn("client", "--name", "chunk", "--out", str(out), "--no-source", "--json", "--", *command) == 0
    dialect = load(out.read_text("utf-8"))
    kicked = {"dest": "{dest}", "group": "{group}", "reason": "{reason}", "action": "server-kick"}
    assert dialect.rule("kick").template == kicked  # type: ignore[union-attr]
    assert dialect.requests["kick"]["reason"] == "{reason}"
    assert json.loads(capsys.readouterr().out)["side"] == "client"


@pytest.mark.usefixtures("usage_stays_english")
def test_what_cannot_be_learnt_is_said_in_french(capsys: pytest.CaptureFixture[str]) -> None:
    program = [sys.executable, "-c", "print('pas de chance')"]
    assert learn("client", "--lang", "fr", "--name", "al", "--", *program) == 1
    assert capsys.readouterr().err.splitlines() == [
        "al : ce qu'il envoie",
        "al : il ne vient pas par un tube : encore une fois, avec un terminal",
        "al : ce qu'il envoie",
        "tchat : al : il s'arrête sans se connecter ; il a dit : pas de chance ; "
        "s'il a un port à lui, dites-le : --port N",
    ]


class SmallReader(PaperClient):
    """One that reads 1024 bytes at a time, and dies of what is longer; it has a word for texts only."""

    def __init__(self) -> None:
        super().__init__(is_fragile=False)
        self.starts = 0

    def observe(self, probe: Start | Type | Tell) -> Observation:
        self.starts += isinstance(probe, Start)
        return super().observe(probe)

    def shown(self, message: dict[str, Any]) -> str:
        self.alive = self.alive and len(json.dumps(message)) <= 1024
        return super().shown(message) if self.alive and message.get("action") == "client-send" else ""


def test_what_kills_a_client_by_its_length_alone_is_tried_once() -> None:
    paper = SmallReader()
    requests = conduct(learn_requests("zqmebb"), paper.observe)
    basics = conduct(learn_basics(requests.shape, requests.own, requests.welcome), paper.observe)
    paper.starts = 0
    found = conduct(learn_answers(basics, ANSWERS, requests.own), paper.observe)
    assert paper.starts < 8
    assert assemble("paper", requests.shape, requests.templates, basics, found).fatal == ()


def test_each_row_of_a_file_of_teams_has_its_own_port_and_hints(tmp_path: Path) -> None:
    (tmp_path / "teams.toml").write_text(
        '[[server]]\nname = "a"\ncommand = ["a"]\nport = 8080\n[[client]]\nname = "b"\ncommand = ["b"]\nport = 9\n'
        'hints = { "Nick" = "{name}" }\n[[client]]\nname = "c"\ncommand = ["c"]\n',
        "utf-8",
    )
    a, b, c = teams_of(tmp_path / "teams.toml", lambda words: Setup(words, {"Host": "{host}"}))
    assert a.address == (HOST, 8080)
    assert (b.setup.port, b.setup.hints) == (9, {"Host": "{host}", "Nick": "{name}"})  # type: ignore[union-attr]
    assert (c.setup.port, c.setup.hints) == (0, {"Host": "{host}"})  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ("port = 70000", "the port of the client b is to be a number from 1 to 65535, not 70000"),
        ("port = true", "the port of the client b is to be a number from 1 to 65535, not True"),
        ("hints = [1]", 'the hints of the client b are to be { "QUESTION" = "ANSWER" }, not [1]'),
        ("hints = { a = 1 }", 'the hints of the client b are to be { "QUESTION" = "ANSWER" }, not'),
    ],
)
def test_a_row_that_makes_no_sense_is_said_in_one_line(
    row: str, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "teams.toml").write_text(f'[[client]]\nname = "b"\ncommand = ["b"]\n{row}\n', "utf-8")
    assert learn("--teams", str(tmp_path / "teams.toml")) == 2
    assert complaint in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("side", "program", "arguments"),
    [
        ("server", "select_server.py", (HOST, "PORT")),
        pytest.param("client", "threads_client.py", (HOST, "PORT", "{name}"), marks=pytest.mark.nightly),
    ],
)
def test_how_long_a_late_program_would_take_is_said_at_once(
    side: str, program: str, arguments: Sequence[str], capsys: pytest.CaptureFixture[str]
) -> None:
    late = [sys.executable, str(HERE / "late.py"), side, "3", f"{HOST}:{{port}}"]
    command = [*late, sys.executable, str(HERE / program), *arguments]
    assert learn(side, "--seconds", "100", "--patience", "0.5", "--", *command) == 1
    complaint = capsys.readouterr().err.splitlines()[-1]
    assert re.search(r"answers after [34]\.\d s: learning it takes about \d+ minutes, --seconds \d+00", complaint)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["client", "--", "no-such-program"], "cannot start no-such-program"),
        (["client", "--", sys.executable, "-c", "print('bad luck')"], "it ends without connecting; it said: bad luck"),
        (["server", "--", sys.executable, "-c", "print('no port')"], "the server ends at once; it said: no port"),
        (["client"], "tchat learn client|server"),
        (["--teams", os.devnull + ".toml"], "No such file"),
    ],
)
def test_what_cannot_be_learnt_is_said_in_one_line(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert learn(*words) in (1, 2)
    assert complaint in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("is_in_terminal", [False, True], ids=["pipe", "terminal"])
def test_the_last_words_of_a_server_that_ended_before_it_was_read_are_told(
    is_in_terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ServerLab, "_wait", lambda *_: time.sleep(0.02))  # of a busy machine: nothing is read meanwhile
    program = [sys.executable, "-S", "-c", "print('x' * 2500, 'no port', sep='\\n')"]
    assert learn("server", *["--pty"] * is_in_terminal, "--", *program) == 1
    assert capsys.readouterr().err.splitlines()[-1].endswith("the server ends at once; it said: no port")


@pytest.mark.usefixtures("usage_stays_english")
@pytest.mark.parametrize(
    ("words", "content", "said"),
    [
        (["learn", "client"], b"", "tchat : tchat learn client|server -- CMD ..., ou --teams FICHIER"),
        (["learn", "--teams", "FILE"], b"", "tchat : impossible de lire FILE : No such file or directory"),
        (["learn", "--teams", "FILE"], b"[a", "tchat : FILE : ce n'est pas du TOML : "),
        (["learn", "--teams", "FILE"], b"[[serveur]]\n", "tchat : FILE ne nomme aucun programme : chacun est un "),
        (
            ["learn", "--teams", "FILE"],
            b'[[client]]\nname = "b"\n',
            "tchat : FILE : b (client) n'a pas de commande",
        ),
        (
            ["learn", "--teams", "FILE"],
            b'[[client]]\nname = "b"\ncommand = ["b"]\nport = 0\n',
            "tchat : FILE : le port de b (client) doit être un nombre de 1 à 65535, pas 0",
        ),
        (
            ["learn", "--teams", "FILE"],
            b'[[client]]\nname = "b"\ncommand = ["b"]\nhints = [1]\n',
            'tchat : FILE : les hints de b (client) doivent être { "QUESTION" = "RÉPONSE" }, pas [1]',
        ),
        (["ping", "--dialect", "FILE"], b"", "tchat : impossible de lire FILE : No such file or directory"),
        (["ping", "--dialect", "FILE"], b"\xff", "tchat : FILE n'est pas un texte en UTF-8"),
        (["ping", "--dialect", "FILE"], b"a = ", "tchat : FILE : ce n'est pas du TOML : "),
        (["ping", "--dialect", "FILE"], b'name = "a"\nside = 1\n', 'tchat : FILE:2 : side est "client" ou "server"'),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_french(
    words: list[str], content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.toml"
    if content:
        file.write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        main([word.replace("FILE", str(file)) for word in (*words, "--lang", "fr")])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(said.replace("FILE", str(file)))


@pytest.mark.nightly
def test_questions_on_one_line_are_answered_one_by_one() -> None:
    client = (
        "import socket; host, port, name = input('Server: '), int(input('Port: ')), input('Name: '); "
        's = socket.create_connection((host, port)); s.send((\'{"hi": "%s"}\' % name).encode()); s.recv(9)'
    )
    with ClientLab(Setup((sys.executable, "-c", client)), "zqmebb") as lab:
        assert lab.observe(Start()).sent == '{"hi": "zqmebb"}'
