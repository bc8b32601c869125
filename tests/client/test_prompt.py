"""The interactive session, typed into through a pipe: lines, keys, pastes, passwords, completion."""

from __future__ import annotations

import asyncio
import stat
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput
from serving import TS, Peer

from libtchat.message.event import Banned, Created, Invited, Joined
from libtchat.message.reply import Groups, Users, Welcome
from libtchat.mirror import Mirror
from tchat_client.address import Address
from tchat_client.completion import candidates
from tchat_client.language import LANGUAGES
from tchat_client.link import Link, Times
from tchat_client.prompt import Prompt
from tchat_client.reader import Reader
from tchat_client.render import Renderer
from tchat_client.settings import State

FAST = Times(pause_seconds=0.01, quit_seconds=0.2, first_retry_seconds=0.01, last_retry_seconds=0.02)


class Terminal:
    """A person at a prompt: types keys, waits for lines, and hears what the server hears."""

    def __init__(self, keys: PipeInput, home: Path) -> None:
        self.keys = keys
        self.home = home
        self.lines: list[str] = []
        self.requests: list[dict[str, Any]] = []
        self.prompt: Prompt | None = None
        self.peers: list[Peer] = []
        self.needed: list[str] = []
        self.wanted: tuple[str, str] | None = None
        self._changed = asyncio.Event()

    def write(self, line: str) -> None:
        self.lines.append(line)
        self._changed.set()

    def type(self, text: str) -> None:
        self.keys.send_text(text)

    async def until(self, claim: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not claim():
                self._changed.clear()
                await self._changed.wait()

    async def shows(self, part: str) -> None:
        await self.until(lambda: any(part in line for line in self.lines))

    async def asked(self, action: str, count: int = 1) -> dict[str, Any]:
        await self.until(lambda: sum(request["action"] == action for request in self.requests) >= count)
        return [request for request in self.requests if request["action"] == action][count - 1]

    async def is_questioned(self) -> None:
        """Wait until a question stands where the prompt was."""
        assert self.prompt is not None
        async with asyncio.timeout(10):
            while not self.prompt._secret.app.is_running:
                await asyncio.sleep(0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A server that agrees with everything."""
        peer = Peer(reader, writer)
        self.peers.append(peer)
        seqs: Counter[str] = Counter()
        try:
            if self.needed:
                hello = await peer.get()
                while hello.get("password") != self.needed[0]:
                    code = "auth-failed" if "password" in hello else "auth-required"
                    peer.say(action="error", code=code, request="client-hello", id=hello["id"])
                    hello = await peer.get()
                peer.say(action="server-hello", version=1, server="t", token="T", id=hello["id"], **{"from": "alice"})
            else:
                await peer.welcome()
            while True:
                request = await peer.get()
                self.requests.append(request)
                self._changed.set()
                named = {name: request[name] for name in ("sender", "group", "msg", "dest") if name in request}
                match request["action"]:
                    case "cgroupe" | "gbroadcast" as action:
                        seqs[request["group"]] += 1
                        more = {"owner": "alice"} if action == "cgroupe" else {}
                        peer.say(action=action, seq=seqs[request["group"]], ts=TS, id=request["id"], **named, **more)
                    case "register" if self.wanted and request.get(self.wanted[0]) != self.wanted[1]:
                        field, is_given = self.wanted[0], self.wanted[0] in request
                        refused = {"code": "forbidden", "field": field}
                        if field == "old" and is_given:
                            refused = {"code": "auth-failed"}
                        peer.say(action="error", request="register", id=request["id"], **refused)
                    case "register":
                        peer.say(action="register", sender="alice", id=request["id"])
                    case "ping":
                        peer.say(action="ping", ts=TS, version=1, server="t", id=request["id"])
                    case "client-quit":
                        peer.say(action="server-quit", sender="alice", id=request["id"])
                        break
        except (ConnectionError, ValueError, TimeoutError):
            pass
        finally:
            writer.close()


def at_the_prompt(
    home: Path, person: Callable[[Terminal], Awaitable[None]], *, language: str = "en"
) -> tuple[Terminal, int]:
    """Let *person* use the prompt until it ends; return the terminal and the exit code."""

    async def both() -> tuple[Terminal, int]:
        with create_pipe_input() as keys:
            terminal = Terminal(keys, home)
            server = await asyncio.start_server(terminal.serve, "127.0.0.1", 0)
            address = Address("127.0.0.1", server.sockets[0].getsockname()[1])
            state = State(home / "state")
            link = Link(address, "alice", times=FAST)
            session = Reader(link, Renderer(LANGUAGES[language], address=str(address)), state, terminal.write)
            prompt = terminal.prompt = Prompt(session, history=state.history_path(), input=keys, output=DummyOutput())
            async with asyncio.timeout(30):
                running = asyncio.create_task(prompt.run(()))
                talking = asyncio.ensure_future(person(terminal))
                await asyncio.wait({running, talking}, return_when=asyncio.FIRST_COMPLETED)
                await talking
                code = await running
            server.close()
            return terminal, code

    return asyncio.run(both())


def test_what_is_typed_is_shown_when_its_stamped_copy_arrives(tmp_path: Path) -> None:
    async def person(terminal: Terminal) -> None:
        await terminal.shows("Connected to 127.0.0.1")
        terminal.type("cg;wob\r")
        await terminal.shows("you created wob")
        terminal.type("bonjour à tous\r")
        await terminal.shows("alice: bonjour à tous")
        terminal.type("\x04")

    terminal, code = at_the_prompt(tmp_path, person)
    assert code == 0
    assert terminal.requests[-1]["action"] == "client-quit"
    said = [request for request in terminal.requests if request["action"] == "gbroadcast"]
    assert [(request["group"], request["msg"]) for request in said] == [("wob", "bonjour à tous")]


@pytest.mark.parametrize(
    "keys", ["cg;dev\rhello\r", "\x1b[200~cg;dev\nhello\x1b[201~\rl\r"], ids=["fast", "pasted line by line"]
)
def test_what_is_typed_after_a_command_that_enters_a_group_is_for_that_group(keys: str, tmp_path: Path) -> None:
    async def person(terminal: Terminal) -> None:
        terminal.type("cg;wob\r")
        await terminal.shows("you created wob")
        terminal.type(keys)
        await terminal.shows("alice: hello")
        terminal.type("\x04")

    terminal, _ = at_the_prompt(tmp_path, person)
    assert [request["group"] for request in terminal.requests if request["action"] == "gbroadcast"] == ["dev"]


def test_it_speaks_french(tmp_path: Path) -> None:
    async def person(terminal: Terminal) -> None:
        await terminal.shows("Connecté à 127.0.0.1")
        terminal.type("memebrs;\r")
        await terminal.shows("commande inconnue « memebrs », vouliez-vous dire members;[groupe] ?")
        terminal.type("/quit\r")

    assert at_the_prompt(tmp_path, person, language="fr")[1] == 0


def test_a_mistyped_command_is_never_sent(tmp_path: Path) -> None:
    async def person(terminal: Terminal) -> None:
        terminal.type("cg;wob\r")
        await terminal.shows("you created wob")
        for line in ("memebrs;wob", "/memebrs", "memebrs", "kick;wob"):
            terminal.type(line + "\r")
        await terminal.shows("kick takes")
        terminal.type("/ping\r")
        await terminal.shows("round trip")
        terminal.type("\x04")

    terminal, _ = at_the_prompt(tmp_path, person)
    assert {request["action"] for request in terminal.requests} == {"cgroupe", "ping", "client-quit"}


def test_ctrl_c_clears_the_line_and_twice_on_an_empty_one_quits(tmp_path: Path) -> None:
    async def person(terminal: Terminal) -> None:
        terminal.type("cg;wob\r")
        await terminal.shows("you created wob")
        terminal.type("never said\x03")
        terminal.type("\x03")
        await terminal.shows("Ctrl-C again or Ctrl-D quits")
        terminal.type("\x03")

    terminal, code = at_the_prompt(tmp_path, person)
    assert code == 0
    assert not any(request["action"] == "gbroadcast" for request in terminal.requests)


PASTE = "\x1b[200~one\ntwo\x1b[201~\r"


@pytest.mark.parametrize(
    ("answer", "said"), [("y", ["one\ntwo"]), ("o", ["one\ntwo"]), ("l", ["one", "two"]), ("n", []), ("", [])]
)
def test_a_paste_of_several_lines_asks_first(tmp_path: Path, answer: str, said: list[str]) -> None:
    async def person(terminal: Terminal) -> None:
        terminal.type("cg;wob\r")
        await terminal.shows("you created wob")
        terminal.type(PASTE)
        terminal.type(answer + "\r")
        terminal.type("bg;wob;end\r")
        await terminal.shows("alice: end")
        terminal.type("\x04")

    terminal, _ = at_the_prompt(tmp_path, person)
    texts = [request["msg"] for request in terminal.requests if request["action"] == "gbroadcast"]
    assert texts == [*said, "end"]


def test_a_huge_paste_is_one_clear_line(tmp_path: Path) -> None:
    async def person(terminal: Terminal) -> None:
        terminal.type("cg;wob\r")
        await terminal.shows("you created wob")
        await asyncio.to_thread(terminal.type, "\x1b[200~" + "x" * 100_000 + "\x1b[201~\r")  # more than a pipe holds
        await terminal.shows("the text has 100000 bytes, at most 8192 can be sent")
        terminal.type("\x04")

    terminal, _ = at_the_prompt(tmp_path, person)
    assert all(len(line) < 300 for line in terminal.lines)


def test_a_password_is_asked_for_twice_and_recorded_nowhere(tmp_path: Path) -> None:
    async def person(terminal: Terminal) -> None:
        await terminal.shows("Connected")
        terminal.type("register;\r")
        terminal.type("hunter2\r")
        terminal.type("hunter3\r")
        await terminal.shows("the two are not equal")
        terminal.type("hunter2\r")  # it asks again: at the prompt this would be a text
        terminal.type("\x03")
        await terminal.shows("nothing done")
        terminal.type("register;\r")
        terminal.type("hunter2\r")
        terminal.type("hunter2\r")
        await terminal.shows("protected by your password")
        terminal.type("register;hunter4\r")
        await terminal.asked("register", 2)
        terminal.type("ls;\r")
        await terminal.asked("client-list-clients")
        terminal.type("\x04")

    terminal, _ = at_the_prompt(tmp_path, person)
    assert [request["password"] for request in terminal.requests if "password" in request] == ["hunter2", "hunter4"]
    assert sum("not equal" in line for line in terminal.lines) == 1  # Ctrl-C is no other password
    assert "hunter" not in "\n".join(terminal.lines)
    history = tmp_path / "state" / "history"
    assert "ls;" in history.read_text()
    assert "hunter" not in history.read_text()
    assert stat.S_IMODE(history.stat().st_mode) == 0o600


@pytest.mark.parametrize("field", ["invitation", "old"])
def test_a_wrong_code_or_old_password_is_asked_for_again_and_never_becomes_a_text(field: str, tmp_path: Path) -> None:
    async def person(terminal: Terminal) -> None:
        terminal.wanted = (field, "right one")
        terminal.type("cg;wob\r")
        await terminal.shows("you created wob")
        terminal.type("register;\rhunter2\rhunter2\r")
        await terminal.asked("register")
        terminal.type("wrong one\r")
        await terminal.shows("!! register;***: ")
        terminal.type("right one\r")
        await terminal.shows("protected by your password")
        terminal.type("register;\rhunter3\rhunter3\r")
        await terminal.asked("register", 4)
        terminal.type("\r")
        await terminal.shows("nothing done")
        terminal.type("\x04")

    terminal, _ = at_the_prompt(tmp_path, person)
    assert [request.get(field) for request in terminal.requests if request["action"] == "register"] == [
        *(None, "wrong one", "right one", None)
    ]
    assert sum("!! register;" in line for line in terminal.lines) == 1
    assert not any(request["action"] == "gbroadcast" for request in terminal.requests)
    assert not any("wrong one" in line or "right one" in line for line in terminal.lines)


def test_what_is_answered_while_there_is_no_connection_is_not_sent(tmp_path: Path) -> None:
    async def person(terminal: Terminal) -> None:
        terminal.wanted = ("invitation", "right one")
        await terminal.shows("Connected")
        terminal.type("register;\rhunter2\rhunter2\r")
        await terminal.asked("register")
        terminal.needed = ["hunter9"]
        terminal.peers[0].writer.close()
        await terminal.shows("(auth-required)")
        terminal.type("right one\r")
        await terminal.shows("not sent, there is no connection")
        await terminal.is_questioned()
        terminal.type("hunter9\r")
        await terminal.shows("connected again")
        terminal.type("\x04")

    terminal, code = at_the_prompt(tmp_path, person)
    assert (code, sum(request["action"] == "register" for request in terminal.requests)) == (0, 1)


def test_a_protected_name_is_let_in_by_its_password_also_after_a_reconnect(tmp_path: Path) -> None:
    async def person(terminal: Terminal) -> None:
        terminal.needed = ["hunter2"]
        await terminal.shows("protected by a password (auth-required)")
        terminal.type("wrong\r")
        await terminal.shows("wrong password for alice (auth-failed)")
        terminal.type("hunter2\r")
        await terminal.shows("Connected")
        terminal.type("bg;wob;hal")
        terminal.needed = ["changed"]
        terminal.peers[0].writer.close()
        await terminal.shows("connection lost")
        await terminal.until(lambda: sum("auth-failed" in line for line in terminal.lines) == 2)
        await terminal.is_questioned()
        terminal.type("changed\r")
        await terminal.shows("connected again")
        terminal.type("lo\r")
        await terminal.asked("gbroadcast")
        terminal.type("\x04")

    terminal, code = at_the_prompt(tmp_path, person)
    assert code == 0
    assert [r["msg"] for r in terminal.requests if r["action"] == "gbroadcast"] == ["hallo"]
    assert not any("hunter2" in line or "changed" in line for line in terminal.lines)


def test_nothing_is_queued_in_silence_while_there_is_no_connection(tmp_path: Path) -> None:
    async def person(terminal: Terminal) -> None:
        terminal.type("cg;wob\r")
        await terminal.shows("you created wob")
        assert terminal.prompt is not None
        terminal.prompt.link.opened.clear()
        said = 0
        for line in ("lost?", '/raw {"action":"gbroadcast"}', "/more"):
            terminal.type(f"{line}\r")
            while (count := sum("not sent, there is no connection" in shown for shown in terminal.lines)) == said:
                await asyncio.sleep(0.01)
            said = count
        terminal.type("/use wob\r")
        await terminal.shows("text goes to wob now")
        terminal.prompt.link.opened.set()
        terminal.type("\x04")

    terminal, code = at_the_prompt(tmp_path, person)
    assert code == 0
    assert not {"gbroadcast", "msgs"} & {request["action"] for request in terminal.requests}


def test_a_lost_connection_comes_back_and_the_typing_goes_on(tmp_path: Path) -> None:
    async def person(terminal: Terminal) -> None:
        await terminal.shows("Connected")
        terminal.type("bg;wob;h")
        terminal.peers[0].writer.close()
        await terminal.shows("connection lost")
        await terminal.shows("connected again")
        terminal.type("i\r")
        await terminal.asked("gbroadcast")
        terminal.type("\x04")

    terminal, _ = at_the_prompt(tmp_path, person)
    assert [r["msg"] for r in terminal.requests if r["action"] == "gbroadcast"] == ["hi"]


def test_raw_and_trace_are_for_people_who_implement_the_protocol(tmp_path: Path) -> None:
    async def person(terminal: Terminal) -> None:
        await terminal.shows("Connected")
        terminal.type("/trace on\r")
        await terminal.shows("showing every message")
        terminal.type('/raw {"action":"ping","id":"mine"}\r')
        await terminal.shows('< {"msg": "", "action": "ping"')
        terminal.type("\x04")

    terminal, _ = at_the_prompt(tmp_path, person)
    assert any(line == '> {"action":"ping","id":"mine"}' for line in terminal.lines)


def test_the_toolbar_and_the_prompt_say_where_one_is(tmp_path: Path) -> None:
    async def person(terminal: Terminal) -> None:
        terminal.type("cg;wob\r")
        await terminal.shows("you created wob")
        assert terminal.prompt is not None
        mirror = terminal.prompt.link.mirror
        mirror.apply(Invited("bob", "dev", "alice", 1, TS))
        mirror.groups["dev"].unread = 2
        assert terminal.prompt._message() == "alice [wob]> "
        assert "online   wob   dev:2 unread" in terminal.prompt._toolbar()
        terminal.type("\x04")

    at_the_prompt(tmp_path, person)


@pytest.fixture
def mirror() -> Mirror:
    known = Mirror()
    known.apply(Welcome("alice", 1, "t", "t"))
    known.apply(Created("alice", "wob", 1, TS, "alice"))
    known.apply(Joined("bob", "wob", 2, TS))
    known.apply(Joined("Carol", "wob", 3, TS))
    known.apply(Banned("alice", "wob", "mallory", "", 4, TS))
    known.apply(Invited("zoe", "wine", "alice", 7, TS))
    known.apply(Users(("alice", "bob", "zoe", "evil\x1b[31m")))
    known.apply(Groups(("wob", "world", "we;ird", "wi\u202e")))
    known.focus("wob")
    return known


COMPLETIONS = [
    ("mem", "mem", ["members;"]),
    ("/me", "/me", ["/members ", "/messages ", "/me "]),
    ("un", "un", ["unban;", "unmute;"]),
    ("/mute b", "b", ["bob"]),
    ("/mute @b", "@b", ["@bob"]),
    ("/more @b", "@b", ["@bob"]),
    ("bo", "bo", ["bob: "]),
    ("hello ca", "ca", ["Carol"]),
    ("hello ", "", []),
    ("j;w", "w", ["wine", "world"]),
    ("members;w", "w", ["wob"]),
    ("kick;w", "w", ["wob;"]),
    ("/kick w", "w", ["wob "]),
    ("kick;wob;", "", ["Carol", "bob"]),
    ("kick;;b", "b", ["bob"]),
    ("/kick wob B", "B", ["bob"]),
    ("unban;wob;", "", ["mallory"]),
    ("unban;nowhere;", "", []),
    ("invite;wob;", "", ["mallory", "zoe"]),
    ("s;z", "z", ["zoe;"]),
    ("bg;wob;salut b", "b", ["bob"]),
    ("kick;wob;bob;because c", "c", ["Carol"]),
    ("/help ki", "ki", ["kick"]),
    ("/trace o", "o", ["on", "off"]),
    ("cg;new;", "", ["private"]),
    ("messages;wob;", "", []),
    ("groups;w", "", []),
    ("nonsense;w", "nonsense;w", []),
]


@pytest.mark.parametrize(("line", "fragment", "words"), COMPLETIONS, ids=[line for line, _, _ in COMPLETIONS])
def test_tab_completes_what_may_stand_there(mirror: Mirror, line: str, fragment: str, words: list[str]) -> None:
    assert candidates(line, mirror) == (fragment, words)


def test_nothing_unsafe_is_ever_offered(mirror: Mirror) -> None:
    for line in ("s;", "j;", "invite;wob;"):
        assert all(word.isprintable() for word in candidates(line, mirror)[1])
