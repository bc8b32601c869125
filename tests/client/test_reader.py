"""The second day: what somebody sees who comes back, in a real terminal against a real server."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import SECONDS, Server, environment, serving
from terminal import Terminal

from tchat_client.reading import Reading
from tchat_client.search import History

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


class Person:
    """One user: lines in a pipe, or one terminal after the other, always with the same state directory."""

    def __init__(self, directory: Path, server: Server, name: str) -> None:
        self.directory, self.server, self.name = directory, server, name
        self.state = directory / "state" / "tchat"
        self.opened: list[Terminal] = []

    def pipe(self, *lines: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tchat_client", self.server.address, "--name", self.name],
            env=environment(self.directory),
            input="".join(f"{line}\n" for line in lines),
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        return done.stdout

    def sit_down(self, *options: str, columns: int = 150) -> Terminal:
        place = self.directory / f"{self.name}{len(self.opened)}"
        state = str(self.directory / "state")
        options = (self.server.address, "--name", self.name, *options)
        terminal = Terminal(place, *options, columns=columns, XDG_STATE_HOME=state)
        self.opened.append(terminal)
        terminal.shows("Connect", " online ")
        return terminal

    def stand_up(self) -> None:
        self.opened[-1].type("", "C-d")
        assert self.opened[-1].exit_code() == 0

    def read(self) -> dict[str, int]:
        kept = json.loads((self.state / "reading.json").read_text())
        found: dict[str, int] = kept[self.server.address][self.name]["read"]
        return found


@pytest.fixture
def people(tmp_path: Path, server: Server) -> Iterator[dict[str, Person]]:
    found = {name: Person(tmp_path / name, server, f"{name}-{tmp_path.name[-12:]}") for name in ("ada", "bo")}
    for person in found.values():
        person.directory.mkdir()
    yield found
    for person in found.values():
        for terminal in person.opened:
            terminal.close()


def day_one(people: dict[str, Person], *groups: str) -> None:
    """ada makes the groups, bo joins them, ada looks at all of them, at the first one last, and goes."""
    ada, bo = people["ada"], people["bo"]
    ada.pipe(*(f"cg;{group}" for group in groups))
    bo.pipe(*(f"j;{group}" for group in groups))
    terminal = ada.sit_down()
    for group in reversed(groups):
        terminal.enter(f"/use {group}")
        terminal.shows(f"text goes to {group} now")
    ada.stand_up()


def test_who_comes_back_sees_what_is_new_and_where(people: dict[str, Person]) -> None:
    day_one(people, "one-a", "one-b")
    ada, bo = people["ada"], people["bo"]
    assert stat.S_IMODE((ada.state / "reading.json").stat().st_mode) == 0o600
    bo.pipe("bg;one-a;first", f"bg;one-a;are you there, {ada.name}?", "bg;one-a;third")
    bo.pipe("bg;one-b;elsewhere", f"bg;one-b;{ada.name}, look")
    terminal = ada.sit_down()
    screen = terminal.shows("---- 3 since you left ----", "third", "unread: one-b:2 »1", f"{ada.name} [one-a]>")
    assert screen.index("joined") < screen.index("since you left") < screen.index("first") < screen.index("third")
    assert "elsewhere" not in screen
    terminal.shows("one-b:2 »1 unread")

    bo.pipe("bg;one-b;a text that is rather long, longer than anybody wants to read who is elsewhere", "bg;one-a;here")
    screen = terminal.shows(f"one-b:3  {bo.name}: a text that is", f"one-a  {bo.name}: here")
    assert "who is elsewhere" not in screen
    terminal.enter("/use one-b")
    screen = terminal.shows("---- 3 unread ----", "who is elsewhere", f"{ada.name} [one-b]>")
    assert (
        screen.index("3 unread") < screen.index("elsewhere") < screen.index("look") < screen.index("who is elsewhere")
    )
    ada.stand_up()

    screen = ada.sit_down().shows(f"{ada.name} [one-b]>", "look")
    assert "since you left" not in screen
    assert "unread: " not in screen
    ada.stand_up()


def test_all_shows_every_text_in_full(people: dict[str, Person]) -> None:
    day_one(people, "two-a", "two-b")
    terminal = people["ada"].sit_down("--all")
    terminal.shows("[two-a]>")
    people["bo"].pipe("bg;two-b;a text that is rather long, longer than anybody wants to read who is elsewhere")
    terminal.shows("who is elsewhere")
    people["ada"].stand_up()
    assert people["ada"].read()["two-b"] == 3


def test_the_only_group_is_the_current_one_and_of_many_texts_the_last_are_shown(people: dict[str, Person]) -> None:
    ada, bo = people["ada"], people["bo"]
    ada.pipe("cg;three")
    bo.pipe("j;three")
    ada.sit_down().shows(f"{ada.name} [three]>")
    ada.stand_up()
    bo.pipe(*(f"bg;three;text {number:03}" for number in range(130)))
    terminal = ada.sit_down()
    screen = terminal.shows("---- 100+ since you left ----", "text 129")
    assert "text 110" in screen
    assert "text 109" not in screen
    terminal.enter("/more")
    screen = terminal.shows("text 090", "text 109")
    assert "text 089" not in screen
    terminal.enter("/search TEXT 0")
    screen = terminal.shows("20 with 'TEXT 0' in three; /more searches further back")
    terminal.enter("/more")
    terminal.shows("text 060")
    terminal.enter("/search text 129")
    terminal.shows("1 with 'text 129' in three, and nothing older")
    terminal.enter("/search nowhere")
    terminal.shows("0 with 'nowhere' in three, and nothing older")


def test_the_texts_with_a_user_are_paged_and_muted(people: dict[str, Person]) -> None:
    ada, bo = people["ada"], people["bo"]
    for person in (ada, bo):
        person.pipe("register;secret")
    bo.pipe(*(f"s;{ada.name};text {number:03}" for number in range(50)))
    terminal = ada.sit_down()
    terminal.shows("text 049")
    ada.stand_up()
    terminal = ada.sit_down()
    terminal.enter(f"messages;@{bo.name};10")
    screen = terminal.shows(f"there is more: /more @{bo.name}", "text 040", "text 049")
    assert "text 039" not in screen
    terminal.enter(f"/more @{bo.name}")
    screen = terminal.shows("text 020", "text 039")
    assert "text 019" not in screen
    terminal.enter(f"/more @{bo.name}")
    terminal.shows("text 000", f"there is nothing older in @{bo.name}")
    terminal.enter("/more @nobody")
    terminal.shows("there is nothing older in @nobody")
    terminal.enter(f"/search @{bo.name} 04")
    screen = terminal.shows(f"11 with '04' in @{bo.name}, and nothing older")
    assert screen.count("text 040") == 2
    terminal.enter(f"/mute @{bo.name}")
    terminal.shows(f"no texts of @{bo.name} are shown")
    bo.pipe(f"s;{ada.name};quiet", "b;quieter")
    terminal.enter(f"/unmute {bo.name}")
    assert "quiet" not in terminal.shows("are shown again")
    bo.pipe(f"s;{ada.name};loud")
    terminal.shows("loud")


def test_muted_is_not_shown_and_stays_so(people: dict[str, Person]) -> None:
    day_one(people, "four")
    ada, bo = people["ada"], people["bo"]
    terminal = ada.sit_down()
    terminal.enter(f"/mute {bo.name}")
    terminal.shows(f"no texts of {bo.name} are shown")
    bo.pipe("bg;four;quiet")
    terminal.enter("/me waves")
    screen = terminal.shows(f"• {ada.name} waves")
    assert "quiet" not in screen
    ada.stand_up()
    bo.pipe("bg;four;quieter")
    terminal = ada.sit_down()
    terminal.enter(f"/unmute {bo.name}")
    screen = terminal.shows("are shown again")
    assert "quiet" not in screen
    assert "since you left" not in screen
    bo.pipe("bg;four;loud")
    terminal.shows(f"{bo.name}: loud")
    terminal.enter("/clear")
    terminal.enter("after")
    assert "loud" not in terminal.shows(f"{ada.name}: after").splitlines()[:24]


def test_an_interrupted_session_and_a_damaged_file_cost_nothing(people: dict[str, Person]) -> None:
    day_one(people, "five")
    ada = people["ada"]
    for damaged in ("{", "[]", json.dumps({ada.server.address: {ada.name: {"group": 5, "read": [1], "muted": 7}}})):
        (ada.state / "reading.json").write_text(damaged)
        ada.sit_down().shows(f"{ada.name} [five]>")
        ada.stand_up()
    assert ada.read()["five"] >= 2


def test_a_search_is_of_the_texts_with_the_user_it_begins_with() -> None:
    assert (
        History.of("@bob tea  at five", "wob")
        == History.of("@bob   tea  at five", None)
        == History("@bob", "tea  at five")
    )
    for word in ("tea", "@bob", "bob tea", "@b@b tea", "@ tea"):
        assert History.of(word, "wob") == History("wob", word)
        assert History.of(word, None) is None


def test_two_sessions_keep_the_further_one() -> None:
    one, two = Reading("a", {"a": 5, "b": 1}), Reading("b", {"a": 3, "b": 4, "c": 2})
    assert one.content(two) == {"group": "a", "read": {"a": 5, "b": 4, "c": 2}, "muted": []}
    assert Reading.of({"group": 1, "read": {"a": -1, "b": True, "c": 7}, "muted": [1, "x"]}) == Reading(
        "", {"c": 7}, ["x"]
    )


def test_lines_are_lines_and_wide_letters_fit(people: dict[str, Person]) -> None:
    day_one(people, "six")
    ada, bo = people["ada"], people["bo"]
    terminal = ada.sit_down(columns=50)
    terminal.type("premier", "M-Enter")
    terminal.type("second", "Enter")
    terminal.shows(f"{ada.name}: premier\n      second\n")
    bo.pipe(f"bg;six;{' '.join(['漢字かな'] * 12)}")
    screen = terminal.shows("かな\n")
    rows = [row for row in screen.splitlines() if "漢字" in row]
    assert all(row.startswith("      ") for row in rows[1:])
    assert all(row.endswith("かな") for row in rows)
    assert sum(row.count("漢字かな") for row in rows) == 12


@pytest.mark.parametrize(("how", "sent"), [("bell", b"\a"), ("desktop", b"\x1b]9;tchat: seven, ")])
def test_a_mention_is_told_in_the_way_that_was_asked_for(people: dict[str, Person], how: str, sent: bytes) -> None:
    ada, bo = people["ada"], people["bo"]
    bo.pipe(f"cg;{how}", f"cg;{how}-other")
    ada.pipe(f"j;{how}", f"j;{how}-other")
    terminal = ada.sit_down("--notify", how)
    told = ada.directory / "told"
    terminal.tmux("pipe-pane", f"cat > {told}")
    bo.pipe(f"bg;{how};nothing for you")
    terminal.shows("nothing for you")
    assert sent.replace(b"seven", how.encode()) not in told.read_bytes()
    bo.pipe(f"bg;{how};you, {ada.name}")
    terminal.shows(f"you, {ada.name}")
    bo.pipe(f"bg;{how};the end")
    terminal.shows("the end")
    assert sent.replace(b"seven", how.encode()) in told.read_bytes()
