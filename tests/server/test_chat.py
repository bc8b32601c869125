"""A chat inside an asyncio program: its users, what it asks and tells its host, and how it ends."""

from __future__ import annotations

import asyncio
import functools
import itertools
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Coroutine, Generator
from pathlib import Path
from typing import Any

import pytest
from live import ROOT
from logs import on_loop
from tabs import Tab

from libtchat import Create, Created, ErrorCode, Event, Join, Members, Refused, Request, Say, Send, ServerLimits
from libtchat import ListMembers as AskMembers
from tchat_server import Chat, ChatFailed, LogUnavailable, LogUnusable, MemoryLog, Misused, NotRunning, Retention
from tchat_server import hooks as hooks_module

SECONDS = 10.0


@pytest.fixture(autouse=True)
def caplog_level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tchat_server")


async def soon(condition: Any) -> None:
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.005)


class TcpClient:
    """One connection over TCP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @staticmethod
    async def connect(address: tuple[str, int]) -> TcpClient:
        return TcpClient(*await asyncio.open_connection(*address))

    async def get(self) -> dict[str, Any]:
        while True:
            line = await asyncio.wait_for(self.reader.readline(), SECONDS)
            message: dict[str, Any] = json.loads(line)
            if message.get("event") not in ("connect", "disconnect"):
                return message

    async def ask(self, **message: Any) -> dict[str, Any]:
        self.writer.write(json.dumps(message).encode() + b"\n")
        return await self.get()

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


@on_loop
async def test_users_of_the_program_and_of_tcp_are_in_one_chat() -> None:
    async with Chat() as chat:
        address = await chat.listen()
        async with Tab(chat, "alice") as alice:
            assert chat.online() == ("alice",)
            await alice.ask(action="cgroupe", group="wob")
            bob = await TcpClient.connect(address)
            await bob.ask(action="client-hello", **{"from": "bob"})
            await bob.ask(action="join", group="wob")
            assert (await alice.get())["action"] == "join"
            assert (await bob.ask(action="gbroadcast", group="wob", msg="hi"))["msg"] == "hi"
            assert (await alice.get())["msg"] == "hi"
            assert await chat.members("wob") == ("alice", "bob")
            await bob.close()
        await soon(lambda: not chat.online())


@on_loop
async def test_a_browser_is_told_its_name_and_no_token() -> None:
    async with Chat() as chat, Tab(chat, "alice") as alice:
        welcome = await alice.ask(action="client-hello")
        assert (welcome["from"], welcome["token"]) == ("alice", "")


@on_loop
async def test_without_a_user_the_client_says_who_it_is() -> None:
    async with Chat() as chat, Tab(chat, None, origin="2001:db8::1") as tab:
        assert chat.online() == ()
        assert (await tab.ask(action="client-hello", sender="carol"))["token"]
        assert chat.online() == ("carol",)


@on_loop
async def test_everything_is_there_again_when_the_chat_is_started_again(tmp_path: Path) -> None:
    chat = Chat(tmp_path / "chat.db")
    async with chat:
        await chat.ask_as("alice", Create("wob"))
        await chat.say_as("robot", "wob", "deployed")
    async with chat, Tab(chat, "alice") as alice:
        assert await chat.members("WOB") == ("alice", "robot")
        welcome = await alice.ask(action="client-hello")
        assert welcome["seqs"] == {"wob": 3}
        texts = (await alice.ask(action="msgs", group="wob"))["list"]
        assert [(text["sender"], text["msg"]) for text in texts] == [("robot", "deployed")]


@on_loop
async def test_two_chats_in_one_program_know_nothing_of_each_other() -> None:
    async with Chat() as one, Chat() as other, Tab(one, "alice"), Tab(other, "bob"):
        await one.ask_as("alice", Create("wob"))
        assert (one.online(), other.online()) == (("alice",), ("bob",))
        with pytest.raises(Refused) as refused:
            await other.members("wob")
        assert refused.value.code is ErrorCode.GROUP_NOT_FOUND


@on_loop
async def test_the_ninth_tab_is_told_so_and_the_others_go_on() -> None:
    async with Chat() as chat, Tab(chat, "alice") as first:
        others = [Tab(chat, "alice") for _ in range(8)]
        for tab in others:
            await tab.__aenter__()
        ninth = others[-1]
        error = await ninth.get()
        assert (error["code"], error["limit"]) == ("limit-reached", 8)
        await ninth.ended()
        assert (ninth.peer.reason, ninth.closed) == ("limit-reached", [1008])
        assert (await first.ask(action="ping"))["action"] == "ping"
        await chat.ask_as("alice", Create("wob"))
        assert (await first.get())["action"] == "cgroupe"
        for tab in others:
            await tab.__aexit__(None, None, None)
        async with Tab(chat, "alice") as again:
            assert (await again.ask(action="ping"))["action"] == "ping"


@on_loop
async def test_when_the_house_is_full_a_browser_is_told_so() -> None:
    limits = ServerLimits(max_peers=1)
    async with Chat(limits=limits) as chat, Tab(chat, "alice"), Tab(chat, "bob") as bob:
        assert (await bob.get())["code"] == "limit-reached"
        await bob.ended()
        assert bob.closed == [1008]
        with pytest.raises(Refused) as refused:
            await chat.ask_as("carol", Create("wob"))
        assert (refused.value.code, refused.value.limit) == (ErrorCode.LIMIT_REACHED, 1)


@pytest.mark.parametrize("name", ["two words", "", "guest-1", "server", "x" * 40, "a\nb"])
@on_loop
async def test_a_name_that_is_none_is_the_program_s_fault_at_once(name: str) -> None:
    async with Chat() as chat:
        with pytest.raises(Refused, match="name") as refused:
            chat.peer(name)
        assert refused.value.code is ErrorCode.BAD_NAME
        with pytest.raises(Refused, match="name"):
            await chat.say_as(name, "wob", "hi")


@on_loop
async def test_the_program_asks_on_behalf_of_users_and_nobody_hears_them_come() -> None:
    async with Chat() as chat, chat.peer("alice") as alice:
        heard: list[dict[str, Any]] = []
        over = asyncio.Event()

        async def receive() -> AsyncIterator[str]:
            await over.wait()
            yield '{"action":"client-quit"}'
            await asyncio.sleep(SECONDS)

        async def send(text: str) -> None:
            heard.append(json.loads(text))

        pumping = asyncio.create_task(alice.pump(receive(), send))
        await chat.ask_as("alice", Create("wob", private=True))
        with pytest.raises(Refused) as refused:
            await chat.say_as("robot", "wob", "deployed")
        assert refused.value.code is ErrorCode.INVITE_REQUIRED
        await chat.ask_as("owner", Create("wob2"))
        await chat.ask_as("alice", Create("dev"))
        said = await chat.say_as("robot", "dev", "deployed")
        assert (said.sender, said.group, said.msg, said.seq) == ("robot", "dev", "deployed", 3)
        at_once = await asyncio.gather(*(chat.say_as("shop", "wob2", str(number)) for number in range(3)))
        assert sorted(said.msg for said in at_once) == ["0", "1", "2"]  # each finds that it is no member yet
        members = await chat.ask_as("robot", AskMembers("dev"))
        assert isinstance(members, Members)
        assert members.list == ("alice", "robot")
        over.set()
        await asyncio.wait_for(pumping, SECONDS)
        assert [message["action"] for message in heard] == [
            *("cgroupe", "cgroupe", "join", "gbroadcast", "server-quit"),
        ]
        assert alice.reason == "quit"


@pytest.mark.parametrize(
    ("request_", "code", "field"),
    [
        (Say("wob", "x" * 9000), "too-large", "msg"),
        (Say("wob", "x" * 90_000), "too-large", "msg"),
        (Say("nowhere", "hi"), "group-not-found", "group"),
        (Create("b a d"), "bad-name", "group"),
    ],
)
@on_loop
async def test_what_is_refused_is_raised(request_: Request, code: str, field: str | None) -> None:
    async with Chat() as chat:
        await chat.ask_as("alice", Create("wob"))
        with pytest.raises(Refused) as refused:
            await chat.ask_as("alice", request_)
        assert str(refused.value.code) == code
        assert str(refused.value)
        assert refused.value.field in (field, None)


@on_loop
async def test_what_is_no_request_is_said_to_be_none() -> None:
    async with Chat() as chat:
        for wrong in (Send("bob", "hi"), "hi", None, Say):  # type: ignore[arg-type]
            with pytest.raises(Misused, match="is no request"):
                await chat.ask_as("alice", wrong)  # type: ignore[arg-type]
        assert isinstance(await chat.ask_as("alice", Create("wob")), Created)


@on_loop
async def test_an_id_of_the_program_s_own_makes_one_event_however_often_it_is_asked() -> None:
    async with Chat() as chat:
        await chat.ask_as("alice", Create("wob"))
        request = Say("wob", "once", id='my "id"')
        assert await chat.ask_as("alice", request) == await chat.ask_as("alice", request)


@on_loop
async def test_each_text_is_a_message_of_its_own_whatever_it_is() -> None:
    async with Chat() as chat, Tab(chat, "alice") as alice:
        for text in ('{"action":', "hello", "", "[]", b"\xff", '{"action":"ping","id":"\ud800"}', '"\n"'):
            alice.write(text)
            assert (await alice.get())["code"] == "bad-json", text
        alice.write('{\n "action": "ping",\n "id": "x"\n}\n')
        assert (await alice.get())["id"] == "x"
        alice.write(b'{"action":"ping"}')
        assert (await alice.get())["action"] == "ping"
        alice.write('{"action":"ping","id":"' + "x" * 70_000 + '"}')
        assert (await alice.get())["code"] == "too-large"
        await alice.ended()
        assert (alice.peer.reason, alice.peer.close_code, alice.closed) == ("too-large", 1008, [1008])


@on_loop
async def test_who_goes_away_is_answered_first_and_gone_then() -> None:
    async with Chat() as chat, Tab(chat, "alice") as alice:
        alice.send(action="ping", id="last")
        alice.write(None)
        await alice.ended()
        assert (await alice.get())["id"] == "last"
        assert (alice.peer.reason, alice.peer.close_code, alice.closed) == ("closed by the peer", 1000, [])
        assert chat.online() == ()


@on_loop
async def test_a_flood_is_read_at_the_pace_of_the_limits_and_leaves_the_others_their_turn() -> None:
    taken = 0

    async def flood() -> AsyncIterator[str]:
        nonlocal taken
        while True:  # it never waits for anything
            taken += 1
            yield '{"action":"ping"}'

    async def forget(text: str) -> None: ...

    async with Chat() as chat, Tab(chat, "bob") as bob, chat.peer("alice") as alice:
        pumping = asyncio.create_task(alice.pump(flood(), forget))
        async with asyncio.timeout(0.5):
            for number in range(20):
                assert (await bob.ask(action="ping", id=str(number)))["id"] == str(number)
        assert taken < 200
        pumping.cancel()
        await asyncio.wait([pumping])


@on_loop
async def test_a_member_who_does_not_read_costs_his_buffer_and_then_his_connection() -> None:
    limits = ServerLimits(max_out_bytes=100_000, requests_per_second=0.0)
    never, closed = asyncio.Event(), []

    async def send(text: str) -> None:
        await never.wait()

    async def close(code: int) -> None:
        closed.append(code)

    async with Chat(limits=limits) as chat, Tab(chat, "bob") as bob, chat.peer("slow") as slow:
        pumping = asyncio.create_task(slow.pump(Tab(chat, "x").receive(), send, close))
        await bob.ask(action="cgroupe", group="wob")
        await chat.ask_as("slow", Join("wob"))
        assert (await bob.get())["action"] == "join"
        for number in range(30):
            heard = await bob.ask(action="gbroadcast", group="wob", msg="x" * 8000)
            assert heard["seq"] == number + 3
        await asyncio.wait_for(pumping, SECONDS)
        assert (slow.reason, closed) == ("does not read", [1008])
        assert chat.online() == ("bob",)


@on_loop
async def test_a_client_that_is_gone_is_no_error_and_a_fault_of_the_program_is() -> None:
    async with Chat() as chat:

        async def gone() -> AsyncIterator[str]:
            yield '{"action":"ping"}'

        async def stays() -> AsyncIterator[str]:
            yield '{"action":"ping"}'
            await asyncio.sleep(SECONDS)

        async def breaks() -> AsyncIterator[str]:
            raise KeyError("theirs")
            yield ""

        async def resets() -> AsyncIterator[str]:
            raise ConnectionResetError
            yield ""

        async def keep(text: str) -> None: ...
        async def lost(text: str) -> None:
            raise ConnectionResetError

        async def wrong(text: str) -> None:
            raise ValueError("theirs")

        for receive, send in ((gone, lost), (stays, lost), (gone, wrong), (resets, keep)):
            async with chat.peer("alice") as alice:
                await asyncio.wait_for(alice.pump(receive(), send), SECONDS)
        async with chat.peer("alice") as alice:
            with pytest.raises(ValueError, match="theirs"):
                await asyncio.wait_for(alice.pump(stays(), wrong), SECONDS)
        async with chat.peer("alice") as alice:
            with pytest.raises(KeyError, match="theirs"):
                await asyncio.wait_for(alice.pump(breaks(), keep), SECONDS)
        assert chat.online() == ()


@on_loop
async def test_handlers_are_asked_before_and_told_after() -> None:
    chat = Chat()
    asked: list[tuple[str, str]] = []
    told: list[Event] = []

    @chat.may
    def may(user: str, request: Request) -> bool:
        asked.append((user, request.action))
        return not (isinstance(request, Say) and "spam" in request.msg)

    @chat.may
    async def may_too(user: str, request: Request) -> bool:
        await asyncio.sleep(0)
        return user != "eve"

    @chat.on_event
    def seen(event: Event) -> None:
        told.append(event)

    async with chat, Tab(chat, "alice") as alice, Tab(chat, "eve") as eve:
        await alice.ask(action="cgroupe", group="wob")
        assert (await alice.ask(action="gbroadcast", group="wob", msg="spam!"))["code"] == "forbidden"
        assert (await eve.ask(action="join", group="wob"))["code"] == "forbidden"
        assert (await alice.ask(action="gbroadcast", group="wob", msg="hi"))["seq"] == 2
        await chat.say_as("robot", "wob", "spam")
        await soon(lambda: len(told) == 4)
    assert asked == [("alice", "cgroupe"), ("alice", "gbroadcast"), ("eve", "join"), ("alice", "gbroadcast")]
    assert [(event.action, event.seq) for event in told] == [
        ("cgroupe", 1),
        ("gbroadcast", 2),
        ("join", 3),
        ("gbroadcast", 4),
    ]


@pytest.mark.parametrize("is_async", [False, True])
@on_loop
async def test_a_handler_that_fails_costs_one_request_or_nothing(
    is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    chat = Chat()

    def fails(text: str) -> bool:
        match text:
            case "raise":
                raise KeyError("theirs")
            case "cancel":
                raise asyncio.CancelledError  # as what it awaits does that somebody else cancelled
            case "nothing":
                return None  # type: ignore[return-value]
            case "refuse":
                raise Refused(ErrorCode.RATE_LIMITED, "slower, please", retry_after=3)
        return True

    async def fails_later(text: str) -> bool:
        return fails(text)

    if is_async:
        chat.may(lambda user, request: fails_later(getattr(request, "msg", "")))
    else:
        chat.may(lambda user, request: fails(getattr(request, "msg", "")))

    @chat.on_event
    def broken(event: Event) -> None:
        raise asyncio.CancelledError("theirs too") if event.seq == 1 else KeyError("theirs too")

    async with chat, Tab(chat, "alice") as alice:
        await alice.ask(action="cgroupe", group="wob")
        for text in ("raise", "cancel", "nothing", "refuse"):
            error = await alice.ask(action="gbroadcast", group="wob", msg=text)
            assert error["code"] == ("rate-limited" if text == "refuse" else "internal")
        assert (error["msg"], error["retry_after"]) == ("slower, please", 3)
        assert (await alice.ask(action="gbroadcast", group="wob", msg="hi"))["seq"] == 2
        await soon(lambda: caplog.text.count("theirs too") >= 2)
    assert "returns True or False, not None" in caplog.text
    assert "broken failed at event 2 of wob" in caplog.text


@on_loop
async def test_handlers_that_never_return_cost_nobody_else_anything(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(hooks_module, "_MAY_SECONDS", 0.2)
    monkeypatch.setattr(hooks_module, "_CLOSING_SECONDS", 0.05)
    monkeypatch.setattr(hooks_module, "_MAX_WAITING", 3)
    chat, never = Chat(), asyncio.Event()
    told: list[int] = []

    @chat.may
    async def may(user: str, request: Request) -> bool:
        return user != "eve" or await never.wait()

    @chat.on_event
    async def stuck(event: Event) -> None:
        await never.wait()

    @chat.on_event
    def seen(event: Event) -> None:
        told.append(event.seq)

    async with chat, Tab(chat, "alice") as alice, Tab(chat, "eve") as eve:
        eve.send(action="client-list-clients")
        await alice.ask(action="cgroupe", group="wob")
        for _ in range(5):
            await alice.ask(action="gbroadcast", group="wob", msg="hi")
        assert (await eve.get())["code"] == "unavailable"
        assert (await eve.ask(action="ping"))["action"] == "ping"
        await soon(lambda: len(told) == 6)
    assert "stuck is not told of events" in caplog.text
    assert asyncio.all_tasks() == {asyncio.current_task()}


@on_loop
async def test_each_misuse_has_its_exception_and_says_what_to_do() -> None:
    chat = Chat()
    for use in (chat.listen, lambda: chat.ask_as("a", Create("b")), lambda: chat.members("b")):
        with pytest.raises(NotRunning, match="async with chat"):
            await use()  # type: ignore[operator]
    with pytest.raises(NotRunning):
        chat.online()
    async with chat:
        with pytest.raises(Misused, match="before the chat is started"):
            chat.may(lambda user, request: True)
        with pytest.raises(Misused, match="before the chat is started"):
            chat.on_event(print)
        for decorate in (Chat().may, Chat().on_event):
            with pytest.raises(Misused, match="a handler is a function, not None"):
                decorate(None)  # type: ignore[type-var]
        with pytest.raises(Misused, match="started once"):
            await chat.__aenter__()
        with pytest.raises(Misused, match="another event loop"):
            await asyncio.to_thread(chat.online)
        for elsewhere in (lambda: chat.members("wob"), chat.stop):
            with pytest.raises(Misused, match="another event loop"):
                await asyncio.to_thread(lambda elsewhere=elsewhere: asyncio.run(elsewhere()))
        for user in (7, b"alice"):
            for asks in (chat.peer, lambda user: chat.ask_as(user, Create("b"))):
                with pytest.raises(Misused, match=r"user is a name, as 'alice', not (7|b'alice')"):
                    await asks(user)  # type: ignore[operator]
        with pytest.raises(Misused, match="group is a name, as 'wob', not 7"):
            await chat.members(7)  # type: ignore[arg-type]
        with pytest.raises(Misused, match=r"gbroadcast cannot be written: .* bytes"):
            await chat.say_as("alice", "wob", b"hello")  # type: ignore[arg-type]
        for host, port, tls, what in (
            (None, 0, None, "host is text"),
            ("127.0.0.1", "80", None, "port is a number from 0 to 65535, not '80'"),
            ("127.0.0.1", 65536, None, "port is"),
            ("127.0.0.1", 0, "cert.pem", "tls is an ssl.SSLContext, not 'cert.pem'"),
        ):
            with pytest.raises(Misused, match=what):
                await chat.listen(host, port, tls=tls)  # type: ignore[arg-type]
        peer = chat.peer("alice")
        with pytest.raises(Misused, match="inside `async with"):
            await peer.pump(Tab(chat, "x").receive(), Tab(chat, "x").send_text)
        async with Tab(chat, "bob") as bob:
            await bob.ask(action="ping")
            with pytest.raises(Misused, match="called already"):
                await bob.peer.pump(bob.receive(), bob.send_text)
            with pytest.raises(Misused, match="another one"):
                await bob.peer.__aenter__()
        async with Tab(chat, "bob") as bob:
            bob.write(object())  # type: ignore[arg-type]
            with pytest.raises(Misused, match="str or bytes each, not object"):
                await bob.ended()
    with pytest.raises(NotRunning):
        chat.peer("alice")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"log": 42}, "log is a path, ':memory:', an EventLog or what opens one, not 42"),
        ({"limits": {"max_peers": 3}}, r"limits is a libtchat.ServerLimits\(...\), not {'max_peers': 3}"),
        ({"limits": ServerLimits(max_peers="3")}, "limits: max_peers is a number from 0 on, not '3'"),  # type: ignore[arg-type]
        ({"limits": ServerLimits(token_seconds=-1)}, "limits: token_seconds is a number from 0 on, not -1"),
        ({"name": 7}, "name is text, not 7"),
        ({"presence": "some"}, "presence is one of 'auto', 'all', 'groups', 'none', not 'some'"),
        ({"registration": "close"}, "registration is one of 'open', 'invite', 'closed', not 'close'"),
        ({"keep": 30}, r"keep is a Retention\(days=..., messages=...\), not 30"),
        ({"keep": Retention(days="30")}, "keep: days is a number from 0 on, not '30'"),  # type: ignore[arg-type]
        ({"grace_seconds": None}, "grace_seconds is a number from 0 on, not None"),
    ],
)
def test_an_option_that_makes_no_sense_is_one_clear_sentence(options: Any, sentence: str) -> None:
    with pytest.raises(Misused, match=sentence):
        Chat(**options)


@on_loop
async def test_a_log_that_lacks_something_is_told_what() -> None:
    class Half:
        control = clock = append = load = None

    with pytest.raises(Misused, match=r"a Half is no EventLog: it lacks load_user, find_user, .*close"):
        await Chat(Half()).start()  # type: ignore[arg-type]

    class Keeps:
        closed = False
        inner = MemoryLog()

        def __getattr__(self, name: str) -> Any:
            if name == "remove_old":
                raise AttributeError(name)
            return getattr(self.inner, name)

        async def close(self) -> None:
            self.closed = True

    log = Keeps()
    with pytest.raises(Misused, match="keep: a Keeps removes nothing, as it has no remove_old"):
        await Chat(log, keep=Retention(messages=1)).start()
    assert log.closed
    with pytest.raises(Misused, match="not 42"):
        await Chat(lambda: 42).start()  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    "request_",
    [
        Say("wob", "hi", id=7),  # type: ignore[arg-type]
        Say("wob", "hi", id="x" * 65),
        Say("wob", [[[[[[[[[["deep"]]]]]]]]]]),  # type: ignore[arg-type]
    ],
)
@on_loop
async def test_what_no_server_can_read_is_refused_at_once(request_: Request) -> None:
    async with Chat() as chat:
        with pytest.raises(Refused, match=r"id|deep"):
            await asyncio.wait_for(chat.ask_as("alice", request_), SECONDS)


@on_loop
async def test_what_pump_is_given_wrongly_is_said_whatever_the_client_does() -> None:
    """Also if it has gone by then: a fault of the program is no client that is gone."""

    async def receive() -> AsyncIterator[str]:
        yield '{"action":"client-quit"}'

    async def send(text: str) -> None:
        pass

    wrong: list[tuple[Any, Any, Any, str]] = [
        (receive, send, None, r"receive is an async iterator of texts, as websocket.iter_text\(\) is, not a function"),
        (["text"], send, None, "receive is an async iterator of texts"),
        (receive(), None, None, "send is called with a text and awaited, as websocket.send_text is: None"),
        (receive(), [].append, None, "send is called with a text and awaited"),
        (receive(), send, 1000, "close is called with a code and awaited, as websocket.close is: 1000"),
    ]
    async with Chat() as chat:
        for receives, sends, closes, sentence in wrong:
            async with chat.peer("alice") as peer:
                with pytest.raises(Misused, match=sentence):
                    await asyncio.wait_for(peer.pump(receives, sends, closes), SECONDS)


@on_loop
async def test_storage_that_can_t_be_used_is_said_at_the_start_and_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "chat.db"
    path.write_text("this is no database" * 100)
    chat = Chat(path)
    with pytest.raises(LogUnusable, match=r"chat\.db"):
        await chat.__aenter__()
    path.unlink()
    async with chat, Chat(tmp_path / "other.db"):
        with pytest.raises(LogUnusable, match=r"chat\.db"):
            await Chat(path).__aenter__()


class Moody(MemoryLog):
    """A log that fails as it is told to. *mood*: what it raises, and where."""

    mood: tuple[str, Exception | None] = ("", None)

    def _fail(self, where: str) -> None:
        if self.mood[0] == where and self.mood[1] is not None:
            raise self.mood[1]

    async def _later(self, where: str, value: Any) -> Any:
        self._fail(where)
        return value

    def append(self, parts: Any) -> Any:
        if self.mood[0] == "refuse":
            return self._later("", {part.key: () for part in parts})
        if self.mood[0] == "append":
            self._fail("append")
        return self._later("append later", super().append(parts).value)  # type: ignore[attr-defined]

    def load_user(self, key: Any) -> Any:
        return self._later("read", super().load_user(key).value)  # type: ignore[attr-defined]

    def load(self, key: Any) -> Any:
        return self._later("read", super().load(key).value)  # type: ignore[attr-defined]


@on_loop
async def test_storage_that_is_away_for_a_while_is_told_and_comes_back() -> None:
    log = Moody()
    async with Chat(log) as chat, Tab(chat, "alice") as alice:
        await alice.ask(action="cgroupe", group="wob")
        log.mood = ("refuse", None)
        assert (await alice.ask(action="gbroadcast", group="wob", msg="hi"))["code"] == "unavailable"
        log.mood = ("read", LogUnavailable("the disk is away"))
        with pytest.raises(Refused) as refused:
            await chat.say_as("robot", "wob", "hi")
        assert refused.value.code is ErrorCode.UNAVAILABLE
        with pytest.raises(LogUnavailable):
            await chat.members("elsewhere")
        async with Tab(chat, "bob") as bob:
            assert (await bob.get())["code"] == "unavailable"
            await bob.ended()
        assert (await alice.ask(action="join", group="elsewhere"))["code"] == "unavailable"
        log.mood = ("", None)
        assert (await chat.say_as("robot", "wob", "hi")).seq == 3


@pytest.mark.parametrize(
    "mood",
    [
        ("append", KeyError("theirs")),
        ("append later", KeyError("theirs")),
        ("append later", LogUnavailable("nobody knows")),
        ("read", KeyError("theirs")),
    ],
    ids=str,
)
@on_loop
async def test_a_fault_is_raised_to_the_program(mood: tuple[str, Exception]) -> None:
    asyncio.get_running_loop().set_exception_handler(lambda _, context: None)  # where the fault was, it is told as well
    log = Moody()
    chat = Chat(log)
    was_told = False

    async def program() -> None:
        nonlocal was_told
        async with chat, Tab(chat, "alice") as alice:
            await alice.ask(action="cgroupe", group="wob")
            log.mood = mood
            alice.send(action="join", group="elsewhere")
            alice.send(action="gbroadcast", group="wob", msg="hi")
            try:
                await asyncio.sleep(SECONDS)
            finally:
                with pytest.raises(ChatFailed):
                    chat.online()
                was_told = True

    with pytest.raises(ChatFailed, match="its cause says where") as failed:
        await program()
    assert was_told
    assert failed.value.__cause__ is mood[1]
    current = asyncio.current_task()
    assert current is not None
    assert not current.cancelling()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {current}
    log.mood = ("", None)
    async with chat:
        assert await chat.members("wob") == ("alice",)


@on_loop
async def test_a_fault_reaches_those_who_wait_also_if_nobody_is_in_the_block_any_more() -> None:
    log = Moody()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: None)
    chat = Chat(log)
    await asyncio.create_task(chat.__aenter__())
    async with Tab(chat, "alice") as alice:
        log.mood = ("append", KeyError("theirs"))
        alice.send(action="cgroupe", group="wob")
        with pytest.raises(ChatFailed):
            await alice.ended()
    assert not chat.is_ready()
    with pytest.raises(ChatFailed):
        await chat.__aexit__(None, None, None)


@on_loop
async def test_who_is_there_at_the_end_is_told_goodbye() -> None:
    chat = Chat()
    async with chat:
        address = await chat.listen()
        bob = await TcpClient.connect(address)
        await bob.ask(action="client-hello", **{"from": "bob"})
        alice = await Tab(chat, "alice").__aenter__()
        assert (chat.is_alive(), chat.is_ready()) == (True, True)
        assert "tchat_peers 2" in chat.metrics()
    assert (await bob.get())["action"] == (await alice.get())["action"] == "server-quit"
    await alice.ended()
    assert (alice.peer.reason, alice.closed) == ("the server stops", [1001])
    assert (chat.is_alive(), chat.is_ready(), chat.metrics()) == (False, False, "")
    await bob.close()
    with pytest.raises(OSError, match="onnect"):
        await TcpClient.connect(address)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@on_loop
async def test_a_program_with_hooks_starts_and_stops_it_by_name() -> None:
    chat = Chat()
    await chat.stop()
    await chat.start()
    await chat.ask_as("alice", Create("wob"))
    await chat.stop()
    await chat.stop()
    assert not chat.is_ready()


@on_loop
async def test_a_client_that_goes_while_it_is_closed_is_no_error() -> None:
    async with Chat() as chat, chat.peer("alice") as alice:
        left = asyncio.Event()

        async def receive() -> AsyncIterator[str]:
            yield '{"action":"client-quit"}'
            await left.wait()

        async def send(text: str) -> None: ...
        async def close(code: int) -> None:
            left.set()
            raise RuntimeError("it is closed already")

        await asyncio.wait_for(alice.pump(receive(), send, close), SECONDS)
        assert alice.reason == "quit"


class CancelledAt:
    """Awaits something, and cancels the task that does so at one of its awaits. *reached*: it had that many."""

    def __init__(self, program: Coroutine[Any, Any, None], at: int) -> None:
        self._program, self._at, self.reached = program, at, False

    def __await__(self) -> Generator[Any, Any, None]:
        number, resume = 0, functools.partial(self._program.send, None)
        while True:
            try:
                waits_for = resume()
            except StopIteration:
                return
            number += 1
            if number == self._at:
                self.reached = True
                task = asyncio.current_task()
                assert task is not None
                task.cancel()
            try:
                yield waits_for
                resume = functools.partial(self._program.send, None)
            except asyncio.CancelledError as cancelled:
                resume = functools.partial(self._program.throw, cancelled)


async def everything(path: Path) -> None:
    """Do all there is to do with a chat."""

    async def receive() -> AsyncIterator[str]:
        yield '{"action":"client-hello"}'
        yield '{"action":"join","group":"wob"}'
        yield '{"action":"msgs","group":"wob"}'

    async def send(text: str) -> None:
        await asyncio.sleep(0)

    async with Chat(path, grace_seconds=1) as chat:
        await chat.listen()
        async with chat.peer("bob") as bob:
            await bob.pump(receive(), send)
        await chat.say_as("robot", "wob", "hi")
        await chat.members("wob")


@on_loop
async def test_whatever_is_cancelled_wherever_it_waits_all_is_as_if_it_had_ended(tmp_path: Path) -> None:
    """A program that does everything is cancelled at its first await, at its second, and so on to its last."""
    path = tmp_path / "chat.db"
    async with Chat(path) as chat:
        await chat.ask_as("alice", Create("wob"))
    for number in itertools.count(1):
        running = CancelledAt(everything(path), number)

        async def run(running: CancelledAt = running) -> None:
            await running

        task = asyncio.create_task(run())
        await asyncio.wait([task], timeout=SECONDS)
        assert task.cancelled() == running.reached, task
        async with asyncio.timeout(SECONDS):
            while asyncio.all_tasks() != {asyncio.current_task()}:
                await asyncio.sleep(0.001)
        async with Chat(path) as again:  # its file is free again
            assert again.online() == ()
            if not running.reached:
                assert set(await again.members("wob")) == {"alice", "bob", "robot"}
                break
    assert number > 8


def test_a_program_imports_neither_click_nor_a_database_with_it() -> None:
    code = (
        "import sys, tchat_server; first = [it for it in sys.modules if it.startswith(('tchat_server.', 'asyncio'))]\n"
        "from tchat_server import Chat\n"
        "print(first, sorted({'click', 'sqlite3', 'platformdirs', 'prompt_toolkit', 'pytest'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("[] []\n", "")
