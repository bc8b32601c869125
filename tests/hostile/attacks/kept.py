"""Texts that wait for who is away: one who writes to everybody, a crowd that writes to one, who comes for them all."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial

from hostile import seeds
from hostile.attacks.volume import flood
from hostile.harness import Attack, Field
from live import Client

VICTIM = "kept.victim"
NAMES = 300
CROWD, TEXTS = 56, 100
SENDERS = 60
MAX_SENDERS = 100
AT_ONCE = 64


def text(to: str, msg: str = "x") -> bytes:
    return json.dumps({"action": "client-send", "to": to, "msg": msg}).encode() + b"\n"


def many_names(field: Field, *, seconds: float) -> None:
    """Write to hundreds of names that nobody is behind now, as fast as one may: at no time to one of them too much."""
    flood([field.client("kept.stranger")], b"".join(text(seeds.absent(number)) for number in range(NAMES)), seconds)


def crowd(field: Field) -> None:
    """Fill the room of one user: names without a password take half of it, whoever has them."""

    def one(number: int) -> int:
        client = field.client(f"kept.{number}")
        client.write(text(VICTIM, "x" * 500) * TEXTS)
        answers = [answer for answer in client.sync() if answer.get("to") == VICTIM or answer.get("code")]
        client.sock.close()
        assert {answer["code"] for answer in answers if "code" in answer} <= {"limit-reached"}, answers[-1]
        return sum(answer.get("kept", False) for answer in answers)

    with ThreadPoolExecutor(4) as pool:
        accepted = sum(pool.map(one, range(CROWD)))
    most = MAX_SENDERS // 2 * TEXTS  # a first text may be refused while those of others are on their way to the disk
    assert most * 0.9 < accepted <= most, f"{accepted} texts wait for one user"


def come_for_all(field: Field, *, seconds: float) -> None:
    """Say hello 64 times at once where thousands of texts wait, read nothing of it, and go; again and again."""
    with Client(field.server.port, source="127.0.1.1") as first:
        first.hello(VICTIM, password=VICTIM)
        hello = {"action": "client-hello", "from": VICTIM, "token": first.welcome["token"]}
        until, waves = time.monotonic() + seconds, 0
        while time.monotonic() < until or not waves:
            waves += 1
            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(partial(come_once, field, hello, until), range(AT_ONCE)))
        field.notes["done"] = waves
    with Client(field.server.port) as back:
        back.hello(VICTIM, password=VICTIM)
        assert (answer := back.get())["kept"] is True, answer


def come_once(field: Field, hello: dict[str, str], until: float, number: int) -> None:
    with suppress(OSError, EOFError), Client(field.server.port, source=f"127.0.2.{number + 1}") as client:
        client.send(**hello)
        client.line()
        time.sleep(max(0.0, min(1.0, until - time.monotonic())))


OPTIONS = ("--db", "{directory}/t.db")

ATTACKS = (
    Attack(
        "kept-for-many",
        f"a stranger writes to {NAMES} names that are away",
        many_names,
        {"seconds": 1.0},
        {"seconds": 20.0},
        options=OPTIONS,
        seed=partial(seeds.waiting, user=VICTIM, senders=0, texts=0, others=NAMES),
    ),
    Attack(
        "kept-by-a-crowd",
        f"{CROWD} users write {TEXTS} texts each to one who is away",
        crowd,
        options=(*OPTIONS, "--rate", "0"),
        seed=partial(seeds.waiting, user=VICTIM, senders=0, texts=0),
    ),
    Attack(
        "kept-hellos",
        f"{SENDERS * TEXTS} texts wait for one, who says hello {AT_ONCE} times at once and reads nothing",
        come_for_all,
        {"seconds": 1.0},
        {"seconds": 20.0},
        options=OPTIONS,
        seed=partial(seeds.waiting, user=VICTIM, senders=SENDERS, texts=TEXTS),
    ),
)
