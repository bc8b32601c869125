"""An operator at a server that runs, at the socket beside its database, and at the database alone."""

from __future__ import annotations

import asyncio
import fcntl
import io
import json
import os
import pty
import re
import socket
import sqlite3
import stat
import subprocess
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from commandline import COMMAND, Running, environment, running
from live import TIMEOUT_SECONDS

from libtchat.message.names import UserKey, user_key
from libtchat.message.request import Create, Invite, Kick
from libtchat.stored import StoredUser
from tchat_server.chat import Chat, server_of
from tchat_server.cli import cli
from tchat_server.operator import command as operator_command
from tchat_server.operator.operator import Operator
from tchat_server.ops.control import Json, asked
from tchat_server.password import mark_of, new_code
from tchat_server.store.event_log import Ready
from tchat_server.store.memory import MemoryLog
from tchat_server.store.sqlite.checksum import checksum
from tchat_server.store.sqlite.maintenance import check

SECRET = "the text that nobody is to read again"


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "tchat.db"


@pytest.fixture
def server(db: Path) -> Iterator[Running]:
    with running(db.parent, "--listen", "127.0.0.1:0", "--db", str(db)) as server:
        yield server


def does(db: Path, act: str, **fields: Any) -> dict[str, Any]:
    """Ask the server that has the database."""
    with asked(db.with_name(db.name + ".sock"), {"act": act, **fields}, TIMEOUT_SECONDS) as answer:
        assert answer is not None, "no server listens"
        return dict(answer)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Return what runs the command in this process: it returns what was printed, or the one line that says why not."""

    def run(*args: str, code: int = 0, typed: str = "") -> str:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        if not code:
            cli.main(args, standalone_mode=False)
            return capsys.readouterr().out
        with pytest.raises(click.ClickException) as problem:
            cli.main(args, standalone_mode=False)
        assert (problem.value.exit_code, capsys.readouterr().out) == (code, "")
        return problem.value.format_message()

    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    return run


def talk(server: Running) -> Any:
    """alice owns wob, bob is a member; the third event is a secret text of bob's."""
    alice, bob = server.client("alice"), server.client("bob")
    alice.ask(action="cgroupe", group="wob")
    bob.ask(action="join", group="wob")
    assert bob.ask(action="gbroadcast", group="wob", msg=SECRET)["seq"] == 3
    alice.until("gbroadcast")
    return alice, bob


def is_in_files(db: Path, text: str) -> list[str]:
    files = (path for path in db.parent.iterdir() if path.is_file() and path.name.startswith(db.name))
    return [path.name for path in files if text.encode() in path.read_bytes()]


def test_a_server_that_stands_still_is_told_in_one_line(
    db: Path, run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_command, "_ANSWER_SECONDS", 0.1)
    with socket.socket(socket.AF_UNIX) as frozen:
        frozen.bind(str(db) + ".sock")
        frozen.listen()
        assert run("who", str(db), code=4) == f"the server of {db} has not answered in 0.1 s: see whether it is done"


def test_the_socket_is_for_the_server_s_user_alone_and_the_log_says_who(db: Path, server: Running) -> None:
    mode = db.with_name(db.name + ".sock").stat().st_mode
    assert (stat.S_ISSOCK(mode), mode & 0o777) == (True, 0o600)
    server.client("alice")
    (row,) = does(db, "who")["rows"]
    assert row["name"] == "alice"
    assert does(db, "kick-user", name="alice") == {"done": "kick-user", "name": "alice", "closed": 1}
    me = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    server.logs(rf"operator {me}: kick-user {{'name': 'alice'}}: done kick-user")


def test_what_cannot_be_asked_is_answered_and_costs_nothing(db: Path, server: Running) -> None:
    bad = (
        b"",
        b"\n",
        b"[]\n",
        b'{"act":"fly"}\n',
        b'{"act":"close"}\n',
        b'{"act":"redact","group":"wob","seq":true}\n',
    )
    for line in bad:
        check_answered(db, line)
    assert does(db, "who")["connections"] == 0


