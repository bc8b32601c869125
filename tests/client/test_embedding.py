"""`Client`, as programs use it: against a real server that is restarted under it, and against servers that fail it."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import ssl
import traceback
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import suppress
from functools import partial
from itertools import count
from pathlib import Path
from types import coroutine
from typing import Any

import pytest
from certificates import secure
from serving import TS, Peer, Server, accepting, serving

from libtchat import (
    CaughtUp,
    ErrorCode,
    Gone,
    Join,
    Joined,
    Missing,
    Notice,
    Ping,
    Pong,
    PresenceNotice,
    Quit,
    Said,
    Say,
)
from libtchat import Refused as LibraryRefused
from tchat_client import (
    CannotConnect,
    Client,
    HelloRefused,
    Lost,
    Misused,
    NoAnswer,
    NoReply,
    NotOpen,
    NotTchat,
    OddAnswer,
    Refused,
    Times,
    Unprotected,
)

FAST = Times(answer_seconds=5, hello_seconds=2, first_retry_seconds=0.02, last_retry_seconds=0.1, quit_seconds=0.5)
SECONDS = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(SECONDS):
            await work()

    asyncio.run(bounded())


async def hear(chat: Client, count: int) -> list[Notice]:
    """Return the next notices that are no presence notices."""
    found: list[Notice] = []
    while len(found) < count:
        notice = await anext(chat)
        if not isinstance(notice.message, PresenceNotice):
            found.append(notice)
    return found


async def texts(chat: Client, count: int) -> list[str]:
    """Return the next texts to groups."""
    found: list[str] = []
    while len(found) < count:
        if isinstance(said := (await anext(chat)).message, Said):
            found.append(said.msg)
    return found


def client(server: Server, name: str | None, **options: Any) -> Client:
    return Client(server.address, name, **{"times": FAST, **options})


def test_each_request_is_a_method_that_returns_what_answers_it(server: Server) -> None:
    async def work() -> None:
        async with client(server, "ann") as ann, client(server, "ben") as ben:
            assert (await ann.create("all-of-it", private=True)).owner == "ann"
            assert (await ann.invite("all-of-it", "ben")).dest == "ben"
            assert (await ben.join("all-of-it")).sender == "ben"
            assert (await ben.say("all-of-it", "hi")).msg == "hi"
            assert (await ben.tell("ann", "psst")).to == "ann"
            assert (await ben.broadcast("all")).msg == "all"
            assert (await ann.list_members("all-of-it")).list == ("ann", "ben")
            assert [said.msg for said in (await ann.list_messages("all-of-it", limit=1)).list] == ["hi"]
            assert len((await ann.list_states("all-of-it", after=1, all=True)).list) == 3
            assert "all-of-it" in (await ann.list_groups()).mine
            assert {"ann", "ben"} <= set((await ann.list_users()).list)
            assert (await ann.kick("all-of-it", "ben", "why not")).reason == "why not"
            assert (await ann.ban("all-of-it", "ben")).dest == "ben"
            assert (await ann.unban("all-of-it", "ben")).dest == "ben"
            assert (await ann.leave("all-of-it")).sender == "ann"
            assert (await ann.ping()).version == 1
            assert isinstance(await ann.ask(Ping()), Pong)

    run(work)


def test_what_happens_is_heard_in_order_with_whose_it_is(server: Server) -> None:
    async def work() -> None:
        async with client(server, "cid") as cid:
            await cid.create("order")
            async with client(server, "dot", groups=["ORDER"]) as dot:
                await dot.say("order", "one")
                await cid.say("order", "two")
                await dot.tell("cid", "three")
                heard = await hear(cid, 5)
                mine = [(type(h.message).__name__, h.mine, h.missed) for h in heard]
                assert mine == [
                    ("Created", True, False),
                    ("Joined", False, False),
                    ("Said", False, False),
                    ("Said", True, False),
                    ("DirectMessage", False, False),
                ]
                assert await texts(dot, 2) == ["one", "two"]

    run(work)


def test_a_refusal_is_an_exception_with_code_field_and_group(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with client(server, "eve", retry=True) as eve:
            with pytest.raises(Refused) as caught:
                await eve.say("nowhere", "hi")
            refused = caught.value
            assert (refused.code, refused.group) == (ErrorCode.GROUP_NOT_FOUND, "nowhere")
            assert isinstance(refused, LibraryRefused)
            assert str(refused).startswith("gbroadcast was refused: ")
            assert str(refused).endswith("(group-not-found)")
            for size in (9_000, 70_000):  # the server reads on after the one, and not after the other
                with pytest.raises(Refused) as caught:
                    await eve.say("nowhere", "x" * size)
                assert caught.value.code is ErrorCode.TOO_LARGE
                assert (await eve.ping()).version == 1
            assert not [it for it in caplog.messages if "no connection" in it]
            with pytest.raises(Refused) as caught:
                await eve.create("wob wob")
            assert (caught.value.code, caught.value.field) == ("bad-name", "group")
            with pytest.raises(Refused) as caught:
                await eve.tell("nobody", "hi")
            assert (caught.value.code, caught.value.dest) == ("user-not-found", "nobody")
            assert (await eve.ping()).version == 1

    run(work)


def test_a_group_that_one_cannot_be_in_is_refused_at_the_start(server: Server) -> None:
    async def work() -> None:
        with pytest.raises(Refused) as caught:
            async with client(server, "eva", groups=["not.there"]):
                raise AssertionError("it is not entered")
        assert (caught.value.code, caught.value.group) == ("group-not-found", "not.there")

    run(work)


def test_an_exception_comes_out_with_its_traceback_and_all_is_closed(server: Server) -> None:
    async def fails() -> None:
        raise LookupError("my mistake")

    async def work() -> None:
        with pytest.raises(LookupError, match="my mistake") as caught:
            async with client(server, "fay") as fay:
                await fails()
        assert "fails" in "".join(traceback.format_tb(caught.value.__traceback__))
        assert asyncio.all_tasks() == {asyncio.current_task()}
        with pytest.raises(NotOpen, match="closed"):
            await fay.ping()

    run(work)


@pytest.mark.parametrize("with_time", [False, True])
def test_what_was_missed_between_two_runs_is_heard_once_and_marked(server: Server, with_time: bool) -> None:
    group = f"resumed-{with_time}"

    async def work() -> None:
        async with client(server, "gil") as gil, client(server, "hal") as hal:
            await gil.create(group)
            await hal.join(group)
            last = await gil.say(group, "2")
        async with client(server, "gil") as gil:
            for text in ("3", "4"):
                await gil.say(group, text)
            resume = {group: (last.seq, last.ts) if with_time else last.seq}
            async with client(server, "hal", resume=resume) as hal:
                await hal.say(group, "5")
                heard = await hear(hal, 4)
                said = [h for h in heard if isinstance(h.message, Said)]
                assert [(h.message.msg, h.missed, h.mine) for h in said] == [
                    ("3", True, False),
                    ("4", True, False),
                    ("5", False, True),
                ]
                assert CaughtUp(group, 2) in heard
            async with client(server, "hal", resume={group: said[-1].message.seq}) as hal:
                await gil.say(group, "6")
                assert (await hear(hal, 1))[0].message.msg == "6"

    run(work)


def test_who_was_removed_between_two_runs_is_told(server: Server) -> None:
    async def work() -> None:
        async with client(server, "ivy") as ivy:
            async with client(server, "joe") as joe:
                await ivy.create("closed")
                await joe.join("closed")
            await ivy.kick("closed", "joe")
            async with client(server, "joe", resume={"closed": 2}) as joe:
                assert await hear(joe, 1) == [Gone("closed")]

    run(work)


def test_several_tasks_may_send(server: Server) -> None:
    async def work() -> None:
        async with client(server, "kim") as kim:
            await kim.create("crowd")
            said = await asyncio.gather(*(kim.say("crowd", str(n)) for n in range(50)))
            assert sorted(int(each.msg) for each in said) == [*range(50)]
            assert len({each.seq for each in said}) == 50
            assert len(set(await texts(kim, 50))) == 50

    run(work)


def test_a_guest_has_a_name_and_is_in_its_groups_after_each_connection(tmp_path: Path) -> None:
    with serving(tmp_path) as server:

        async def work() -> None:
            async with client(server, "liz") as liz:
                await liz.create("open")
                async with client(server, None, groups=["open"]) as guest:
                    first = guest.name
                    assert first.startswith("guest-")
                    assert (await liz.list_members("open")).list == (first, "liz")
                    await asyncio.to_thread(server.restart)
                    while not isinstance(joined := (await anext(guest)).message, Joined) or joined.sender == first:
                        pass
                    assert guest.name != first
                    await guest.say("open", "back")
                    assert (await texts(liz, 1)) == ["back"]

        run(work)


def test_a_server_that_is_killed_costs_what_was_in_flight_and_nothing_else(tmp_path: Path) -> None:
    with serving(tmp_path) as server:

        async def work() -> None:
            async with client(server, "mia") as mia, client(server, "ned") as ned:
                await mia.create("wob")
                await ned.join("wob")
                await mia.say("wob", "before")
                await asyncio.to_thread(server.kill)
                while ned.is_online:
                    await asyncio.sleep(0.005)
                saying = asyncio.create_task(ned.say("wob", "while it is away"))
                await asyncio.to_thread(server.start)
                assert (await saying).msg == "while it is away"
                await mia.say("wob", "after")
                assert await texts(mia, 3) == ["before", "while it is away", "after"]
                assert await texts(ned, 3) == ["before", "while it is away", "after"]

        run(work)


def test_tls_and_a_password(tmp_path: Path) -> None:
    with serving(tmp_path, *secure(tmp_path)) as server:
        trusted = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))

        async def work() -> None:
            with pytest.raises(CannotConnect, match=r"cannot connect to .*`tls` may be a context that names who does"):
                await client(server, "oda", tls=True).__aenter__()
            async with client(server, "oda", tls=trusted) as oda:
                await oda.register("correct horse")
                assert oda.token
            with pytest.raises(HelloRefused, match="auth-required"):
                await client(server, "oda", tls=trusted).__aenter__()
            async with client(server, "oda", tls=trusted, password="correct horse") as oda:
                await asyncio.to_thread(server.restart)
                with suppress(NoAnswer):
                    await oda.ping()
                assert (await oda.ping()).version == 1
            with pytest.raises(Unprotected, match="leave `password` out"):
                await client(server, "pam", tls=trusted, password="x").__aenter__()

        run(work)


Serve = Callable[[Peer, int], Awaitable[None]]


async def until_gone(peer: Peer) -> None:
    """Answer pings and the goodbye until the client goes."""
    while line := await peer.reader.readline():
        request = json.loads(line)
        if request["action"] == "ping":
            peer.say(action="ping", ts=TS, version=1, server="t", id=request["id"])
        elif request["action"] == "client-quit":
            peer.say(action="server-quit", sender="alice", id=request["id"])
            return


def said(seq: int, msg: str = "", **more: Any) -> dict[str, Any]:
    event = {"action": "gbroadcast", "sender": "bob", "group": "wob", "seq": seq, "ts": TS}
    return {**event, "msg": msg or str(seq), **more}


async def asked(peer: Peer, action: str) -> dict[str, Any]:
    """Return the next request with this action; pings are answered, the rest is not."""
    while (request := await peer.get())["action"] != action:
        if request["action"] == "ping":
            peer.say(action="ping", ts=TS, version=1, server="t", id=request["id"])
    return request


def test_what_was_in_flight_has_no_answer_and_may_be_asked_again_as_the_same_request() -> None:
    ids: list[str] = []

    async def serve(peer: Peer, number: int) -> None:
        await peer.welcome(wob=4)
        request = await asked(peer, "gbroadcast")
        ids.append(request["id"])
        if number:
            peer.say(**said(5, "hi", sender="alice", id=request["id"]))
            await until_gone(peer)

    async def work() -> None:
        async with accepting(serve) as address, Client(address, "alice", times=FAST) as chat:
            with pytest.raises(NoAnswer) as caught:
                await chat.say("wob", "hi")
            assert isinstance(caught.value, Lost)
            assert isinstance(caught.value.request, Say)
            again = await chat.ask(caught.value.request)
            assert isinstance(again, Said)
            assert await texts(chat, 1) == ["hi"]

    run(work)
    assert len(ids) == 2
    assert ids[0] == ids[1]


def test_what_was_in_flight_is_asked_again_if_that_is_wanted() -> None:
    """But for what a server might do twice."""
    asked_for: list[tuple[str, str]] = []

    async def serve(peer: Peer, number: int) -> None:
        await peer.welcome(wob=4)
        while (request := await peer.get())["action"] not in ("gbroadcast", "client-send"):
            pass
        asked_for.append((request["action"], request["id"]))
        if len(asked_for) == 3:
            peer.say(**said(5, "hi", sender="alice", id=request["id"]))
            await asked(peer, "client-send")

    async def work() -> None:
        async with accepting(serve) as address, Client(address, "alice", retry=True, times=FAST) as chat:
            assert (await chat.say("wob", "hi")).seq == 5
            with pytest.raises(Lost):
                await chat.tell("bob", "hi")

    run(work)
    assert asked_for == [asked_for[0]] * 3


def test_a_server_of_several_addresses_is_come_back_to_at_another() -> None:
    async def first(peer: Peer, _: int) -> None:
        await peer.welcome(wob=4)
        await asked(peer, "gbroadcast")

    async def second(peer: Peer, _: int) -> None:
        await peer.welcome(wob=4)
        request = await asked(peer, "gbroadcast")
        peer.say(**said(5, "hi", sender="alice", id=request["id"]))
        await until_gone(peer)

    async def work() -> None:
        async with (
            accepting(first) as one,
            accepting(second) as two,
            Client(f"{one},{two}", "alice", retry=True, times=FAST) as chat,
        ):
            assert (await chat.say("wob", "hi")).seq == 5

    run(work)


def test_who_retries_waits_as_long_as_it_takes() -> None:
    async def serve(peer: Peer, number: int) -> None:
        if number == 0:
            await peer.welcome()
        elif number >= 5:
            await peer.welcome()
            await until_gone(peer)

    async def work() -> None:
        times = Times(answer_seconds=0.05, first_retry_seconds=0.1, last_retry_seconds=0.1, quit_seconds=0.5)
        async with accepting(serve) as address, Client(address, "alice", retry=True, times=times) as chat:
            while chat.is_online:
                await asyncio.sleep(0)
            assert (await chat.ping()).server == "t"
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await chat.say("wob", "no answer comes")

    run(work)


def test_a_request_that_is_answered_twice_is_heard_once() -> None:
    async def serve(peer: Peer, number: int) -> None:
        await peer.welcome(wob=4)
        for _ in range(2):
            request = await asked(peer, "gbroadcast")
            peer.say(**said(5, "hi", sender="alice", id=request["id"]))
        peer.say(**said(6))
        await until_gone(peer)

    async def work() -> None:
        async with accepting(serve) as address, Client(address, "alice", times=FAST) as chat:
            first = await chat.ask(Say("wob", "hi", id="same"))
            assert first == await chat.ask(Say("wob", "hi", id="same"))
            assert await texts(chat, 2) == ["hi", "6"]

    run(work)


def test_an_answer_that_does_not_come_is_given_up_and_one_that_is_odd_is_shown() -> None:
    async def serve(peer: Peer, _: int) -> None:
        await peer.welcome()
        await asked(peer, "join")
        request = await asked(peer, "groups")
        peer.say(action="members", group="wob", seq=1, list=[], online=[], id=request["id"])
        await until_gone(peer)

    async def work() -> None:
        times = Times(answer_seconds=0.1, quit_seconds=0.5)
        async with accepting(serve) as address, Client(address, "alice", times=times) as chat:
            with pytest.raises(NoReply, match=r"did not answer in 0\.1 s: it may or may not"):
                await chat.join("wob")
            with pytest.raises(OddAnswer, match="groups was answered by Members"):
                await chat.list_groups()

    run(work)


def test_a_request_that_came_too_fast_is_made_again() -> None:
    ids: list[str] = []

    async def serve(peer: Peer, _: int) -> None:
        await peer.welcome()
        for _ in range(2):
            request = await asked(peer, "gbroadcast")
            ids.append(request["id"])
            if len(ids) == 1:
                peer.say(action="error", code="rate-limited", request="gbroadcast", retry_after=0.1, id=ids[0])
        peer.say(**said(5, "hi", sender="alice", id=ids[0]))
        await until_gone(peer)

    async def work() -> None:
        async with accepting(serve) as address, Client(address, "alice", times=FAST) as chat:
            assert (await chat.say("wob", "hi")).seq == 5

    run(work)
    assert ids == [ids[0]] * 2


def test_who_asks_while_there_is_no_connection_waits_for_the_next_one_and_not_for_ever(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def serve(peer: Peer, number: int) -> None:
        if number in (0, 3):
            await peer.welcome()
        if number == 3:
            await until_gone(peer)

    async def work() -> None:
        async with accepting(serve) as address, Client(address, "alice", times=FAST) as chat:
            while chat.is_online:
                await asyncio.sleep(0)
            assert (await chat.ping()).server == "t"

    async def in_vain() -> None:
        times = Times(answer_seconds=0.1, first_retry_seconds=9, quit_seconds=0.1)
        async with accepting(lambda peer, _: peer.welcome()) as address, Client(address, "alice", times=times) as chat:
            while chat.is_online:
                await asyncio.sleep(0)
            with pytest.raises(NoAnswer, match=r"no connection in 0\.1 s: nothing was sent") as caught:
                await chat.say("wob", "hi")
            assert isinstance(caught.value.request, Say)

    with caplog.at_level(logging.INFO, "tchat_client"):
        run(work)
    assert "no connection: the server closed the connection; trying again in 0.0 s" in caplog.messages
    assert "connected again" in caplog.messages
    run(in_vain)


def test_a_server_that_lets_one_in_no_more_ends_the_loop_and_the_requests() -> None:
    async def serve(peer: Peer, number: int) -> None:
        if number == 0:
            await peer.welcome()
            return
        hello = await peer.get()
        peer.say(action="error", code="auth-required", request="client-hello", id=hello["id"])
        await until_gone(peer)

    async def loops(chat: Client) -> None:
        async for _ in chat:
            pass

    async def asks(chat: Client) -> None:
        with suppress(NoAnswer):
            await chat.ping()
        await chat.ping()

    async def sleeps(chat: Client) -> None:
        while not chat._running.done():
            await asyncio.sleep(0.01)

    async def once(work: Callable[[Client], Coroutine[Any, Any, None]]) -> None:
        with pytest.raises(HelloRefused, match="auth-required"):
            async with accepting(serve) as address, Client(address, "alice", times=FAST) as chat:
                await work(chat)

    for work in (loops, asks, sleeps):
        run(partial(once, work))


def test_what_is_no_server_is_said() -> None:
    async def greets(peer: Peer, _: int) -> None:
        peer.writer.write(b"SSH-2.0-OpenSSH_9\r\n")
        await peer.reader.read()

    async def work() -> None:
        async with accepting(greets) as address:
            with pytest.raises(NotTchat, match="what answers there is not a tchat server"):
                await Client(address, "alice", times=FAST).__aenter__()
        with pytest.raises(CannotConnect, match=r"cannot connect to 127\.0\.0\.1:1: nobody listens there$"):
            await Client("127.0.0.1:1", "alice").__aenter__()

    run(work)


def test_another_kind_of_server_is_talked_to_one_request_at_a_time() -> None:
    async def serve(peer: Peer, _: int) -> None:
        await peer.get()
        peer.writer.write(b'{"action": "server-hello", "from": "server", "msg": "bienvenue"}\n')
        loop = asyncio.get_running_loop()
        await peer.get()
        began = loop.time()
        await peer.get()
        assert loop.time() - began >= 0.04, "R-client-one-write"
        for seq, text in ((1, "a"), (2, "b")):
            line = {"action": "gbroadcast", "from": "alice", "group": "wob", "msg": text, "seq": seq, "ts": TS}
            peer.writer.write(json.dumps(line).encode())
        await peer.reader.read()

    async def work() -> None:
        times = Times(hello_seconds=1, answer_seconds=2, quit_seconds=0.1)
        async with accepting(serve) as address, Client(address, "alice", times=times) as chat:
            first, second = await asyncio.gather(chat.say("wob", "a"), chat.say("wob", "b"))
            assert (first.msg, second.msg) == ("a", "b")

    run(work)


def test_a_program_that_hears_slowly_is_waited_for_and_misses_nothing() -> None:
    count = 600

    async def serve(peer: Peer, _: int) -> None:
        await peer.welcome(wob=0)
        text = "x" * 2000
        for seq in range(1, count + 1):
            peer.say(**said(seq, text))
            await asyncio.wait_for(peer.writer.drain(), 10)
            if seq == count // 2:
                request = await asked(peer, "gbroadcast")  # in the middle of it all an answer is awaited
                peer.say(**said(count + 1, "mine", sender="alice", id=request["id"]))
        await until_gone(peer)

    async def work() -> None:
        times = Times(idle_seconds=0.05, dead_seconds=0.05, answer_seconds=5, quit_seconds=0.5)
        async with accepting(serve) as address, Client(address, "alice", times=times, most_waiting=50) as chat:
            await asyncio.sleep(0.3)  # longer than a silent server is borne: nothing is read meanwhile
            assert len(chat._inbox._notices) < 100
            seqs: list[int] = []
            while len(seqs) <= count:
                heard = await anext(chat)
                if isinstance(heard.message, Said):
                    seqs.append(heard.message.seq)
                    if len(seqs) == 3:
                        assert (await chat.say("wob", "mine")).seq == count + 1
            assert seqs == [*range(1, count + 2)]

    run(work)


def test_what_is_large_counts_as_several() -> None:
    async def serve(peer: Peer, _: int) -> None:
        await peer.welcome()
        for _ in range(30):
            peer.say(action="server-broadcast", sender="bob", ts=TS, msg="x" * 900_000)
            with suppress(TimeoutError):
                await asyncio.wait_for(peer.writer.drain(), 0.2)
        await until_gone(peer)

    async def work() -> None:
        async with accepting(serve) as address, Client(address, "alice", times=FAST, most_waiting=200) as chat:
            await asyncio.sleep(0.5)
            assert len(chat._inbox._notices) <= 3

    run(work)


def test_a_program_that_never_hears_can_send_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    async def serve(peer: Peer, _: int) -> None:
        await peer.welcome(wob=0)
        for round_ in range(5):
            request = await asked(peer, "client-list-clients")
            for number in range(20):
                peer.say(**said(round_ * 20 + number + 1))
            peer.say(action="server-list-clients", list=[], id=request["id"])
        await until_gone(peer)

    async def work() -> None:
        async with accepting(serve) as address, Client(address, "alice", times=FAST, most_waiting=2) as chat:
            for _ in range(5):
                await chat.list_users()
            assert await hear(chat, 1) == [Missing("wob", 80)]
            assert await texts(chat, 20) == [str(seq) for seq in range(81, 101)]

    with caplog.at_level(logging.WARNING, "tchat_client"):
        run(work)
    assert [line for line in caplog.messages if line.startswith("nobody hears")] != []


def test_what_is_caught_up_is_asked_for_as_it_is_taken() -> None:
    """Who answers each missed event is not sent all of them at once."""
    asked_for: list[int] = []

    async def serve(peer: Peer, _: int) -> None:
        await peer.welcome(wob=200)
        while True:
            request = await peer.get()
            id = request["id"]
            match request["action"]:
                case "states":
                    after = request["after"]
                    asked_for.append(after)
                    page = [said(seq) for seq in range(after + 1, after + 11)]
                    peer.say(action="states", group="wob", list=page, more=after < 190, id=id)
                case "client-list-clients":
                    peer.say(action="server-list-clients", list=[], id=id)
                case "members":
                    peer.say(action="error", code="unavailable", request="members", retry_after=60, id=id)
                case "client-quit":
                    peer.say(action="server-quit", sender="alice", id=id)
                    return

    async def work() -> None:
        options: dict[str, Any] = {"times": FAST, "most_waiting": 5, "resume": {"wob": 0}}
        async with accepting(serve) as address, Client(address, "alice", **options) as chat:
            for seq in range(1, 201):
                (heard,) = await hear(chat, 1)
                assert (heard.message.seq, heard.missed) == (seq, True)
                await chat.list_users()
                assert max(asked_for) <= seq + 15
            assert await hear(chat, 1) == [CaughtUp("wob", 200)]

    run(work)


def test_a_mistake_in_the_arguments_is_one_clear_sentence() -> None:
    for arguments, sentence in (
        ({"address": "a:b:c"}, "'a:b:c' is no HOST:PORT"),
        ({"address": "127.0.0.1:1,"}, "'127.0.0.1:1,' is no HOST:PORT"),
        ({"address": ("127.0.0.1", 8080)}, r"address is text, as '127.0.0.1:8080', not \('127.0.0.1', 8080\)"),
        ({"name": "my bot"}, "name='my bot' cannot be a name"),
        ({"name": 7}, "name=7 cannot be a name"),
        ({"name": None, "password": "x"}, "a guest has no password"),
        ({"groups": "wob"}, r"groups is a list of names: groups=\['wob'\]"),
        ({"groups": ["a b"]}, r"groups=\['a b'\] holds what is no name of a group"),
        ({"groups": [7]}, r"groups=\[7\] holds what is no name"),
        ({"resume": {"wob": -1}}, r"resume={'wob': -1}: a group and its last seq, or \(seq, ts\)"),
        ({"resume": {"wob": "3"}}, "resume={'wob': '3'}"),
        ({"resume": {"wob": None}}, "resume={'wob': None}"),
        ({"resume": {"wob": (1, 2, 3)}}, "resume="),
        ({"resume": {"wob": 1.5}}, r"resume={'wob': 1\.5}: .* a seq is a number from 0 to \d+, .*, not 1\.5, ''"),
        ({"resume": {"wob": (3, 7)}}, r"resume={'wob': \(3, 7\)}: .* a ts is text, not 3, 7"),
        ({"resume": [("wob", 3)]}, r"resume is a mapping: resume={'wob': last_seq}, not \[\('wob', 3\)\]"),
        ({"password": b"secret"}, "password is text, not bytes"),
        ({"token": 7}, "token is text, not int"),
        ({"tls": "cert.pem"}, r"tls is True, or ssl.create_default_context\(cafile=...\), not 'cert.pem'"),
        ({"times": 5}, r"times is a Times\(...\), not 5"),
        ({"times": Times(answer_seconds="5")}, "times: answer_seconds is 0 or more seconds, not '5'"),
        ({"times": Times(idle_seconds=-1)}, "times: idle_seconds is 0 or more seconds, not -1"),
        ({"most_waiting": 0}, "most_waiting is 1 or more, not 0"),
        ({"most_waiting": "5"}, "most_waiting is 1 or more, not '5'"),
    ):
        with pytest.raises(Misused, match=sentence):
            Client(**{"address": "127.0.0.1", "name": "alice", **arguments})
        with pytest.raises(ValueError, match=sentence):
            Client(**{"address": "127.0.0.1", "name": "alice", **arguments})
    again = Client("127.0.0.1", "alice", resume=json.loads(json.dumps({"wob": (3, TS)})))
    assert again.mirror.groups["wob"].seq == 3  # type: ignore[index]


def test_a_client_is_used_inside_of_its_block_and_once(server: Server) -> None:
    async def work() -> None:
        chat = client(server, "ora")
        for using in (lambda: chat.ping(), lambda: anext(chat), lambda: chat.quit()):
            with pytest.raises(NotOpen, match="inside `async with"):
                await using()
        async with chat:
            with pytest.raises(NotOpen, match="used once"):
                await chat.__aenter__()
            with pytest.raises(Misused, match="`async with` says hello, and `quit` goodbye"):
                await chat.ask(Quit())
            for nothing in ("hello", {"action": "ping"}, Say, None):
                with pytest.raises(Misused, match=r"is no request: give one of libtchat, as Say\('wob', 'hello'\)"):
                    await chat.ask(nothing)  # type: ignore[arg-type]
            for using in (lambda: chat.ping(), lambda: anext(chat), lambda: chat.quit()):
                with pytest.raises(Misused, match=r"another event loop: .* asyncio.run_coroutine_threadsafe"):
                    await asyncio.to_thread(lambda using=using: asyncio.run(using()))
            with pytest.raises(Misused, match="gbroadcast cannot be written"):
                await chat.say("wob", b"bytes")  # type: ignore[arg-type]
            hearing = asyncio.create_task(hear(chat, 1))
            await asyncio.sleep(0)
            with pytest.raises(Misused, match="another task iterates"):
                await anext(chat)
            await chat.quit()
            with pytest.raises(NotOpen, match="closed"):
                await chat.ping()
            with pytest.raises(StopAsyncIteration):
                await hearing
            assert [notice async for notice in chat] == []
        for using in (lambda: chat.ping(), lambda: chat.ask(Join("wob"))):
            with pytest.raises(NotOpen, match="closed"):
                await using()

    run(work)


@coroutine
def cancelled_at(numbers: tuple[int, ...], work: Coroutine[Any, Any, None]) -> Generator[Any, Any, int]:
    """Do *work*, and cancel its task at the awaits with these *numbers*; return how many awaits there were."""
    task, count, go_on = asyncio.current_task(), 0, partial(work.send, None)
    assert task is not None
    while True:
        try:
            waiting = go_on()
        except (StopIteration, asyncio.CancelledError):
            return count
        if count in numbers:
            task.cancel()
        count += 1
        try:
            go_on = partial(work.send, (yield waiting))
        except asyncio.CancelledError as cancelled:
            go_on = partial(work.throw, cancelled)


async def counted(numbers: tuple[int, ...], work: Coroutine[Any, Any, None]) -> int:
    count: int = await cancelled_at(numbers, work)
    return count


def test_it_may_be_cancelled_at_every_await_and_while_it_closes(server: Server) -> None:
    """At each await of the work, and then once more at each await that follows."""
    names = count()
    runs: list[tuple[int, ...]] = []

    async def use(name: str) -> None:
        async with client(server, name, groups=["cancelled"], resume={"cancelled": 1}) as chat:
            await chat.say("cancelled", "hi")
            await hear(chat, 2)
            await asyncio.gather(chat.ping(), chat.list_users())

    async def once(numbers: tuple[int, ...]) -> int:
        before = asyncio.all_tasks()
        runs.append(numbers)
        awaits = await asyncio.create_task(counted(numbers, use(f"cancelled-{next(names)}")))
        async with asyncio.timeout(5):
            while asyncio.all_tasks() != before:
                await asyncio.sleep(0.001)
        return awaits

    async def work() -> None:
        async with client(server, "pia") as pia:
            await pia.create("cancelled")
            first = 0
            while await once((first,)) > first:
                second = first + 1
                while await once((first, second)) > second:
                    second += 1
                first += 1
            gc.collect()  # what was never awaited or closed complains here, and complaints are errors
            while any(name.startswith("cancelled") for name in (await pia.list_users()).list):
                await asyncio.sleep(0.01)

    run(work)
    assert len(runs) > 20, runs
