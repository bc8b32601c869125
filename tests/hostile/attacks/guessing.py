"""Who keeps the passwords busy: registers in crowds, guesses at a name. Its owner must get in all the while."""

from __future__ import annotations

import time

from hostile.harness import Attack, Field
from live import Client

LOGIN_SECONDS = 0.4
PER_ADDRESS = 25
OWNER, STRANGER = 3, 2
HELLO = {"action": "client-hello", "from": "owner"}


def prepare(field: Field) -> None:
    owner = field.client("owner", host=OWNER)
    assert owner.ask(action="register", password="secret")["action"] == "register"
    owner.sock.close()
    field.notes["login"] = max(login(field) for _ in range(3))


def register(field: Field, *, connections: int, seconds: float) -> None:
    """Set so many passwords at once, from as many addresses as that takes; meanwhile the owner logs in."""
    crowd = [field.client(f"r{number}", host=10 + number // PER_ADDRESS) for number in range(connections)]
    for client in crowd:
        client.send(action="register", password="x")
    keep_coming(field, seconds)
    for client in crowd:
        client.sock.close()


def guess(field: Field, *, connections: int, seconds: float) -> None:
    """Try passwords for the owner's name on so many connections from one address."""
    crowd = [field.client(host=STRANGER) for _ in range(connections)]
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for client in crowd:
            client.send(**HELLO, password="guess")
        keep_coming(field, 0.2)


def keep_coming(field: Field, seconds: float) -> None:
    """Log in again and again; each must work, and soon: what it takes in peace is the machine's, and allowed."""
    most, until = LOGIN_SECONDS + 3 * field.notes["login"], time.monotonic() + seconds
    while time.monotonic() < until:
        took = login(field)
        assert took < most, f"worst login {took:.2f} s, {most:.2f} allowed"


def login(field: Field) -> float:
    """Have the owner log in; return how long that took."""
    begun = time.monotonic()
    with Client(field.server.port, source=f"127.0.0.{OWNER}") as owner:
        answer = owner.ask(**HELLO, password="secret")
    assert answer["action"] == "server-hello", f"the owner is kept out: {answer}"
    return time.monotonic() - begun


ATTACKS = (
    Attack(
        "guesses-at-a-name",
        "30 connections of a stranger try passwords for a name, while its owner logs in from elsewhere",
        guess,
        {"connections": 30, "seconds": 1.0},
        {"connections": 60, "seconds": 60.0},
        prepare=prepare,
    ),
    Attack(
        "registers-at-once",
        "a crowd from many addresses sets passwords at once, while an owner logs in again and again",
        register,
        {"connections": 200, "seconds": 1.2},
        {"connections": 1000, "seconds": 60.0},
        prepare=prepare,
    ),
)
