"""`--keep-days` and `--keep-messages`: what a real server removes, and what its users are told."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import click
import pytest
from live import serving

from tchat_server.cli import cli
from tchat_server.store.sqlite.maintenance import check

TEXTS = 30


def test_what_is_removed_at_the_start_and_what_whoever_catches_up_is_told(tmp_path: Path) -> None:
    db = tmp_path / "tchat.db"
    with serving(tmp_path, "--db", str(db)) as server:
        alice = server.client("alice")
        alice.ask(action="cgroupe", group="wob")
        for number in range(TEXTS):
            alice.ask(action="gbroadcast", group="wob", msg=f"text {number}")
        server.client("bob").ask(action="join", group="wob")
        assert server.stop() == 0
    with serving(tmp_path, "--db", str(db), "--keep-messages", "10") as server:
        assert server.logs("21 old events were removed")
        bob = server.client("bob")
        assert bob.welcome["seqs"] == {"wob": TEXTS + 2}
        page = bob.ask(action="states", group="wob", all=True, after=3)
        assert (page["begins"], page["first"], page["last"], page["more"]) == (22, 22, 32, False)
        texts = bob.ask(action="msgs", group="wob")
        assert [it["msg"] for it in texts["list"]] == [f"text {number}" for number in range(20, 30)]
        assert texts["begins"] == 22
        assert bob.ask(action="msgs", group="wob", before=22)["list"] == []
        assert bob.ask(action="members", group="wob")["list"] == ["alice", "bob"]
        assert bob.ask(action="gbroadcast", group="wob", msg="on")["seq"] == TEXTS + 3
        assert server.stop() == 0
    assert check(db).faults == []


def test_a_request_repeated_whose_event_is_removed_is_refused_by_its_id_and_done_once(tmp_path: Path) -> None:
    db, text = tmp_path / "tchat.db", {"action": "gbroadcast", "group": "wob", "msg": "first", "id": "a1"}
    with serving(tmp_path, "--db", str(db)) as server:
        alice = server.client("alice")
        alice.ask(action="cgroupe", group="wob")
        assert alice.ask(**text)["seq"] == 2
        alice.ask(action="gbroadcast", group="wob", msg="second")
        assert server.stop() == 0
    with serving(tmp_path, "--db", str(db), "--keep-messages", "1") as server:
        assert server.logs("2 old events were removed")
        alice = server.client("alice")
        refused = alice.ask(**text)
        assert (refused["action"], refused["code"], refused["field"], refused["id"]) == (
            "error",
            "bad-request",
            "id",
            "a1",
        )
        assert alice.ask(action="gbroadcast", group="wob", msg="third")["seq"] == 4


def test_what_is_older_than_so_many_days_is_removed_from_the_file(tmp_path: Path) -> None:
    db = tmp_path / "tchat.db"
    with serving(tmp_path, "--db", str(db)) as server:
        server.client("alice").ask(action="cgroupe", group="wob")
        assert server.stop() == 0
    with serving(tmp_path, "--db", str(db), "--keep-days", "1") as server:
        assert server.client("alice").ask(action="msgs", group="wob").get("begins") is None
        assert server.stop() == 0
    with serving(tmp_path, "--db", str(db), "--keep-days", "0.00000001") as server:
        assert server.logs("1 old events were removed")
        alice = server.client("alice")
        assert alice.welcome["groups"] == ["wob"]
        assert alice.ask(action="states", group="wob", all=True, after=0)["begins"] == 2
        server.kill()
    with closing(sqlite3.connect(db)) as connection:
        assert connection.execute("SELECT count(*) FROM entries").fetchone() == (0,)
    with serving(tmp_path, "--db", str(db)) as server:
        assert server.client("alice").ask(action="gbroadcast", group="wob", msg="still here")["seq"] == 2
        assert server.stop() == 0
    assert check(db).faults == []


@pytest.mark.parametrize("option", ["--keep-days=1", "--keep-messages=10"])
def test_an_engine_has_rules_of_its_own_about_what_is_kept(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(click.ClickException) as refused:
        cli.main(["--db", "nats://127.0.0.1/chat", option], standalone_mode=False)
    assert (refused.value.exit_code, capsys.readouterr().err) == (2, "")
    assert refused.value.format_message() == (
        "--keep-days and --keep-messages go with a file or :memory:, an engine has rules of its own"
    )


@pytest.mark.parametrize("option", ["--keep-days=0", "--keep-days=-1", "--keep-messages=0", "--keep-messages=many"])
def test_an_option_that_keeps_nothing_is_refused_in_one_line(option: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=option.partition("=")[0]):
        serving(tmp_path, option).__enter__()
