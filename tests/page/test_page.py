"""The page in a real browser, against a real server: what people do with it, and what others try to do to them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browser import MILLISECONDS, Person, browsing
from live import ROOT, Client, Server, fresh, serving
from playwright.sync_api import Browser, expect
from serving import environment

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


# ---- talking


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
            while "typed as a command" not in terminal.stdout.readline():
                pass
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
        expect(person.page.locator("#suggest button")).to_have_text([re.compile("members;")])
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


# ---- moderation


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


# ---- connections that go


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


def test_a_tab_that_sleeps_costs_its_buffer_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    with (
        serving(tmp_path, "--max-out-bytes", "100000") as server,
        people(browser, server, "ada") as (person,),
        server.client("bob") as bob,
    ):
        group = group_of(bob)
        person.type(f"j;{group}")
        bob.get()
        session = person.context.new_cdp_session(person.page)
        session.send("Network.enable")
        session.send(
            "Network.emulateNetworkConditions",
            {"offline": True, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
        )
        person.page.evaluate("() => { const end = Date.now() + 2500; while (Date.now() < end); }")
        for number in range(120):
            bob.ask(action="gbroadcast", group=group, msg=f"number {number}. " + "x" * 2000)
        session.send(
            "Network.emulateNetworkConditions",
            {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1},
        )
        person.sees("number 119.")
        person.sees("number ", times=120)


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
        expect(person.page.locator("#me")).to_have_text(re.compile(r"^guest-\d+$"))
        person.close()


# ---- much


def test_five_thousand_texts_are_read_upwards_and_searched(browser: Browser, server: Server) -> None:
    with server.client(fresh("writer")) as writer:
        group = group_of(writer)
        lines = [{"action": "gbroadcast", "group": group, "msg": f"text number {n}."} for n in range(5_000)]
        writer_end = threading.Thread(target=lambda: [writer.get() for _ in lines])
        writer_end.start()
        writer.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        writer_end.join(60)
        with people(browser, server, fresh("reader")) as (person,):
            began = time.monotonic()
            person.type(f"j;{group}")
            person.sees("text number 4999.")
            assert time.monotonic() - began < 3
            top = "text number 4500."
            while not person.page.locator("#log .line").filter(has_text=top).count():
                person.page.evaluate("() => document.getElementById('log').scrollTo(0, 0)")
                person.page.wait_for_timeout(20)
            newest = person.page.locator("#log .line").filter(has_text="text number 4999.")
            assert newest.count() == 1
            person.page.click("#find")
            person.page.fill("#needle", "number 17.")
            expect(person.page.locator("#found")).to_have_text("0 found")
            person.page.click("#further")
            expect(person.page.locator("#found")).to_have_text("1 found", timeout=60_000)
            expect(person.page.locator(".line.hit")).to_contain_text("text number 17.")


def test_two_hundred_texts_a_second_arrive_while_one_types(browser: Browser, server: Server) -> None:
    with server.client(fresh("flood")) as flood, people(browser, server, fresh("typist")) as (person,):
        group = group_of(flood)
        person.type(f"j;{group}")
        flood.get()
        stop = threading.Event()
        sent = 0

        def talk() -> None:
            nonlocal sent
            while not stop.is_set():
                for _ in range(10):
                    flood.send(action="gbroadcast", group=group, msg=f"flood {sent}.")
                    sent += 1
                for _ in range(10):
                    flood.get()
                time.sleep(0.05)

        talker = threading.Thread(target=talk)
        talker.start()
        took = []
        words = "the quick brown fox jumps over the lazy dog"
        person.page.focus("#text")
        for letter in words:
            began = time.monotonic()
            person.page.keyboard.type(letter)
            took.append(time.monotonic() - began)
        expect(person.page.locator("#text")).to_have_value(words)
        person.page.press("#text", "Enter")
        stop.set()
        talker.join()
        person.sees(words)
        person.sees(f"flood {sent - 1}.")
        assert sorted(took)[len(took) // 2] < 0.2, took
        assert sent > 20


# ---- what others try


MARKUP = (
    "<img src=x onerror=\"document.title='pwned'\">",
    "<script>document.title='pwned'</script>",
    "javascript:alert(1) [a](javascript:alert(1)) data:text/html,<script>alert(1)</script>",
    'https://example.org/"onmouseover="alert(1)',
    "{{7*7}} ${7*7} <b>bold</b> &lt;i&gt; &amp;",
    "\u202egnp.exe \u200b\u2066hidden\u2069 \x07bell",
)


def test_what_tries_to_be_markup_is_text(browser: Browser, server: Server) -> None:
    with server.client(fresh("eve")) as eve, people(browser, server, fresh("ada")) as (person,):
        group = group_of(eve)
        person.type(f"j;{group}")
        eve.get()
        for text in MARKUP:
            eve.ask(action="gbroadcast", group=group, msg=text)
        eve.ask(action="client-send", to=person.page.locator("#me").inner_text(), msg=MARKUP[0])
        eve.ask(action="ban", group=group, dest=fresh("nobody"), reason=MARKUP[0])
        person.sees("<script>document.title='pwned'</script>")
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
        person.type("see https://example.org/a_(b)?c=d&e=é, (http://x.example/y). and ftp://no.example")
        links = person.page.locator("#log a")
        expect(links).to_have_count(2)
        assert [link.inner_text() for link in links.all()] == [
            "https://example.org/a_(b)?c=d&e=é",
            "http://x.example/y",
        ]
        assert {link.get_attribute("rel") for link in links.all()} == {"noopener noreferrer"}


# ---- for everybody


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
        english = [it.inner_text() for it in person.page.locator("button:visible").all()]
        assert not {"Send", "Create a group", "Leave"} & set(english)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_finding_on_any_part_of_the_page(browser: Browser, server: Server, scheme: str) -> None:
    person = Person(browser, server, color_scheme=scheme)
    assert person.findings() == []
    with server.client(fresh("bob")) as bob:
        name = fresh("ada")
        person.enter(name)
        group = group_of(bob)
        person.type(f"j;{group}")
        bob.get()
        for text in (f"hello {name}", "see https://example.org/", "two\nlines"):
            bob.ask(action="gbroadcast", group=group, msg=text)
        person.type("mine")
        person.page.fill("#text", "nonsense;")
        person.page.press("#text", "Enter")
        person.sees("unknown command")
        assert person.findings() == []
        person.page.fill("#text", "mem")
        person.page.click("#show-wire")
        person.page.click("#find")
        assert person.findings() == []
        person.page.click("#create")
        assert person.findings() == []
        person.page.keyboard.press("Escape")
        bob.ask(action="leave", group=group)
        person.sees("left")
    person.close()


def test_with_the_keyboard_alone(browser: Browser, server: Server) -> None:
    with server.client(fresh("bob")) as bob:
        group = group_of(bob)
        person = Person(browser, server)
        keys = person.page.keyboard
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
            reached.add(person.page.evaluate("() => document.activeElement.id || document.activeElement.ariaLabel"))
        assert {"find", "show-wire", "create", "log", "text", f"Write {bob.name}"} <= reached, reached
        person.page.focus("#create")
        keys.press("Enter")
        keys.type(fresh("keys"))
        keys.press("Enter")
        person.sees("you created")
        person.close()


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
        expect(person.page.locator("#list .badge")).to_have_text("@1")
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
        expect(objects.filter(has_text='"action":"client-hello"')).to_have_count(1)
        expect(objects.filter(has_text='"token":"***"')).to_have_count(1)
        person.page.fill("#object", '{"action":"kick","group":"wob"}')
        expect(person.page.locator("#object-fault")).to_contain_text("bad-request dest")
        person.page.fill("#object", '{"action":"ping","id":"mine"}')
        expect(person.page.locator("#object-fault")).to_have_text("")
        person.page.click("#own button")
        expect(objects.filter(has_text='"msg":"pong from')).to_have_count(1)


def test_it_is_usable_within_a_second_and_small(browser: Browser, server: Server) -> None:
    person = Person(browser, server)
    seconds = person.page.evaluate(
        "() => performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd / 1000"
    )
    assert seconds < 1.0
    sent = person.page.evaluate(
        "() => performance.getEntriesByType('resource').reduce((sum, it) => sum + it.transferSize, 0)"
    )
    assert sent < 80 * 1024
    person.close()