def check_answered(db: Path, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(str(db) + ".sock")
        asking.sendall(line)
        asking.shutdown(socket.SHUT_WR)
        answer = asking.makefile("rb").readline()
        assert {"failed", "refused"} & json.loads(answer).keys()


def test_a_removed_text_is_gone_for_everybody_and_from_the_file(db: Path, server: Running) -> None:
    alice, bob = talk(server)
    assert is_in_files(db, SECRET)
    assert does(db, "redact", group="WOB", seq=3)["author"] == "bob"
    assert is_in_files(db, SECRET) == []
    assert [message["redacts"] for message in alice.until("redact")] == [3]
    bob.until("redact")
    (text,) = bob.ask(action="msgs", group="wob")["list"]
    assert (text["redacted"], text["seq"], text["sender"]) == (True, 3, "bob")
    bob.ask(action="gbroadcast", group="wob", msg="still works")
    for seq, why in ((3, "redacted"), (1, "no-text"), (4, "no-text"), (99, "no-text")):
        assert does(db, "redact", group="wob", seq=seq)["refused"] == why
    assert does(db, "redact", group="nowhere", seq=1)["refused"] == "group-not-found"
    server.ends()
    assert is_in_files(db, SECRET) == []
    assert check(db).faults == []


def test_a_text_among_many_of_one_row_is_removed_alone(db: Path, server: Running) -> None:
    alice = server.client("alice")
    alice.ask(action="cgroupe", group="wob")
    alice.write(b"".join(b'{"action":"gbroadcast","group":"wob","msg":"text %d"}\n' % n for n in range(2, 30)))
    while alice.get()["seq"] != 29:
        pass
    does(db, "redact", group="wob", seq=17)
    alice.until("redact")
    texts = alice.ask(action="msgs", group="wob")["list"]
    assert [text["seq"] for text in texts] == [*range(2, 30)]
    assert [text["seq"] for text in texts if text.get("redacted")] == [17]
    assert texts[0]["msg"] == "text 2"
    server.ends()
    report = check(db)
    assert (report.faults, report.redacted) == ([], 1)
    for language, said in (("en", "; texts removed: 1, groups"), ("fr", " ; textes retirés : 1, groupes")):
        env = environment(TCHAT_LANG=language)
        done = subprocess.run([*COMMAND, "check", str(db)], env=env, capture_output=True, text=True, check=True)
        assert re.search(rf"\w{said}", done.stdout)


def test_check_finds_a_text_that_should_be_gone_and_one_that_should_be_there(db: Path, server: Running) -> None:
    talk(server)
    does(db, "redact", group="wob", seq=3)
    server.ends()
    with sqlite3.connect(db) as connection:
        ((removed,),) = connection.execute("SELECT lines FROM entries WHERE kind = 0")
        connection.create_function("crc", -1, checksum)
        text = removed.replace(b',"redacted":true', b"")
        changed = "UPDATE entries SET lines = ?, checksum = crc(group_id, kind, seqs, ?) WHERE kind = 0"
        connection.execute(changed, (text, text))
    connection.close()
    assert check(db).faults == ["group wob: the text 3 was removed, and is still there"]


def test_a_closed_group_stays_closed_after_a_restart(db: Path) -> None:
    with running(db.parent, "--listen", "127.0.0.1:0", "--db", str(db)) as server:
        talk(server)
        assert does(db, "close", group="wob") == {"done": "close", "group": "wob", "seq": 4, "undone": False}
        assert does(db, "close", group="wob")["refused"] == "bad-request"
    with running(db.parent, "--listen", "127.0.0.1:0", "--db", str(db)) as server:
        assert server.client("bob").code(action="gbroadcast", group="wob", msg="hi") == "group-closed"


def test_a_new_password_closes_what_was_open_with_the_old_one(db: Path, server: Running) -> None:
    alice = server.client("alice")
    alice.ask(action="register", sender="alice", password="old")
    assert does(db, "passwd", name="alice", password="new") == {"done": "passwd", "name": "alice", "closed": 1}
    assert alice.rest()[-1]["msg"] == "the operator gave this name a new password"
    back = server.client()
    for given in ({"password": "old"}, {"token": alice.welcome["token"]}):
        assert back.code(action="client-hello", **{"from": "alice"}, **given) == "auth-failed"
    assert back.ask(action="client-hello", password="new", **{"from": "alice"})["action"] == "server-hello"
    assert "new" not in server.log()
    assert does(db, "passwd", name="no body", password="x")["refused"] == "bad-name"
    assert does(db, "passwd", name="server", password="x")["refused"] == "bad-name"


def test_who_is_removed_is_in_no_group_and_has_no_password(db: Path, server: Running) -> None:
    alice, bob = talk(server)
    alice.ask(action="register", sender="alice", password="old")
    assert does(db, "remove-user", name="ALICE") == {"done": "remove-user", "name": "alice", "groups": 1, "closed": 1}
    assert alice.rest()[-1]["code"] == "forbidden"
    assert bob.until("leave")[-1]["owner"] == "bob"
    assert does(db, "remove-user", name="nobody")["refused"] == "nobody"
    back = server.client("alice")
    assert (back.welcome["action"], back.welcome["groups"]) == ("server-hello", [])


def test_a_removal_goes_on_when_others_end_a_membership_meanwhile() -> None:
    class Late(MemoryLog):
        """What it says of a user may be out of date by the time it is heard, as with a file."""

        stale: StoredUser | None = None

        def load_user(self, key: UserKey) -> Ready[StoredUser]:
            found, self.stale = self.stale, None
            return super().load_user(key) if found is None else Ready(found)

    async def remove() -> Json:
        log = Late()
        async with Chat(log) as chat:
            await chat.ask_as("bob", Create("own"))
            for request in (Create("wob"), Invite("wob", "bob"), Create("web"), Invite("web", "bob")):
                await chat.ask_as("alice", request)
            before = await log.load_user(user_key("bob"))
            await chat.ask_as("alice", Kick("web", "bob"))
            log.stale = before
            return await Operator(server_of(chat)).act({"act": "remove-user", "name": "bob"}, "me")

    assert asyncio.run(remove()) == {"done": "remove-user", "name": "bob", "groups": 2, "closed": 0}


def test_a_ban_outlives_the_server_and_ends_by_itself_or_by_hand(db: Path) -> None:
    with running(db.parent, "--listen", "127.0.0.1:0", "--db", str(db)) as server:
        bob = server.client("bob")
        assert does(db, "ban-user", name="bob", **{"for": 3600})["closed"] == 1
        assert bob.rest()[-1]["msg"].startswith("you are banned from this server until 20")
        assert does(db, "ban-user", name="eve")["until"] == "ever"
    with running(db.parent, "--listen", "127.0.0.1:0", "--db", str(db)) as server:
        (refused, for_ever) = (server.client().ask(action="client-hello", **{"from": name}) for name in ("BOB", "eve"))
        assert "BOB is banned from this server until 20" in refused["msg"]
        assert (refused["code"], 3000 < refused["retry_after"] <= 3600) == ("forbidden", True)
        assert "retry_after" not in for_ever
        assert does(db, "unban-user", name="bob") == {"done": "unban-user", "name": "bob"}
        assert does(db, "unban-user", name="bob")["refused"] == "not-barred"
        assert server.client("bob").welcome["action"] == "server-hello"
        assert [(row["name"], row["banned"]) for row in does(db, "users")["rows"]] == [("eve", "ever")]


def test_many_who_ask_at_once_are_all_answered(db: Path, server: Running) -> None:
    talk(server)
    answers: list[dict[str, Any]] = []
    threads = [threading.Thread(target=lambda: answers.append(does(db, "close", group="wob"))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted("done" in answer for answer in answers) == [False] * 9 + [True]


def test_a_group_is_taken_from_an_owner_who_is_connected_only_if_that_is_said(
    db: Path, server: Running, run: Callable[..., str]
) -> None:
    _, bob = talk(server)
    line = "alice, who owns wob, is connected: --force takes the group away, and alice out"
    assert run("own", str(db), "WOB", "bob", code=1) == line
    assert does(db, "own", group="wob", name="bob") == {"refused": "owner-here", "group": "wob", "name": "alice"}
    assert run("own", str(db), "wob", "alice", "--force", code=1) == "alice owns wob already: nothing to do"
    assert run("own", str(db), "wob", "alice", code=1) == "alice owns wob already: nothing to do"
    assert run("own", str(db), "wob", "bob", "--force") == "bob owns wob (event 4)\n"
    assert bob.until("leave")[-1]["owner"] == "bob"


def test_an_invitation_code_is_kept_as_a_hash_and_holds_once(db: Path) -> None:
    with running(db.parent, "--listen", "127.0.0.1:0", "--db", str(db), "--registration", "invite") as server:
        (code,) = does(db, "invite-code", count=1)["codes"]
        alice, bob = server.client("alice"), server.client("bob")
        assert alice.ask(action="register", password="x")["field"] == "invitation"
        typed = code.lower().replace("-", " ")
        assert alice.ask(action="register", password="x", invitation=typed)["action"] == "register"
        assert bob.ask(action="register", password="x", invitation=code)["field"] == "invitation"
        (other,) = does(db, "invite-code", count=1)["codes"]
    assert is_in_files(db, other) == []
    assert is_in_files(db, mark_of(other)) != []
    assert mark_of(new_code()) != mark_of(new_code())


def test_the_same_commands_work_when_no_server_runs(db: Path, run: Callable[..., str]) -> None:
    with running(db.parent, "--listen", "127.0.0.1:0", "--db", str(db)) as server:
        talk(server)
    assert run("passwd", str(db), "bob", typed="geheim\n") == "bob has a new password (connections closed: 0)\n"
    assert run("redact", str(db), "wob", "3") == "text 3 of bob is removed from wob (event 4)\n"
    assert is_in_files(db, SECRET) == []
    assert run("close", str(db), "wob") == "wob takes no more texts (event 5)\n"
    assert run("own", str(db), "wob", "bob") == "bob owns wob (event 6)\n"
    assert run("users", str(db)).splitlines() == [
        "NAME  PASSWORD  GROUPS  INVITATIONS  ONLINE  BANNED UNTIL",
        "bob   yes       1       0            -       -",
        "users: 1",
    ]
    assert json.loads(run("users", str(db), "--json").splitlines()[-1])["name"] == "bob"
    for command in (("who",), ("announce", "hi"), ("kick-user", "bob")):
        line = run(command[0], str(db), *command[1:], code=1)
        assert line == f"no server uses {db}: nobody is connected"
    assert check(db).faults == []


@pytest.mark.parametrize(
    ("args", "code", "line"),
    [
        (("close",), 2, "Missing argument 'GROUP'."),
        (("redact", "wob"), 2, "Missing argument 'SEQ'."),
        (("redact", "wob", "three"), 2, "'three' is no number: SEQ is one"),
        (("announce", "a.db", ""), 2, "TEXT is empty"),
        (("ban-user", " "), 2, "NAME is empty"),
        (("ban-user", "bob", "--for", "soon"), 2, "'soon' is no duration such as 30m, 12h or 7d"),
        (("passwd", "bob"), 2, "no password: a terminal is asked for it, else it is the first line of the input"),
        (("who", "a.db", "b.db"), 2, "got too many words: tchat-server who [DB]"),
        (("close", "wob"), 4, "does not exist: name the database of a tchat-server"),
        (("who",), 1, "nobody is connected"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_typed_wrongly_is_one_line(
    tmp_path: Path,
    run: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    args: tuple[str, ...],
    code: int,
    line: str,
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert line in run(*args, code=code)
    assert list(tmp_path.iterdir()) == []


def test_a_password_is_asked_for_twice_on_a_terminal_and_not_shown(db: Path, server: Running) -> None:
    server.client("bob")
    main, inside = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "passwd", str(db), "bob"],
        stdin=inside,
        stdout=inside,
        stderr=inside,
        env=environment(LC_ALL="fr_FR.UTF-8"),
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(inside)
    shown = b""
    for asked_for in ("nouveau mot de passe de bob : ", "encore une fois : "):
        while asked_for.encode() not in shown:
            shown += os.read(main, 1000)
        os.write(main, b"geheim\n")
    assert process.wait(TIMEOUT_SECONDS) == 0
    shown += os.read(main, 1000)
    os.close(main)
    assert "bob a un nouveau mot de passe (connexions fermées : 1)" in shown.decode()
    assert b"geheim" not in shown
