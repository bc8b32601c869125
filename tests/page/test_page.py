"""The page in a real browser, against a real server: what people do with it, and what others try to do to them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from browser import MILLISECONDS, Person, asleep, browsing, chromium, launched
from certificates import fingerprint, secure
from live import ROOT, Client, Server, fresh, serving
from playwright.sync_api import Browser, expect
from serving import environment

from tchat_client.language import LANGUAGES
from tchat_client.page_words import PAGE as WORDS

PAGE = ROOT / "tchat_server" / "page"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as found:
        yield found


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = ("--broadcasts-per-second", "0", "--max-groups-created", "100")
    with serving(tmp_path_factory.mktemp("page"), *options) as found:
        yield found


@contextmanager
def people(browser: Browser, server: Server, *names: str, **options: Any) -> Iterator[list[Person]]:
    found = [Person(browser, server, **options) for _ in names]
    try:
        for person, name in zip(found, names, strict=True):
            person.enter(name)
        yield found
    finally:
        for person in found:
            person.close()


def group_of(owner: Client, *others: Client) -> str:
    """A group that is there already."""
    group = fresh("room")
    owner.ask(action="cgroupe", group=group)
    for other in others:
        other.ask(action="join", group=group)
        owner.get()
    return group


def test_two_people_and_a_terminal_talk(browser: Browser, server: Server, tmp_path: Path) -> None:
    ada, bob, group = fresh("ada"), fresh("bob"), fresh("wob")
    with people(browser, server, ada, bob) as (first, second):
        first.type(f"cg;{group}")
        first.is_in(group)
        second.type(f"/join {group}")
        second.is_in(group)
        command = [sys.executable, "-m", "tchat_client", f"127.0.0.1:{server.port}", "--name", fresh("cli"), "--plain"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment(tmp_path), cwd=ROOT
        ) as terminal:
            assert terminal.stdin is not None
            assert terminal.stdout is not None
            terminal.stdin.write(f"j;{group}\nbg;{group};salut de la ligne\n")
            terminal.stdin.flush()
            for person in (first, second):
                person.sees("salut de la ligne")
            first.type("two\nlines; and a semicolon")
            second.sees("two\nlines; and a semicolon")
            second.type(f"bg;{group};typed as a command")
            first.sees("typed as a command")
            while "typed as a command" not in (line := terminal.stdout.readline()):
                assert line, "it ended"
            terminal.stdin.close()
            terminal.wait(20)
        expect(first.page.locator("#people li")).to_have_count(3)
        first.page.click(f"#people button[aria-label='Write {bob}']")
        first.is_in(bob)
        first.type("only for you")
        expect(second.page).to_have_title(re.compile(r"^\(1\) "))
        second.opens(ada)
        second.sees("only for you")
        expect(second.page).to_have_title(re.compile(r"^(?!\()"))
        second.opens("Everybody")
        second.type("hello all of you")
        first.opens("Everybody")
        first.sees("hello all of you")


def test_a_mistyped_command_is_not_said(browser: Browser, server: Server) -> None:
    with server.client(fresh("x")) as other, people(browser, server, fresh("ada")) as (person,):
        group = group_of(other)
        person.type(f"j;{group}")
        other.get()
        for line, complaint in (
            ("memebrs;", "did you mean members;[group]?"),
            ("members", "for the command type members;[group]"),
            ("kick;;", "kick takes [group];user[;reason], for example kick;wob;bob;spam"),
            ("ban;;a b", "cannot be a user name"),
        ):
            person.page.fill("#text", line)
            person.page.press("#text", "Enter")
            person.sees(complaint)
            expect(person.page.locator("#text")).to_have_value(line)
        assert other.sync() == []


def test_commands_are_completed_and_explained(browser: Browser, server: Server) -> None:
    with server.client(fresh("zoe")) as other, people(browser, server, fresh("ada")) as (person,):
        group = group_of(other)
        person.type(f"j;{group}")
        person.is_in(group)
        person.page.locator("#text").press_sequentially("mem")
        expect(person.page.locator("#suggest li")).to_have_text([re.compile("members;")])
        person.page.press("#text", "Tab")
        expect(person.page.locator("#text")).to_have_value("members;")
        person.page.fill("#text", "")
        person.page.locator("#text").press_sequentially(f"invite;{group};{other.name[:3]}")
        person.page.fill("#text", "")
        person.page.locator("#text").press_sequentially("s;zo")
        person.page.press("#text", "Tab")
        expect(person.page.locator("#text")).to_have_value(re.compile(r"s;zoe.*;"))
        person.type("/help kick")
        person.sees("kick;[group];user[;reason]")
        person.page.press("#text", "ArrowUp")
        expect(person.page.locator("#text")).to_have_value("/help kick")


def test_what_is_typed_for_oneself(browser: Browser, server: Server) -> None:
    with server.client(fresh("bob")) as bob, people(browser, server, fresh("ada")) as (person,):
        group = group_of(bob)
        person.type(f"j;{group}")
        person.is_in(group)
        bob.get()
        person.type("/me waves")
        assert bob.get()["msg"] == "/me waves"
        person.sees(f"{person.page.locator('#me b').inner_text()} waves")
        person.type(f"/mute {bob.name}")
        bob.ask(action="gbroadcast", group=group, msg="not to be seen")
        bob.ask(action="gbroadcast", group=group, msg="nor this")
        person.type("mine")
        person.sees("mine")
        person.sees("not to be seen", times=0)
        person.type(f"/unmute {bob.name}")
        person.sees("not to be seen")
        person.page.fill("#text", f"kick {bob.name} {group}")
        person.page.press("#text", "Enter")
        person.sees("to say it type bg;;")
        person.page.fill("#text", "/search nor")
        person.page.press("#text", "Enter")
        expect(person.page.locator("#found")).to_have_text("1 found")
        person.page.keyboard.press("Escape")
        person.page.fill("#text", "")
        person.type("/clear")
        person.sees("mine", times=0)
        person.type("/more")
        person.sees("mine")
        person.type(f"/mute @{bob.name}")
        bob.ask(action="client-send", to=person.page.locator("#me b").inner_text(), msg="only for you")
        person.type(f"/more @{bob.name}")
        person.is_in(bob.name)
        person.type(f"/unmute {bob.name}")
        person.sees("only for you")
        person.type(f"/use {group}")
        person.is_in(group)
        person.page.fill("#text", f"/search @{bob.name} only")
        person.page.press("#text", "Enter")
        person.is_in(bob.name)
        expect(person.page.locator("#found")).to_have_text("1 found")


def test_invite_kick_ban_and_unban_with_the_mouse(browser: Browser, server: Server) -> None:
    owner_name, guest_name = fresh("owner"), fresh("guesty")
    with people(browser, server, owner_name, guest_name) as (owner, guest):
        group = fresh("club")
        owner.page.click("#create")
        owner.page.fill("dialog input[name=group]", group)
        owner.page.check("dialog input[name=private]")
        owner.page.click("#dialog-ok")
        owner.is_in(group)
        owner.page.click("#people h2 button")
        owner.page.fill("dialog input[name=dest]", guest_name)
        owner.page.click("#dialog-ok")
        guest.page.click(f"#list button[aria-label='Join {group}']")
        guest.is_in(group)
        guest.type("thanks")
        owner.sees("thanks")
        owner.page.click(f"#people button[aria-label='Kick {guest_name}']")
        owner.page.fill("dialog input[name=reason]", "only a test")
        owner.page.click("#dialog-ok")
        owner.sees(f"you kicked {guest_name}: only a test")
        guest.sees("kicked you from")
        owner.type(f"invite;;{guest_name}")
        guest.page.click(f"#list button[aria-label='Join {group}']")
        owner.page.click(f"#people button[aria-label='Ban {guest_name}']")
        owner.page.click("#dialog-ok")
        guest.sees("banned you from")
        guest.type(f"j;{group}")
        guest.sees("you are banned from")
        owner.page.click(f"#people button[aria-label='Unban {guest_name}']")
        owner.sees("you unbanned")
        owner.page.click("#people > button")
        owner.page.click("#dialog-ok")
        owner.is_in("Everybody")


def test_a_killed_server_costs_nothing(browser: Browser, tmp_path: Path) -> None:
    database = ("--db", str(tmp_path / "tchat.db"))
    with serving(tmp_path, *database) as before, people(browser, before, "ada") as (person,):
        port = before.port
        person.type("cg;wob")
        person.is_in("wob")
        person.type("before the crash")
        person.sees("before the crash")
        before.kill()
        expect(person.page.locator("#status")).to_have_class("off")
        person.page.fill("#text", "while it is away")
        person.page.press("#text", "Enter")
        person.sees("Not sent")
        expect(person.page.locator("#text")).to_have_value("while it is away")
        with serving(tmp_path, *database, "--listen", f"127.0.0.1:{port}") as after, Client(after.port) as bob:
            bob.hello("bob")
            bob.ask(action="join", group="wob")
            for number in range(150):
                bob.ask(action="gbroadcast", group="wob", msg=f"missed number {number}.")
            expect(person.page.locator("#status")).to_have_text("online", timeout=40_000)
            person.sees("missed number 149.")
            person.sees("missed number", times=150)
            person.sees("before the crash")
            person.page.press("#text", "Enter")
            person.sees("while it is away")
            assert bob.until("gbroadcast")[-1]["msg"] == "while it is away"


def test_a_protected_name_comes_back_by_itself_and_a_new_tab_asks_for_the_password(
    browser: Browser, tmp_path: Path
) -> None:
    database = ("--db", str(tmp_path / "tchat.db"))
    with serving(tmp_path, *database) as before, people(browser, before, "ada") as (person,):
        person.type("cg;wob")
        person.type("register;correct horse")
        person.sees("is protected by your password")
        before.kill()
        with serving(tmp_path, *database, "--listen", f"127.0.0.1:{before.port}") as after:
            expect(person.page.locator("#status")).to_have_text("online", timeout=40_000)
            person.type("still here")
            person.sees("still here")
            other = person.tab()  # it comes in with the token
            expect(other.locator("#status")).to_have_text("online")
            after.kill()
        with serving(tmp_path, *database, "--listen", f"127.0.0.1:{before.port}"):
            person.page.reload()
            expect(person.page.locator("#refused")).to_contain_text("the name ada is protected by a password")
            expect(person.page.locator("#name")).to_have_value("ada")
            expect(person.page.locator("#password")).to_be_focused()
            person.page.keyboard.type("correct horse")
            person.page.keyboard.press("Enter")
            person.sees("still here")
            person.page = other
            expect(other.locator("#refused")).to_contain_text("is protected", timeout=40_000)
            person.enter("ada", "correct horse")
            person.opens("wob")  # by the button that stands there since before
            person.type("the same groups, anew")
            person.sees("the same groups, anew")


def test_a_tab_that_sleeps_costs_its_buffer_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    with (
        launched(browser.browser_type) as own,  # all its pages are stopped
        serving(tmp_path, "--max-out-bytes", "100000") as server,
        people(own, server, "ada") as (person,),
        server.client("bob") as bob,
    ):
        group = group_of(bob)
        person.type(f"j;{group}")
        person.is_in(group)
        bob.get()
        before, sent = server.rss_kib(), 0
        with asleep(own):
            while "does not read" not in server.log() and sent < 4_000:
                for _ in range(50):
                    bob.ask(action="gbroadcast", group=group, msg=f"number {sent}. " + "z " * 4_000)
                    sent += 1
            assert server.logs("does not read")
            assert server.rss_kib() - before < 3 * 8 * sent + 20_000  # the group's own history, and little else
            bob.ask(action="gbroadcast", group=group, msg="are you still there?")
        person.sees("are you still there?", within=60_000)
        shown = person.page.evaluate("() => document.querySelectorAll('#log .line.text').length")
        assert shown == sent + 1


def test_a_server_that_says_nothing_is_not_waited_for_without_end(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        person = Person(browser, server)
        tries: list[Any] = []
        person.page.on("websocket", lambda socket: tries.append(socket))
        clock = person.page.clock
        clock.install()
        person.page.reload()
        person.enter("ada")
        os.kill(server.pid, signal.SIGSTOP)  # its machine answers, and nobody else
        clock.fast_forward(6_000)
        person.page.evaluate("() => dispatchEvent(new Event('online'))")  # from another network, perhaps
        for seconds in (15, 30):  # it asks whether anybody is there, and tries anew; it gives that try up
            before = len(tries)
            for _ in range(seconds):
                clock.fast_forward(1_000)
            assert len(tries) > before
        os.kill(server.pid, signal.SIGCONT)
        for _ in range(40):
            clock.fast_forward(1_000)
        expect(person.page.locator("#status")).to_have_text("online")
        person.close()


def test_texts_are_not_confirmed_until_the_server_has_them(browser: Browser, tmp_path: Path) -> None:
    database = ("--db", str(tmp_path / "tchat.db"))
    with serving(tmp_path, *database) as server, people(browser, server, "ada") as (person,):
        person.type("cg;wob")
        person.is_in("wob")
        late = person.page.locator("#late > div")
        os.kill(server.pid, signal.SIGSTOP)
        person.type("is anybody there?")
        expect(late).to_have_text([re.compile("is anybody there.*not confirmed yet")], timeout=MILLISECONDS)
        assert person.page.locator("#log .line.text").count() == 0
        os.kill(server.pid, signal.SIGCONT)
        person.sees("is anybody there?")
        expect(late).to_have_count(0)
        os.kill(server.pid, signal.SIGSTOP)
        person.type("cg;pub")
        person.page.fill("#text", "who is here?")
        person.page.press("#text", "Enter")
        os.kill(server.pid, signal.SIGCONT)
        person.is_in("pub")
        person.sees("who is here?")  # there, and not where one was
        os.kill(server.pid, signal.SIGSTOP)
        person.type("and now?")
        server.kill()
        expect(late).to_contain_text("no answer")
        with serving(tmp_path, *database, "--listen", f"127.0.0.1:{server.port}"):
            expect(person.page.locator("#status")).to_have_text("online", timeout=40_000)
            person.page.click("#late button")
            person.sees("and now?")
            expect(late).to_have_count(0)


def test_a_reload_keeps_direct_texts_and_the_line_of_each_conversation(browser: Browser, server: Server) -> None:
    with server.client(fresh("bob")) as bob, people(browser, server, fresh("ada")) as (person,):
        name = person.page.locator("#me b").inner_text()
        group = fresh("room")
        person.type(f"cg;{group}")
        person.is_in(group)
        bob.ask(action="client-send", to=name, msg="between us")
        person.page.fill("#text", "half a line")
        person.opens(bob.name)
        expect(person.page.locator("#text")).to_have_value("")
        person.opens(group)
        expect(person.page.locator("#text")).to_have_value("half a line")
        person.page.reload()
        person.is_in(group)
        person.opens(bob.name)
        person.sees("between us")


def test_what_waited_comes_once_and_is_read_again_on_another_machine(browser: Browser, server: Server) -> None:
    with server.client(fresh("bob")) as away:
        bob = away.name
        away.ask(action="register", password="two")
    with server.client(fresh("ada")) as ada:
        for text in ("tea at five?", "bring cake"):
            assert ada.ask(action="client-send", to=bob, msg=text)["kept"]
        for is_back in (False, True):
            person = Person(browser, server)
            person.page.fill("#name", bob)
            person.page.fill("#password", "two")
            person.page.press("#password", "Enter")
            if not is_back:
                assert ada.get()["action"] == "server-received"
                person.opens(ada.name)
            else:
                ada.ask(action="client-send", to=bob, msg="live")
                person.opens(ada.name)
                person.sees("live")
            for text in ("tea at five?", "bring cake"):
                expect(person.page.locator("#log").get_by_text(text)).to_have_count(1)
            if not is_back:
                person.page.reload()
                person.opens(ada.name)
                expect(person.page.locator("#log").get_by_text("tea at five?")).to_have_count(1)
            person.close()


def test_what_is_unread_is_counted_when_one_comes_back_and_read_in_all_tabs(browser: Browser, server: Server) -> None:
    with server.client(fresh("bob")) as bob, people(browser, server, fresh("ada")) as (person,):
        name = person.page.locator("#me b").inner_text()
        first, second = group_of(bob), group_of(bob)
        for group in (first, second):
            person.type(f"j;{group}")
            person.is_in(group)
            bob.get()
        person.page.evaluate(
            f"() => localStorage.setItem('tchat.read.{name}.#{first}', 9999)"
        )  # of a former server here
        person.page.reload()
        person.is_in(second)
        person.page.close()
        for text in ("one", f"two, {name}?", "three"):
            bob.ask(action="gbroadcast", group=first, msg=text)
        with server.client(fresh("carol")) as carol:
            carol.ask(action="join", group=first)  # no text
        person.page, other = person.tab(), person.tab()
        for page in (person.page, other):
            expect(page.locator("#title")).to_have_text(second)
            expect(page.locator("#list .badge")).to_have_text(["@1", "3"])
        person.opens(first)
        assert person.page.locator("#log .rule.new + .line").inner_text().endswith("one")
        expect(other.locator("#list .badge")).to_have_count(0)


SPY = """
const Real = Notification;
window.told = [];
window.Notification = class extends Real {
  constructor(title, about) {
    if (window.isPhone) throw new TypeError("Illegal constructor");
    super(title, about);
    told.push([title, about.body]);
  }
};
"""


def test_a_mention_is_notified_when_nobody_looks(browser: Browser, server: Server) -> None:
    with server.client(fresh("bob")) as bob:
        person = Person(browser, server)
        person.context.grant_permissions(["notifications"])
        person.page.close()
        person.page = person.tab(script=SPY)
        name = fresh("ada")
        person.enter(name)
        expect(person.page.locator("#notify")).to_have_text("Notifications are on")
        group = group_of(bob)
        person.type(f"j;{group}")
        person.is_in(group)
        bob.get()
        bob.ask(action="gbroadcast", group=group, msg=f"{name}: seen, so nothing is told")
        person.sees("seen, so")
        person.opens("Everybody")
        bob.ask(action="gbroadcast", group=group, msg="nobody is named")
        bob.ask(action="gbroadcast", group=group, msg=f"{name}, come")
        bob.ask(action="client-send", to=name, msg="for you")
        person.page.wait_for_function("() => told.length > 1")
        assert person.page.evaluate("() => told") == [[f"{bob.name} · {group}", f"{name}, come"], [bob.name, "for you"]]
        person.page.evaluate("() => { window.isPhone = true; }")  # Android lets a page ask, and not do it
        bob.ask(action="client-send", to=name, msg="and you again")
        expect(person.page.locator("#notify")).to_have_text("The browser does not allow notifications")
        expect(person.page).to_have_title(re.compile(r"^\(4\) "))
        person.close()


def test_a_server_that_is_away_is_waited_for_at_the_door(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        person = Person(browser, first)
        expect(person.page.locator("#guest")).to_have_text("As a guest")
        first.kill()
        for name in ("ada", "eve"):
            person.page.fill("#name", name)
            person.page.press("#name", "Enter")
            expect(person.page.locator("#refused [role=timer]")).to_contain_text("Next try")  # not told each second
            expect(person.page.locator("#refused")).to_contain_text("No connection.")
        with serving(tmp_path, "--listen", f"127.0.0.1:{first.port}") as second, second.client("bob") as bob:
            expect(person.page.locator("#chat")).to_be_visible(timeout=40_000)
            assert bob.ask(action="client-list-clients")["list"] == ["bob", "eve"]
        person.close()


def test_sentences_that_did_not_come_are_asked_for_again(browser: Browser, server: Server) -> None:
    person = Person(browser, server)
    person.page.route("**/words.en.js", lambda route: route.abort("connectionrefused"), times=1)
    person.page.reload()
    expect(person.page.locator("#guest")).to_have_text("As a guest")
    person.close()


def test_a_browser_that_keeps_nothing_is_enough(browser: Browser, server: Server) -> None:
    person = Person(browser, server)
    person.page.close()
    refuse = "for (const name of ['localStorage', 'sessionStorage'])"
    refuse += " Object.defineProperty(window, name, { get() { throw new DOMException('no', 'SecurityError'); } });"
    person.page = person.tab(script=refuse)
    person.enter(fresh("ada"))
    person.type(f"cg;{fresh('room')}")
    person.sees("you created")
    person.close()


def test_two_tabs_and_a_terminal_are_one_user(browser: Browser, server: Server) -> None:
    name = fresh("ada")
    with people(browser, server, name) as (person,):
        group = fresh("room")
        person.type(f"cg;{group}")
        person.is_in(group)
        person.type("register;correct horse")
        person.sees("is protected by your password")
        other = person.tab()
        expect(other.locator("#title")).to_have_text(group)
        with server.client() as terminal:
            terminal.hello(name, password="correct horse")
            terminal.ask(action="gbroadcast", group=group, msg="from the terminal")
            for page in (person.page, other):
                expect(page.locator("#log .line.mine").filter(has_text="from the terminal")).to_have_count(1)
            other.fill("#text", "from the second tab")
            other.press("#text", "Enter")
            assert terminal.get()["msg"] == "from the second tab"
            person.sees("from the second tab")


def test_who_logs_out_leaves_nothing_to_come_in_with(browser: Browser, server: Server) -> None:
    with people(browser, server, fresh("ada")) as (person,):
        name = person.page.locator("#me b").inner_text()
        person.type("register;correct horse")
        person.sees("is protected by your password")
        with server.client(fresh("bob")) as bob:
            bob.ask(action="client-send", to=name, msg="between us")
            expect(person.page.locator("#list button", has_text=bob.name)).to_be_visible()
        person.page.click("#me")
        person.page.click("#leave-all")
        expect(person.page.locator("#name")).to_be_visible(timeout=MILLISECONDS)
        person.page.fill("#name", name)
        person.page.press("#name", "Enter")
        expect(person.page.locator("#refused")).to_contain_text("protected by a password")
        person.enter(name, "correct horse")
        person.type("ls;")
        person.sees("connected:")
        expect(person.page.locator("#list button", has_text=bob.name)).to_have_count(0)


def choose_password(person: Person, *, new: str, again: str = "", **asked: str) -> None:
    """Fill the dialog in and send it."""
    for name, value in {**asked, "password": new, "again": again or new}.items():
        person.page.fill(f"#dialog input[name={name}]", value)
    person.page.click("#dialog-ok")


def ask_for(person: Person, name: str, value: str) -> None:
    """Answer the one thing that the server wants besides."""
    expect(person.page.locator("#dialog input")).to_have_count(1)
    person.page.fill(f"#dialog input[name={name}]", value)
    person.page.press(f"#dialog input[name={name}]", "Enter")


def test_a_password_is_changed_in_the_dialog(browser: Browser, server: Server) -> None:
    name = fresh("ada")
    with people(browser, server, name) as (person,):
        person.page.click("#me")
        person.page.click("#protect")
        choose_password(person, new="one", again="two")
        assert not person.page.evaluate("document.querySelector('#dialog input[name=again]').validity.valid")
        choose_password(person, new="one")
        person.sees(f"the name {name} is protected by your password now")
        person.page.click("#protect")  # this tab knows that there is one
        choose_password(person, new="three", old="two")
        person.sees("register: wrong password")
        person.page.click("#protect")
        choose_password(person, new="two", old="one")
        person.sees(f"the name {name} is protected by your password now", 2)
        person.page.reload()  # it comes in with its token, and knows none
        person.is_in("Everybody")
        person.page.click("#me")
        person.page.click("#protect")
        choose_password(person, new="three")
        expect(person.page.locator("#dialog-title")).to_contain_text("to change it give the old one too")
        ask_for(person, "old", "two")
        person.sees(f"the name {name} is protected by your password now")
        person.page.click("#show-wire")
        expect(person.page.locator("#objects")).to_contain_text('"old":"***"')
        with server.client() as terminal:
            assert terminal.ask(action="client-hello", **{"from": name}, password="two")["code"] == "auth-failed"
            terminal.hello(name, password="three")


def test_where_a_code_is_needed_the_page_asks_for_it(browser: Browser, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tchat_server", "invite-code", str(tmp_path / "tchat.db")]
    with (
        serving(tmp_path, "--db", command[-1], "--registration", "invite") as server,
        people(browser, server, "ada", "bob") as (ada, bob),
    ):
        code = subprocess.run(command, capture_output=True, text=True, check=True, env=environment(tmp_path)).stdout
        for person in (ada, bob):
            person.type("register;correct horse")
            expect(person.page.locator("#dialog-title")).to_contain_text("with an invitation code of the operator's")
            ask_for(person, "invitation", code.strip())
        ada.sees("the name ada is protected by your password now")
        bob.sees("register: a name gets a password here with an invitation code")


def test_a_name_in_use_a_wrong_password_and_a_guest(browser: Browser, server: Server) -> None:
    with server.client(fresh("held")) as other:
        person = Person(browser, server)
        person.page.fill("#name", "a b")
        person.page.press("#name", "Enter")
        expect(person.page.locator("#refused")).to_contain_text("1 to 32 letters")
        person.page.fill("#name", other.name)
        person.page.press("#name", "Enter")
        expect(person.page.locator("#refused")).to_contain_text("in use")
        person.page.fill("#password", "guess")
        person.page.press("#password", "Enter")
        expect(person.page.locator("#refused")).to_contain_text("wrong password")
        person.page.click("#guest")
        expect(person.page.locator("#me b")).to_have_text(re.compile(r"^guest-\d+$"))
        person.page.click("#me")
        expect(person.page.locator("#leave-all")).to_be_visible()
        expect(person.page.locator("#protect")).to_be_hidden()
        person.type("register;correct horse")
        person.sees("a guest has no name to protect: log out, and come in with one")
        person.close()


CONNECTIONS = """() => performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))
  .filter((it) => it.connectEnd > it.connectStart).length"""


def test_over_tls_it_is_the_same_page(browser: Browser, tmp_path: Path) -> None:
    options = secure(tmp_path)
    # one that ignores faults of certificates fails at each handshake first, and gives a file up after 32 of them
    trusts = f"--ignore-certificate-errors-spki-list={fingerprint(tmp_path / 'cert.pem')}"
    patient = "import tchat_server.net.web as web; web._NEXT_REQUEST_SECONDS = 60"
    with serving(tmp_path, *options, prelude=patient) as server, launched(browser.browser_type, trusts) as own:
        person = Person(own, server, scheme="https")
        expect(person.page.locator("#guest")).to_have_text("As a guest")
        assert person.page.evaluate(CONNECTIONS) <= 10  # of 26 files
        person.enter("ada")
        person.type("cg;wob")
        person.is_in("wob")
        person.type("nobody on the way reads this")
        person.sees("nobody on the way reads this")
        person.close()
        assert "no TLS handshake" not in server.log()


def test_five_thousand_texts_are_read_upwards_and_searched(browser: Browser, server: Server) -> None:
    with server.client(fresh("writer")) as writer:
        group = group_of(writer)
        lines = [{"action": "gbroadcast", "group": group, "msg": f"text number {n}."} for n in range(5_000)]
        writer_end = threading.Thread(target=lambda: [writer.get() for _ in lines])
        writer_end.start()
        writer.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        writer_end.join(60)
        with people(browser, server, fresh("reader")) as (person,):
            person.type(f"j;{group}")
            person.sees("text number 4999.")
            person.opens("Everybody")
            writer.ask(action="gbroadcast", group=group, msg="one unread")
            expect(person.page.locator("#list .badge")).to_have_text(["1"])
            person.opens(group)
            person.sees("one unread")
            person.page.evaluate("() => { document.querySelector('#log .line:last-child').dataset.old = 'yes'; }")
            assert person.page.locator("#log .line").count() < 500, "more is read than is looked at"
            top = "text number 4500."
            while not person.page.locator("#log .line").filter(has_text=top).count():
                person.page.evaluate("() => document.getElementById('log').scrollTo(0, 0)")
                person.page.wait_for_timeout(20)
            newest = person.page.locator("#log .line").filter(has_text="text number 4999.")
            assert newest.count() == 1
            assert person.page.locator("#log .line[data-old]").count() == 1  # not all is drawn again for each page
            person.page.click("#find")
            person.page.fill("#needle", "number 17.")
            expect(person.page.locator("#found")).to_have_text("0 found")
            person.page.click("#further")
            expect(person.page.locator("#found")).to_have_text("1 found", timeout=60_000)
            expect(person.page.locator(".line.hit")).to_contain_text("text number 17.")
            person.page.click("#down")
            writer.ask(action="gbroadcast", group=group, msg="live again")
            expect(person.page.locator("#log .line").last).to_contain_text("live again")
            expect(person.page.locator("#log .line")).to_have_count(3_000)  # what is far above is let go
            assert person.page.locator("#log .line[data-old]").count() == 1
            expect(person.page.locator("#log .rule")).to_have_count(2)  # of the day, and of what was new
            assert person.page.locator("#log .rule + .line").first.locator("b").count() == 1


@pytest.mark.alone
def test_two_hundred_texts_a_second_arrive_while_one_types(browser: Browser, server: Server) -> None:
    with server.client(fresh("drone")) as flood, people(browser, server, fresh("typist")) as (person,):
        group = group_of(flood)
        person.type(f"j;{group}")
        person.is_in(group)
        flood.get()
        began, sent, enough = time.monotonic(), 0, threading.Event()

        def talk() -> None:
            nonlocal sent
            while not enough.wait(max(0.0, began + sent / 200 - time.monotonic())):
                flood.send(action="gbroadcast", group=group, msg=f"flood {sent}.")
                sent += 1

        talker = threading.Thread(target=talk)
        talker.start()
        took = []
        words = "the quick brown fox jumps over the lazy dog " * 2
        person.page.focus("#text")
        for letter in words:
            pressed = time.monotonic()
            person.page.keyboard.type(letter)
            took.append(time.monotonic() - pressed)
            person.page.wait_for_timeout(20)
        enough.set()
        talker.join()
        assert sent > 190 * (time.monotonic() - began) > 200, "not so many were sent"
        assert person.page.locator("#text").input_value() == words
        person.page.press("#text", "Enter")
        person.sees(words.strip())
        person.sees("flood ", times=sent)
        assert sorted(took)[len(took) // 2] < 0.1, sorted(took)


def test_history_is_read_on_as_fast_as_the_server_lets_one(browser: Browser, tmp_path: Path) -> None:
    database = ("--db", str(tmp_path / "tchat.db"))
    with serving(tmp_path, *database) as fast, fast.client("bob") as bob:
        bob.ask(action="cgroupe", group="wob")
        for number in range(1_000):
            bob.send(action="gbroadcast", group="wob", msg=f"text number {number}.")
        for _ in range(1_000):
            bob.get()
    with (
        serving(tmp_path, *database, "--rate", "3", "--request-burst", "6") as slow,
        people(browser, slow, "ada") as (person,),
    ):
        person.type("j;wob")
        person.sees("text number 999.")
        person.page.click("#find")
        person.page.fill("#needle", "number 17.")
        person.page.click("#further")
        expect(person.page.locator("#found")).to_have_text("1 found", timeout=60_000)
        person.sees("text number 17.")
        person.page.click("#show-wire")
        expect(person.page.locator("#objects li").filter(has_text='"code":"rate-limited"')).not_to_have_count(0)


def test_what_is_below_is_unread_until_one_gets_there(browser: Browser, server: Server) -> None:
    with server.client(fresh("bob")) as bob, people(browser, server, fresh("ada")) as (person,):
        group = group_of(bob)
        person.type(f"j;{group}")
        person.is_in(group)
        bob.get()
        for number in range(60):
            bob.ask(action="gbroadcast", group=group, msg=f"number {number}.")
        person.sees("number 59.")
        person.page.fill("#text", "a long text\n" * 7)
        person.page.press("#text", "x")
        for text in ("while one writes", "and goes on writing"):
            bob.ask(action="gbroadcast", group=group, msg=text)
            expect(person.page.locator("#log .line").last).to_have_text(re.compile(f"{text}$"))
            expect(person.page.locator("#log .line").last).to_be_in_viewport()
        person.page.fill("#text", "")
        log = person.page.locator("#log")
        log.evaluate("(it) => it.scrollTo(0, 0)")
        expect(person.page.locator("#down")).to_be_visible()
        bob.ask(action="gbroadcast", group=group, msg="far below")
        expect(person.page.locator("#down")).to_contain_text("(1)")
        expect(person.page).to_have_title(re.compile(r"^\(1\) "))
        assert log.evaluate("(it) => it.scrollTop") < 300
        person.page.fill("#text", "a long text\n" * 9)
        person.page.click("#down")  # it is above what is written
        expect(person.page).to_have_title(re.compile(r"^(?!\()"))
        expect(person.page.locator("#down")).to_be_hidden()
        person.type("mine brings me to the end")
        person.sees("mine brings me")


def test_a_large_group_is_shown_in_part(browser: Browser, server: Server) -> None:
    with server.client(fresh("owner")) as owner, people(browser, server, fresh("ada")) as (person,):
        group = group_of(owner)
        for _ in range(340):
            with Client(server.port) as member:
                member.hello(fresh("m"))
                member.ask(action="join", group=group)
        person.type(f"j;{group}")
        person.is_in(group)
        expect(person.page.locator("#people h2")).to_contain_text("(342)", timeout=MILLISECONDS)
        expect(person.page.locator("#people li")).to_have_count(301)
        assert (
            person.page.locator("#people li").first.inner_text().endswith(("you", "owner"))
        )  # who is there comes first
        expect(person.page.locator("#people li").last).to_have_text("and 42 more")


def test_whoever_is_connected_is_listed_beside_everybody(browser: Browser, server: Server) -> None:
    with server.client(fresh("bob")) as bob, people(browser, server, fresh("ada")) as (person,):
        name = person.page.locator("#me b").inner_text()
        expect(person.page.locator("#people h2")).to_contain_text("Connected")
        for each in (name, bob.name):
            expect(person.page.locator("#people li").filter(has_text=each)).to_have_count(1)
        person.page.click(f"#people button[aria-label='Write {bob.name}']")
        person.is_in(bob.name)
        expect(person.page.locator("#people")).to_be_hidden()


def test_what_is_asked_is_checked_before_it_is_sent(browser: Browser, server: Server) -> None:
    with server.client(fresh("bob")) as bob, people(browser, server, fresh("ada")) as (person,):
        group = fresh("room")
        for opens, field, right, wrong in (
            ("#create", "group", group, "'a b' cannot be a group name: 1 to 64 letters"),
            ("#people h2 button", "dest", bob.name, "'a b' cannot be a user name: 1 to 32 letters"),
        ):
            person.page.click(opens)
            proposed = person.page.locator("#proposals option").evaluate_all("(all) => all.map((it) => it.value)")
            assert (bob.name in proposed) == (field == "dest")
            asked = person.page.locator(f"dialog input[name={field}]")
            asked.fill("a b")
            person.page.keyboard.press("Enter")
            assert wrong in asked.evaluate("(it) => it.validationMessage")
            asked.fill(right)
            person.page.keyboard.press("Enter")
            expect(asked).to_be_hidden()
            person.is_in(group)
        person.sees("you invited")


def test_an_answer_is_in_sight_and_new_is_said_once(browser: Browser, server: Server) -> None:
    with server.client(fresh("bob")) as bob, people(browser, server, fresh("ada")) as (person,):
        group = group_of(bob)
        person.type(f"j;{group}")
        person.is_in(group)
        bob.get()
        person.opens("Everybody")
        for number in range(60):
            bob.ask(action="gbroadcast", group=group, msg=f"number {number}.")
        person.opens(group)
        expect(person.page.locator("#log .rule.new")).to_be_in_viewport()
        person.type("ping;")
        answer = person.page.locator("#log .line").filter(has_text=re.compile(r"round trip \d+ ms, tchat-server"))
        expect(answer).to_be_in_viewport()
        bob.ask(action="gbroadcast", group=group, msg="the last one")
        person.sees("the last one")
        expect(person.page.locator("#log .rule.new")).to_have_count(1)


def test_who_was_kicked_is_told_and_may_join_again(browser: Browser, server: Server) -> None:
    with server.client(fresh("bob")) as bob, people(browser, server, fresh("ada")) as (person,):
        group = group_of(bob)
        person.type(f"j;{group}")
        person.is_in(group)
        bob.get()
        bob.ask(action="kick", group=group, dest=person.page.locator("#me b").inner_text())
        expect(person.page.locator("#people")).to_contain_text(f"you are no longer in {group}")
        person.page.click(f"#people button[aria-label='Join {group}']")
        expect(person.page.locator("#people h2")).to_contain_text("Members (2)")


def test_a_search_begins_where_one_reads_and_goes_both_ways(browser: Browser, server: Server) -> None:
    with server.client(fresh("bob")) as bob, people(browser, server, fresh("ada")) as (person,):
        group = group_of(bob)
        person.type(f"j;{group}")
        person.is_in(group)
        bob.get()
        for number in range(90):
            bob.ask(action="gbroadcast", group=group, msg=f"text number {number}.")
        person.sees("text number 89.")
        log, hit = person.page.locator("#log"), person.page.locator(".line.hit")
        log.evaluate("(it) => it.scrollTo(0, it.scrollHeight / 2)")
        before = log.evaluate("(it) => it.scrollTop")
        person.page.click("#find")
        person.page.locator("#needle").press_sequentially("text number x")
        expect(person.page.locator("#found")).to_have_text("0 found")
        assert abs(log.evaluate("(it) => it.scrollTop") - before) < 700  # what was read is still in sight
        person.page.fill("#needle", "number 8")
        expect(hit).to_contain_text("number 8.")
        person.page.click("#following")
        expect(hit).to_contain_text("number 80.")
        person.page.click("#previous")
        expect(hit).to_contain_text("number 8.")
        person.page.click("#previous")
        expect(hit).to_contain_text("number 89.")
        person.opens("Everybody")  # of whose texts nothing is found
        expect(person.page.locator("#search")).to_be_hidden()


def test_a_phone_shows_that_something_came_elsewhere(browser: Browser, server: Server) -> None:
    phone = {"width": 360, "height": 640}
    with (
        server.client(fresh("bob")) as bob,
        people(browser, server, fresh("zoé"), viewport=phone, locale="fr-FR") as (person,),
    ):
        menu = person.page.locator("#menu")
        expect(menu).not_to_have_class(re.compile("unread"))
        person.page.click("#menu")
        name = person.page.locator("#me b").inner_text()
        person.page.click("#menu")
        bob.ask(action="client-send", to=name, msg="psst")
        expect(menu).to_have_attribute("aria-label", "Groupes et personnes, 1 non lu")
        expect(menu).to_have_class(re.compile("unread"))
        person.opens(bob.name)
        expect(menu).not_to_have_class(re.compile("unread"))
        bob.ask(action="invite", group=group_of(bob), dest=name)
        expect(menu).to_have_class(re.compile("unread"))


def test_days_are_written_as_the_person_s_region_does(browser: Browser, server: Server) -> None:
    with people(browser, server, fresh("ada")) as (person,):  # en-GB
        person.type("ls;")
        expect(person.page.locator("#log .rule").first).to_have_text(re.compile(r"\w+, \d+ \w+ \d{4}"))


MARKUP = (
    "<img src=x onerror=\"document.title='pwned'\">",
    "<script>document.title='pwned'</script>",
    "javascript:alert(1) [a](javascript:alert(1)) data:text/html,<script>alert(1)</script>",
    'https://example.org/"onmouseover="alert(1)',
    "{{7*7}} ${7*7} <b>bold</b> &lt;i&gt; &amp;",
    "\u202egnp.exe \u200b\u2066hidden\u2069 \x07bell",
)


def test_what_tries_to_be_markup_is_text(browser: Browser, server: Server) -> None:
    with server.client(fresh("eve")) as eve, people(browser, server, fresh("jean-luc_2")) as (person,):
        group = group_of(eve)
        person.type(f"j;{group}")
        eve.get()
        for text in MARKUP:
            eve.ask(action="gbroadcast", group=group, msg=text)
        name = person.page.locator("#me b").inner_text()
        eve.ask(action="client-send", to=name, msg=MARKUP[0])
        eve.ask(action="ban", group=group, dest=fresh("nobody"), reason=MARKUP[0])
        eve.ask(action="gbroadcast", group=group, msg=f"(@{name.upper()})")
        person.sees("<script>document.title='pwned'</script>")
        expect(person.page.locator(".line.mention")).to_have_count(1)
        person.sees("<b>bold</b> &lt;i&gt; &amp;")
        person.sees("banned")
        log = person.page.locator("#log")
        assert log.locator("img, script, b:text-is('bold')").count() == 0
        links = [link.get_attribute("href") or "" for link in log.locator("a").all()]
        assert links == ["https://example.org/"]
        shown = log.inner_text()
        assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\x07]", shown)
        assert "pwned" not in person.page.title()


def test_a_link_is_a_link_and_cannot_reach_back(browser: Browser, server: Server) -> None:
    with people(browser, server, fresh("ada")) as (person,):
        person.type(f"cg;{fresh('links')}")
        person.sees("you created")
        person.type("see https://example.org/a_(b)?c=d&e=é, (http://x.example/y). and ftp://no.example")
        person.type("'https://fr.example/L'Aigle' is quoted")
        links = person.page.locator("#log a")
        expect(links).to_have_count(3)
        assert [link.inner_text() for link in links.all()] == [
            "https://example.org/a_(b)?c=d&e=é",
            "http://x.example/y",
            "https://fr.example/L'Aigle",
        ]
        assert {link.get_attribute("rel") for link in links.all()} == {"noopener noreferrer"}


def test_in_french(browser: Browser, server: Server) -> None:
    with people(browser, server, fresh("zoé"), locale="fr-FR") as (person,):
        assert person.page.locator("html").get_attribute("lang") == "fr"
        group = fresh("salon")
        person.type(f"cg;{group}")
        person.sees(f"vous avez créé {group}")
        expect(person.page.locator("#people h2")).to_contain_text("Membres")
        person.page.fill("#text", "memebrs;")
        person.page.press("#text", "Enter")
        person.sees("vouliez-vous dire members;[groupe] ?")
        person.page.click("#me")
        person.page.click("#find")
        person.page.click("#show-wire")
        said = person.page.evaluate(
            "() => [...document.querySelectorAll('body, body *')].flatMap((it) =>"
            " [it.children.length ? '' : it.textContent, it.ariaLabel, it.title, it.placeholder])"
        )
        assert "Se déconnecter" in said
        english = {english for english, french in WORDS.values() if english != french}
        assert english & set(said) == set()
        person.page.select_option("#self select", "en")
        person.sees(f"you created {group}")
        expect(person.page.locator("#people h2")).to_contain_text("Members")
        expect(person.page.locator("#status")).to_have_text("online")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_checker_of_accessibility_finds_nothing(browser: Browser, server: Server, scheme: str) -> None:
    with server.client(fresh("bob")) as bob, server.client(fresh("eve")) as eve, server.client(fresh("zoe")) as zoe:
        person = Person(browser, server, color_scheme=scheme)
        page = person.page
        assert person.findings() == []
        name, group = fresh("ada"), fresh("room")
        person.enter(name)
        person.type(f"cg;{group}")
        person.is_in(group)
        for other in (bob, eve):
            other.ask(action="join", group=group)
        for text in (f"hello {name}", "see https://example.org/", "two\nlines"):
            bob.ask(action="gbroadcast", group=group, msg=text)
        zoe.ask(action="client-send", to=name, msg="unread")
        for line in ("mine", f"ban;;{eve.name};why", f"invite;;{zoe.name}", "/help"):
            person.type(line)
        page.fill("#text", "nonsense;")
        page.press("#text", "Enter")
        person.sees("unknown command")
        expect(page.locator("#people h2")).to_have_count(3)
        assert person.findings() == []
        for opens in ("#me", "#others summary", "#find", "#show-wire"):
            page.click(opens)
            page.fill("#text", "/m")
            page.press("#text", "ArrowDown")
            assert person.findings() == [], opens
        page.emulate_media(forced_colors="active")
        for chosen in ("#suggest [aria-selected=true]", "#list [aria-current=true]"):
            expect(page.locator(chosen)).to_have_css("outline-style", "solid")  # a background shows nothing there
        expect(page.locator("#people .dot.on").first).to_have_css("forced-color-adjust", "none")
        page.emulate_media(forced_colors="none")
        page.click("#show-wire")
        page.hover("#people li:first-child")
        assert person.findings() == []
        page.click("#create")
        assert person.findings() == []
        page.keyboard.press("Escape")
        person.close()


def test_with_the_keyboard_alone(browser: Browser, server: Server) -> None:
    with server.client(fresh("bob")) as bob:
        group = group_of(bob)
        person = Person(browser, server)
        keys = person.page.keyboard
        expect(person.page.locator("#name")).to_be_focused(timeout=MILLISECONDS)
        keys.type(fresh("ada"))
        keys.press("Enter")
        expect(person.page.locator("#text")).to_be_focused(timeout=MILLISECONDS)
        keys.type(f"/join {group}")
        keys.press("Enter")
        person.is_in(group)
        keys.type("first")
        keys.press("Shift+Enter")
        keys.type("second")
        keys.press("Enter")
        person.sees("first\nsecond")
        reached = set()
        for _ in range(40):
            keys.press("Tab")
            reached.add(focused(person))
        assert {"find", "show-wire", "create", "me", "log", "text", f"Write {bob.name}"} <= reached, reached
        person.page.focus("#create")
        keys.press("Enter")
        keys.type(fresh("keys"))
        keys.press("Enter")
        person.sees("you created")
        keys.press("Alt+ArrowUp")
        person.is_in("Everybody")
        keys.type(f"/use {group}")
        keys.press("Enter")
        person.is_in(group)
        bob.ask(action="leave", group=group)  # she is the owner now
        bob.ask(action="join", group=group)
        kick = f"Kick {bob.name}"
        person.page.get_by_role("button", name=kick).wait_for(state="attached")
        while focused(person) != kick:
            keys.press("Tab")
        keys.press("Enter")
        keys.type("with the keyboard")
        keys.press("Enter")
        person.sees(f"you kicked {bob.name}: with the keyboard")
        person.page.focus("#show-wire")
        keys.press("Enter")
        expect(person.page.locator("#wire")).to_be_visible()
        keys.press("Escape")
        expect(person.page.locator("#wire")).to_be_hidden()
        person.close()


def focused(person: Person) -> str:
    return str(person.page.evaluate("() => document.activeElement.id || document.activeElement.ariaLabel"))


def test_at_360_pixels(browser: Browser, server: Server) -> None:
    with (
        server.client(fresh("bob")) as bob,
        people(
            browser, server, fresh("phone"), viewport={"width": 360, "height": 640}, has_touch=True, is_mobile=True
        ) as (person,),
    ):
        group = group_of(bob)
        person.type(f"j;{group}")
        bob.get()
        bob.ask(action="gbroadcast", group=group, msg="x" * 300 + " https://example.org/" + "y" * 200)
        person.sees("example.org")
        for button in ("menu", "show-people", "show-wire", "show-wire"):
            person.page.tap(f"#{button}")
            wide = person.page.evaluate("() => document.documentElement.scrollWidth")
            assert wide <= 360, button
        expect(person.page.locator("#text")).to_be_visible()
        person.page.tap("#menu")
        person.page.tap("#list button:has(span:text-is('Everybody'))")
        person.is_in("Everybody")
        assert person.findings() == []


def test_the_log_is_announced_and_has_a_name(browser: Browser, server: Server) -> None:
    with people(browser, server, fresh("ada")) as (person,):
        group = fresh("room")
        person.type(f"cg;{group}")
        log = person.page.get_by_role("log", name=f"Messages of {group}")
        expect(log).to_have_attribute("aria-live", "polite")


def test_unread_texts_are_counted_and_found_again(browser: Browser, server: Server) -> None:
    name = fresh("ada")
    with server.client(fresh("bob")) as bob, people(browser, server, name) as (person,):
        group = group_of(bob)
        person.type(f"j;{group}")
        bob.get()
        bob.ask(action="gbroadcast", group=group, msg="seen")
        person.sees("seen")
        person.opens("Everybody")
        for text in ("one", f"two, @{name}", "three"):
            bob.ask(action="gbroadcast", group=group, msg=text)
        expect(person.page.locator("#list .badge")).to_have_text(["@1", "3"])
        expect(person.page).to_have_title(re.compile(r"^\(3\) "))
        person.opens(group)
        assert person.page.locator("#log .rule.new + .line").inner_text().endswith("one")
        expect(person.page.locator("#log .line.mention")).to_have_count(1)
        expect(person.page).to_have_title(re.compile(r"^(?!\()"))
        person.page.reload()
        person.is_in(group)
        person.sees("three")


def test_the_wire_shows_every_object_and_sends_one_s_own(browser: Browser, server: Server) -> None:
    with people(browser, server, fresh("ada")) as (person,):
        person.page.click("#show-wire")
        objects = person.page.locator("#objects li")
        expect(objects.filter(has_text='"action":"client-hello"').first).to_be_visible()
        expect(objects.filter(has_text='"token":"***"').first).to_be_visible()
        person.page.fill("#object", '{"action":"kick"')
        expect(person.page.locator("#object-fault")).to_contain_text("that is no JSON object")
        person.page.fill("#object", '{"action":"kick","group":"wob"}')
        expect(person.page.locator("#object-fault")).to_contain_text("bad-request dest")
        person.type("s;nobody.there;hello?")
        answer = objects.filter(has_text='"code":"user-not-found"')
        expect(answer.locator("small")).to_contain_text(
            re.compile(r"answers client-send, after \d+ ms · nobody\.there is not here")
        )
        person.page.fill("#object", '{"action":"ping","id":"mine"}')
        expect(person.page.locator("#object-fault")).to_have_text("")
        person.page.press("#object", "Enter")
        expect(objects.filter(has_text='"msg":"pong from')).to_have_count(1)
        person.page.fill("#object", '{"action": "register", "password" : "not to be seen"}')
        person.page.press("#object", "Enter")
        expect(objects.filter(has_text='"password" : "***"')).to_have_count(1)


def test_another_s_page_imports_the_brain_and_talks(browser: Browser, tmp_path: Path) -> None:
    example = re.findall(r"```html\n(.*?)```", (ROOT / "docs" / "page.md").read_text("utf-8"), re.DOTALL)[0]
    assert len(example.splitlines()) <= 20
    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as elsewhere:
        threading.Thread(target=elsewhere.serve_forever).start()
        origin = f"http://127.0.0.1:{elsewhere.server_port}"
        with serving(tmp_path, "--allow-origin", origin) as server, server.client("bob") as bob:
            bob.ask(action="cgroupe", group="wob")
            (tmp_path / "mine.html").write_text(example.replace("127.0.0.1:8080", f"127.0.0.1:{server.port}"))
            page = browser.new_page()
            page.goto(f"{origin}/mine.html")
            assert bob.get()["action"] == "join"
            bob.ask(action="gbroadcast", group="wob", msg="<b>hello</b> page")
            expect(page.locator("pre")).to_contain_text("bob: <b>hello</b> page")
            page.close()
        elsewhere.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...


@pytest.mark.alone
def test_it_is_usable_within_a_second_and_small(browser: Browser, server: Server) -> None:
    person = Person(browser, server)
    expect(person.page.locator("#enter button").first).to_have_text("Enter")
    loaded = person.page.evaluate(
        "() => performance.getEntriesByType('navigation').concat(performance.getEntriesByType('resource'))"
        ".map((it) => [new URL(it.name).pathname, it.transferSize, it.decodedBodySize, it.responseEnd / 1000])"
    )
    paths, sent, unpacked, ends = zip(*loaded, strict=True)
    others = {f"/words.{code}.js" for code in LANGUAGES if code != "en"}
    assert {*paths} >= {f"/{path.name}" for path in PAGE.glob("*.js")} - others
    assert not {*paths} & others
    assert max(ends) < 1.0
    assert sum(sent) < 59_500  # a twelfth of it are the heads
    assert sum(unpacked) < 144_000
    person.close()


def test_without_a_browser_one_line_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-m", "pytest", "tests/page/test_page.py", "-k", "french or apart"]
    variables = {**os.environ, "PATH": str(tmp_path), "TCHAT_NEEDS_BROWSER": ""}
    skipped = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=variables, timeout=60)
    assert skipped.returncode == 0, skipped.stdout
    assert skipped.stdout.count("THE PAGE IS NOT TESTED") == 1
    assert "apt install chromium" in skipped.stdout
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("browser.IS_NEEDED", True)
    with pytest.raises(pytest.fail.Exception, match="THE PAGE IS NOT TESTED"):
        chromium()
