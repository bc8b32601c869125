"""A client's connection: hello, one request per write, lost connections, other people's servers (R-client-*)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest
from attrs import evolve
from serving import TS, Peer, accepting

from libtchat.message.reply import Error, Foreign, Pong
from libtchat.message.request import Join, ListUsers, Ping, Register, Request, Say
from libtchat.mirror import CaughtUp, Heard, NoAnswer, Notice
from tchat_client.address import Address, parse_address
from tchat_client.errors import CannotConnect, HelloRefused, Lost, NoReply, NotOpen, NotTchat, Unprotected
from tchat_client.link import Link, Offline, Online, Status, Times, Watcher

FAST = Times(
    connect_seconds=5,
    hello_seconds=5,
    answer_seconds=5,
    unconfirmed_seconds=0.05,
    pause_seconds=0.05,
    first_retry_seconds=0.02,
    last_retry_seconds=0.05,
)


class Seen(Watcher):
    """Keeps what a link tells; `some` wakes for what a test waits for."""

    def __init__(self) -> None:
        self.traces = True
        self.notices: list[Notice] = []
        self.statuses: list[Status] = []
        self.traced: list[str] = []
        self.late: list[Request] = []
        self.tokens: list[str] = []
        self.passwords: list[str | None] = []
        self.asked: list[Error] = []
        self.kept: str | None = None
        self._changed = asyncio.Event()

    def heard(self, notices: Sequence[Notice]) -> None:
        self.notices += notices
        self._changed.set()

    def status(self, status: Status) -> None:
        self.statuses.append(status)
        self._changed.set()

    def trace(self, direction: str, text: str) -> None:
        self.traced.append(f"{direction} {text}")

    def unconfirmed(self, request: Request) -> None:
        self.late.append(request)
        self._changed.set()

    def token(self, token: str) -> None:
        self.tokens.append(token)

    def kept_token(self) -> str | None:
        return self.kept

    async def password(self, error: Error) -> str | None:
        self.asked.append(error)
        return self.passwords.pop(0)

    async def some(self, claim: Callable[[], object]) -> None:
        async with asyncio.timeout(5):
            while not claim():
                self._changed.clear()
                await self._changed.wait()


Talk = Callable[[Peer, int], Awaitable[None]]


def talk(serve: Talk, client: Callable[[Link, Seen], Awaitable[None]], **options: Any) -> Seen:
    """Let *client* use a link to a server that treats its Nth connection (from 0) as *serve* says."""

    async def both() -> Seen:
        seen = Seen()
        async with accepting(serve) as address:
            link = Link(parse_address(address), **{"name": "alice", "watcher": seen, "times": FAST, **options})
            try:
                async with asyncio.timeout(20):
                    await client(link, seen)
            finally:
                await link.quit()
        return seen

    return asyncio.run(both())


def test_hello_is_said_first_with_the_name_and_the_token_kept() -> None:
    hellos: list[dict[str, Any]] = []

    async def serve(peer: Peer, _: int) -> None:
        hellos.append(await peer.welcome())
        await peer.get()

    async def client(link: Link, seen: Seen) -> None:
        await link.open()
        assert link.is_ours
        assert link.mirror.name == "alice"

    seen = talk(serve, client, token="old")
    assert hellos[0].pop("id")
    assert hellos == [{"action": "client-hello", "from": "alice", "sender": "alice", "name": "alice", "token": "old"}]
    assert seen.tokens == ["T"]


def test_one_request_is_written_at_a_time_the_next_when_the_answer_came_or_a_pause_passed() -> None:
    async def serve(peer: Peer, _: int) -> None:
        await peer.welcome()
        loop = asyncio.get_running_loop()
        first = await peer.get()
        began = loop.time()
        second = await peer.get()  # nothing was answered: it comes after the pause
        assert loop.time() - began >= 0.04
        for request in (first, second):
            peer.say(action="ping", ts=TS, version=1, server="t", id=request["id"])
        await peer.get()

    async def client(link: Link, seen: Seen) -> None:
        await link.open()
        await asyncio.gather(link.ask(Ping()), link.ask(Ping()))

    talk(serve, client)


def test_every_request_has_an_id_of_its_own_and_the_name() -> None:
    ids: set[str] = set()

    async def serve(peer: Peer, _: int) -> None:
        ids.add((await peer.welcome())["id"])
        for _ in range(3):
            request = await peer.get()
            assert request["sender"] == "alice"
            ids.add(request["id"])
            peer.say(action="error", code="not-member", request="gbroadcast", id=request["id"])
        await peer.get()

    async def client(link: Link, seen: Seen) -> None:
        await link.open()
        for _ in range(3):
            assert isinstance(await link.ask(Say("wob", "hi")), Error)

    talk(serve, client)
    assert len(ids) == 4
    assert all(len(id) >= 16 for id in ids)


def test_after_a_lost_connection_it_comes_back_and_fetches_what_was_missed() -> None:
    def said(seq: int, **more: Any) -> dict[str, Any]:
        return {"action": "gbroadcast", "sender": "bob", "from": "bob", "group": "wob", "seq": seq, "ts": TS, **more}

    async def serve(peer: Peer, number: int) -> None:
        if number == 0:
            await peer.welcome(wob=4)
            peer.say(**said(5, msg="five"))
            in_flight = "", ""
            while "lost?" not in in_flight:
                request = await peer.get()
                in_flight = request["action"], request.get("msg", "")
            return  # cut, unanswered
        hello = await peer.welcome(wob=7)
        assert hello["token"] == "T"
        peer.say(**said(8, msg="eight"))
        while (request := await peer.get())["action"] != "states":
            pass
        assert (request["after"], request["all"]) == (5, True)
        page = [said(6, msg="six"), said(7, msg="seven"), said(8, msg="eight")]
        peer.say(action="states", group="wob", list=page, more=False, first=6, last=8, id=request["id"])
        await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        running = asyncio.create_task(link.run())
        await seen.some(lambda: any(isinstance(n, Heard) and getattr(n.message, "seq", 0) == 5 for n in seen.notices))
        link.send(Say("wob", "lost?"))
        await seen.some(lambda: any(isinstance(n, CaughtUp) for n in seen.notices))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    seen = talk(serve, client, follows=True)
    assert [n.message.seq for n in seen.notices if isinstance(n, Heard) and hasattr(n.message, "seq")] == [5, 6, 7, 8]
    assert [n.request.msg for n in seen.notices if isinstance(n, NoAnswer)] == ["lost?"]
    assert isinstance(seen.statuses[0], Online)
    assert isinstance(seen.statuses[1], Offline)
    assert seen.statuses[2] == Online(is_back=True)


@pytest.mark.parametrize("follows", [True, False])
def test_a_gap_is_filled_by_whoever_reads(follows: bool) -> None:
    def said(seq: int) -> dict[str, Any]:
        return {"action": "gbroadcast", "sender": "bob", "group": "wob", "seq": seq, "ts": TS, "msg": str(seq)}

    async def serve(peer: Peer, _: int) -> None:
        await peer.welcome(wob=4)
        peer.say(**said(5))
        peer.say(**said(7))
        while (request := await peer.get())["action"] != "states":
            assert follows, "a script asks for nothing else"
        peer.say(action="states", group="wob", list=[said(6), said(7)], more=False, id=request["id"])
        await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        await link.open()
        await seen.some(lambda: any(isinstance(notice, CaughtUp) for notice in seen.notices))

    seen = talk(serve, client, follows=follows, times=Times(quit_seconds=0.1))
    assert [n.message.seq for n in seen.notices if isinstance(n, Heard) and hasattr(n.message, "seq")] == [5, 6, 7]


@pytest.mark.parametrize(("addresses", "longest"), [(1, 0.05), (2, 0.025)])
def test_the_back_off_grows_and_has_a_limit(addresses: int, longest: float) -> None:
    """All addresses are tried at each try: who knows two tries twice as often."""

    async def serve(peer: Peer, number: int) -> None:
        if number == 0:
            await peer.welcome()

    async def client(link: Link, seen: Seen) -> None:
        link.others = (link.address,) * (addresses - 1)
        running = asyncio.create_task(link.run())
        await seen.some(lambda: len([s for s in seen.statuses if isinstance(s, Offline)]) == 5)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    seen = talk(serve, client)
    delays = [status.seconds for status in seen.statuses if isinstance(status, Offline)][addresses - 1 :]
    assert all(0.01 <= delay <= longest for delay in delays)
    assert delays[-1] >= longest / 2


def test_a_server_that_says_goodbye_by_itself_is_come_back_to() -> None:
    async def serve(peer: Peer, number: int) -> None:
        await peer.welcome()
        if number == 0:
            peer.say(action="server-quit")
            return
        await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        running = asyncio.create_task(link.run())
        await seen.some(lambda: Online(is_back=True) in seen.statuses)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    talk(serve, client)


def test_who_knows_another_address_turns_to_it_at_once_and_backs_off_when_each_was_tried() -> None:
    async def serve(peer: Peer, number: int) -> None:
        await peer.welcome()
        if number == 2:
            await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        link.others = (link.address,)
        running = asyncio.create_task(link.run())
        await seen.some(lambda: seen.statuses.count(Online(is_back=True)) == 2)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    seen = talk(serve, client)
    first, second = (status.seconds for status in seen.statuses if isinstance(status, Offline))
    assert first == 0.0
    assert second > 0.0


def test_a_silent_server_is_given_up() -> None:
    async def serve(peer: Peer, number: int) -> None:
        await peer.welcome()
        await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        link.follows = True
        await link.open()
        with pytest.raises(Lost) as caught:
            await link.closed()
        assert caught.value.key == "silent"

    talk(serve, client, times=Times(idle_seconds=0.05, dead_seconds=0.05, quit_seconds=0.1))


def test_who_knows_another_address_leaves_a_server_that_owes_an_answer_and_says_nothing() -> None:
    async def serve(peer: Peer, number: int) -> None:
        await peer.welcome()
        while number and (request := await peer.get()):
            peer.say(action="ping", version=1, server="t", ts=TS, id=request["id"])
        await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        link.others = (link.address,)
        running = asyncio.create_task(link.run())
        await seen.some(lambda: Online(is_back=False) in seen.statuses)
        link.send(Say("wob", "is anybody there?"))
        await seen.some(lambda: Online(is_back=True) in seen.statuses)
        assert isinstance(await link.ask(Ping()), Pong)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    seen = talk(serve, client, times=evolve(FAST, dead_seconds=0.1, quit_seconds=0.1))
    (left,) = (status for status in seen.statuses if isinstance(status, Offline))
    assert (left.seconds, getattr(left.cause, "key", "")) == (0.0, "silent")


@pytest.mark.parametrize("first", ["says nothing", "is gone at once", "is unavailable"])
def test_of_several_servers_the_first_that_welcomes_is_used(first: str) -> None:
    async def serve(peer: Peer, number: int) -> None:
        if number:
            await peer.welcome()
        elif first == "is unavailable":
            hello = await peer.get()
            peer.say(action="error", code="unavailable", request="client-hello", id=hello["id"])
        if number or first != "is gone at once":
            await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        link.others = (link.address,)
        await link.open()
        assert link.is_ours

    talk(serve, client, times=Times(hello_seconds=0.05, answer_seconds=0.2, quit_seconds=0.1))


def test_where_no_server_of_several_answers_there_is_no_connection() -> None:
    async def serve(peer: Peer, _: int) -> None:
        await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        link.others = (link.address,)
        with pytest.raises(CannotConnect, match=r"no answer in 0\.05 s"):
            await link.open()

    talk(serve, client, times=Times(hello_seconds=0.02, answer_seconds=0.05, quit_seconds=0.1))


def test_nothing_is_asked_before_there_is_a_connection_or_after_a_goodbye() -> None:
    async def serve(peer: Peer, _: int) -> None:
        await peer.welcome()
        await peer.get()
        await peer.get()
        peer.say(action="server-quit", sender="alice")

    async def client(link: Link, seen: Seen) -> None:
        uses = (lambda: link.send(Ping()), lambda: link.send_raw("{}"))
        for use in uses:
            with pytest.raises(NotOpen, match="there is no connection yet"):
                use()
        with pytest.raises(NotOpen, match="there is no connection yet"):
            await link.ask(Ping())
        await link.open()
        asked = asyncio.create_task(link.ask(Ping()))
        await asyncio.sleep(0)
        quitting = asyncio.create_task(link.quit())
        await asyncio.sleep(0)
        with pytest.raises(NotOpen, match="this connection was quit"):
            link.send(Ping())
        await quitting
        with pytest.raises(Lost):
            await asked
        for use in uses:
            with pytest.raises(NotOpen, match="this connection was closed"):
                use()
        with pytest.raises(NotOpen, match="this connection was closed"):
            await link.ask(Ping())

    talk(serve, client)


def test_quitting_says_so() -> None:
    said: list[str] = []

    async def serve(peer: Peer, _: int) -> None:
        await peer.welcome()
        said.append((await peer.get())["action"])
        peer.say(action="server-quit", sender="alice")

    async def client(link: Link, seen: Seen) -> None:
        await link.open()
        await link.quit()

    talk(serve, client)
    assert said == ["client-quit"]


def test_a_refused_name_is_reported_with_the_error() -> None:
    async def serve(peer: Peer, _: int) -> None:
        hello = await peer.get()
        peer.say(action="error", code="name-in-use", request="client-hello", id=hello["id"])
        await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        with pytest.raises(HelloRefused) as caught:
            await link.run()
        assert caught.value.error.code == "name-in-use"

    talk(serve, client)


def test_a_token_that_no_longer_holds_is_read_again_and_each_try_has_its_reason() -> None:
    """Another session of the same user came back first, and was given the new token."""
    tokens: list[Any] = []

    async def serve(peer: Peer, number: int) -> None:
        if number == 0:
            await peer.welcome()
            return
        with suppress(ValueError):  # after a refusal the client may go
            while tokens[-1:] != ["T2"]:
                hello = await peer.get()
                tokens.append(hello.get("token"))
                if tokens[-1] != "T2":
                    peer.say(action="error", code="name-in-use", request="client-hello", id=hello["id"])
            more = {"id": hello["id"], "from": "alice"}
            peer.say(action="server-hello", version=1, server="t", token="T2", **more)
            await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        running = asyncio.create_task(link.run())
        await seen.some(lambda: sum(isinstance(status, Offline) for status in seen.statuses) == 2)
        seen.kept = "T2"
        await seen.some(lambda: Online(is_back=True) in seen.statuses)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    seen = talk(serve, client)
    assert tokens[0] == "T"
    assert tokens[-2:] == ["T", "T2"]
    refused = [status.cause for status in seen.statuses if isinstance(status, Offline)][1]
    assert isinstance(refused, HelloRefused)
    assert refused.error.code == "name-in-use"


@pytest.mark.parametrize("later", ["auth-required", "auth-failed"])
def test_a_token_that_has_ended_is_no_wrong_password(later: str) -> None:
    """The server was started again since; *later* is what it says of a hello that shows nothing."""
    shown: list[tuple[Any, Any]] = []

    async def serve(peer: Peer, _: int) -> None:
        for code in ("auth-failed", later, "auth-failed", "auth-required"):
            hello = await peer.get()
            shown.append((hello.get("token"), hello.get("password")))
            peer.say(action="error", code=code, request="client-hello", id=hello["id"])
        await peer.welcome()
        await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        seen.kept = link.token = "ended"
        seen.passwords = ["wrong", "right"]
        await link.open()

    seen = talk(serve, client)
    assert shown == [("ended", None), (None, None), (None, "wrong"), (None, None)]
    assert [error.code for error in seen.asked] == [later, "auth-failed"]


@pytest.mark.parametrize(
    ("second", "raised"), [(None, Unprotected), ("name-in-use", Unprotected), ("auth-required", HelloRefused)]
)
def test_a_password_for_a_name_without_one_is_told_from_a_wrong_one(
    second: str | None, raised: type[Exception]
) -> None:
    async def serve(peer: Peer, _: int) -> None:
        hello = await peer.get()
        assert hello["password"] == "secret"
        peer.say(action="error", code="auth-failed", request="client-hello", id=hello["id"])
        if second is None:
            assert "password" not in await peer.welcome()
        else:
            hello = await peer.get()
            peer.say(action="error", code=second, request="client-hello", id=hello["id"])
        await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        seen.passwords = [None]
        with pytest.raises(raised):
            await link.open()

    talk(serve, client, password="secret")


def test_a_password_is_asked_for_and_never_traced() -> None:
    async def serve(peer: Peer, _: int) -> None:
        hello = await peer.get()
        assert "password" not in hello
        peer.say(action="error", code="auth-required", request="client-hello", id=hello["id"])
        hello = await peer.get()
        assert hello["password"] == 'hun"ter2'
        peer.say(action="server-hello", version=1, server="t", token="SECRET", id=hello["id"], **{"from": "alice"})
        request = await peer.get()
        peer.say(action="register", sender="alice", id=request["id"])
        await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        seen.passwords = ['hun"ter2']
        await link.open()
        await link.ask(Register('hun"ter2'))

    seen = talk(serve, client)
    assert any('"password":"***"' in line for line in seen.traced)
    assert not any("ter2" in line or "SECRET" in line for line in seen.traced)


def test_without_a_password_one_is_not_let_in() -> None:
    async def serve(peer: Peer, _: int) -> None:
        hello = await peer.get()
        peer.say(action="error", code="auth-required", request="client-hello", id=hello["id"])
        await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        seen.passwords = [None]
        with pytest.raises(HelloRefused):
            await link.open()

    talk(serve, client)


def test_a_request_without_answer_is_reported_late_and_then_given_up() -> None:
    async def serve(peer: Peer, _: int) -> None:
        await peer.welcome()
        await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        await link.open()
        asked = asyncio.create_task(link.ask(Say("wob", "hi"), seconds=0.2))
        await seen.some(lambda: seen.late)
        with pytest.raises(NoReply):
            await asked

    seen = talk(serve, client)
    assert [request.msg for request in seen.late] == ["hi"]


def test_traces_begin_with_a_whole_message() -> None:
    async def serve(peer: Peer, _: int) -> None:
        await peer.welcome()
        peer.writer.write(b'{"action":"pong","token":"SEC')
        await peer.get()
        peer.writer.write(b'RET"}\r\n{"action":"pong"}\r\n')
        await peer.get()
        peer.say(action="server-list-clients", list=[])
        await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        seen.traces = False
        await link.open()
        await asyncio.sleep(0.05)
        seen.traces = True
        link.send(Ping(), quiet=True)
        await asyncio.sleep(0.05)
        link.send(ListUsers(), quiet=True)
        await seen.some(lambda: any("server-list-clients" in line for line in seen.traced))

    seen = talk(serve, client)
    assert ["server-list-clients" in line for line in seen.traced if line.startswith("<")] == [True]


def test_a_connection_cut_in_mid_frame_leaves_the_outcome_unknown() -> None:
    async def serve(peer: Peer, _: int) -> None:
        await peer.welcome()
        await peer.get()
        peer.writer.write(b'{"action":"gbroadc')

    async def client(link: Link, seen: Seen) -> None:
        await link.open()
        with pytest.raises(Lost) as caught:
            await link.ask(Say("wob", "hi"))
        assert caught.value.exit_code == 4

    talk(serve, client)


@pytest.mark.parametrize(
    "banner", [b"SSH-2.0-OpenSSH_9\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00\xff\xfe\r\n", b"[1,2]\n"]
)
def test_what_is_no_tchat_server_is_told_from_one(banner: bytes) -> None:
    async def serve(peer: Peer, _: int) -> None:
        peer.writer.write(banner)
        await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        with pytest.raises(NotTchat) as caught:
            await link.open()
        assert caught.value.exit_code == 5

    talk(serve, client)


def test_a_server_that_closes_at_once_cannot_be_connected_to() -> None:
    async def serve(peer: Peer, _: int) -> None:
        return

    async def client(link: Link, seen: Seen) -> None:
        with pytest.raises(CannotConnect):
            await link.open()

    talk(serve, client)


def test_a_server_that_never_answers_a_hello_is_taken_to_have_accepted_it() -> None:
    async def serve(peer: Peer, _: int) -> None:
        await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        await link.open()
        assert link.mirror.name == "alice"
        assert not link.is_ours

    talk(serve, client, times=Times(hello_seconds=0.05, quit_seconds=0.1))


def test_one_of_ours_that_does_not_answer_the_next_hello_has_not_accepted_it() -> None:
    async def serve(peer: Peer, number: int) -> None:
        if number != 1:
            await peer.welcome()
        if number:
            await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        running = asyncio.create_task(link.run())
        await seen.some(lambda: Online(is_back=True) in seen.statuses)
        running.cancel()
        assert link.is_ours

    times = Times(hello_seconds=0.05, answer_seconds=0.2, quit_seconds=0.1, first_retry_seconds=0.01)
    seen = talk(serve, client, times=times)
    causes = [getattr(state.cause, "key", "") for state in seen.statuses if isinstance(state, Offline)]
    assert causes == ["closed-by-peer", "cannot-connect"]


def test_another_kind_of_server_is_answered_by_what_it_says() -> None:
    """No ids, no seq, prefixes, lists under other keys, no line ends."""

    async def serve(peer: Peer, _: int) -> None:
        await peer.get()
        peer.writer.write(json.dumps({"action": "server-hello", "from": "server", "msg": "bienvenue"}).encode())
        await peer.get()
        peer.writer.write(json.dumps({"action": "server-list-clients", "clients": [{"name": "bob"}, "zoe"]}).encode())
        await peer.get()
        peer.writer.write(json.dumps({"action": "server-join", "msg": "alice est dans wob"}).encode())
        await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        await link.open()
        assert link.mirror.name == "alice"
        users = await link.ask(ListUsers())
        assert getattr(users, "list", None) == ("bob", "zoe")
        joined = await link.ask(Join("wob"))
        assert isinstance(joined, Foreign)
        assert joined.text == "alice est dans wob"

    talk(serve, client, times=Times(hello_seconds=1, quit_seconds=0.1))


def test_garbage_in_mid_conversation_is_shown_and_survived() -> None:
    async def serve(peer: Peer, _: int) -> None:
        await peer.welcome()
        request = await peer.get()
        peer.writer.write(b"garbage\r\n{bad}\r\n")
        peer.say(action="ping", ts=TS, version=1, server="t", id=request["id"])
        await peer.reader.read()

    async def client(link: Link, seen: Seen) -> None:
        await link.open()
        assert isinstance(await link.ask(Ping()), Pong)
        assert link.round_trip_seconds is not None

    seen = talk(serve, client, times=Times(quit_seconds=0.1))
    assert sum(isinstance(n, Heard) and isinstance(n.message, Foreign) for n in seen.notices) == 2


def test_nobody_there_is_told_from_a_host_without_a_name() -> None:
    async def reach(address: Address) -> CannotConnect:
        with pytest.raises(CannotConnect) as caught:
            await Link(address, "alice").open()
        return caught.value

    async def closed_port() -> int:
        server = await asyncio.start_server(lambda r, w: None, "127.0.0.1", 0)
        port: int = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        return port

    refused = asyncio.run(reach(Address("127.0.0.1", asyncio.run(closed_port()))))
    assert refused.values["cause"].key == "cause.refused"
    bad = asyncio.run(reach(Address("a" * 300, 1)))
    assert bad.exit_code == 3


def test_what_the_mirror_wants_is_not_asked_in_a_tight_loop_when_refused() -> None:
    asked: list[dict[str, Any]] = []

    async def serve(peer: Peer, _: int) -> None:
        await peer.welcome(wob=3)
        while (request := await peer.get())["action"] != "client-quit":
            if request["action"] != "members":
                continue
            asked.append(request)
            code = "rate-limited" if len(asked) == 1 else "unknown-action"
            peer.say(action="error", code=code, request="members", retry_after=0.2, id=request["id"])
        peer.say(action="server-quit")

    async def client(link: Link, seen: Seen) -> None:
        await link.open()
        began = asyncio.get_running_loop().time()
        await seen.some(lambda: [type(getattr(notice, "message", None)) for notice in seen.notices].count(Error) == 2)
        assert asyncio.get_running_loop().time() - began >= 0.2

    talk(serve, client, follows=True)
    assert len(asked) == 2
