"""docs/embed.md and docs/testing.md are true: their programs run as they are shown, and so do the web examples."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from browser import MILLISECONDS, browsing
from live import ROOT, Client
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

SECONDS = 60
PAGES = {name: (ROOT / "docs" / f"{name}.md").read_text("utf-8") for name in ("embed", "testing")}
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

NAMED = re.compile(r"(?:# |<!-- )(\w+\.(?:py|html))(?: -->)?\n")

# What is no program of its own: it stands in an example that is run, or was done already.
FRAGMENTS = {"aiohttp": "async with chat.peer(user) as peer:", "installing": "pip install libtchat\n"}


def files(page: str) -> dict[str, str]:
    """Return the programs of a page by the names their first lines give them."""
    blocks = [text for _, text in BLOCK.findall(PAGES[page])]
    return {name[1]: text for text in blocks if (name := NAMED.match(text)) is not None}


def outputs(page: str) -> list[str]:
    """Return what the page says its programs print."""
    return [text for language, text in BLOCK.findall(PAGES[page]) if language == "text"]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for page in PAGES:
        for name, text in files(page).items():
            (tmp_path / name).write_text(text)
    return tmp_path


def run(directory: Path, *command: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", *command], cwd=directory, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


@contextmanager
def serving(directory: Path, *command: str) -> Iterator[int]:
    """Run a web application, and yield the port it says it is on; it must end in good order."""
    with subprocess.Popen(
        [sys.executable, "-u", *command], cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        try:
            lines = []
            while (found := re.search(r"http://127\.0\.0\.1:(\d+)", lines[-1] if lines else "")) is None:
                lines.append(process.stdout.readline())
                assert lines[-1], lines
            yield int(found[1])
        finally:
            process.terminate()
            rest = process.communicate(timeout=SECONDS)[0]
        assert "Traceback" not in rest, rest


def ask(port: int, method: str, path: str) -> tuple[int, dict[str, object], str]:
    """Return the status of an answer, its JSON and the cookie it sets."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
    connection.request(method, path)
    answer = connection.getresponse()
    text, cookie = answer.read().decode(), answer.headers.get("set-cookie", "")
    connection.close()
    return answer.status, json.loads(text) if text.startswith(("{", "[")) else {"text": text}, cookie


def tab(port: int, cookie: str) -> ClientConnection:
    headers = {"Cookie": cookie.partition(";")[0]}
    return connect(f"ws://127.0.0.1:{port}/chat", additional_headers=headers, subprotocols=["tchat.1"])  # type: ignore[list-item]


def say(socket: ClientConnection, **message: object) -> dict[str, object]:
    """Send a request, and return the next message that is no presence notice."""
    socket.send(json.dumps(message))
    while (answer := json.loads(socket.recv(SECONDS))).get("event") in ("connect", "disconnect"):
        pass
    return dict(answer)


def test_every_block_is_run_or_is_output() -> None:
    programs = {*files("embed"), *files("testing")}
    assert {"clock.py", "app.py", "moderated.py", "audited.py", "test_bot.py", "test_audited.py"} <= programs
    for page, text in PAGES.items():
        for language, block in BLOCK.findall(text):
            is_program = NAMED.match(block) is not None or language == "text"
            is_start = language == "sh" and block.split()[-1].partition(":")[0].removesuffix(".py") + ".py" in programs
            assert is_program or is_start or any(block.startswith(it) for it in FRAGMENTS.values()), (page, block)


def test_the_fragment_is_what_the_example_does() -> None:
    (fragment,) = (text for _, text in BLOCK.findall(PAGES["embed"]) if text.startswith(FRAGMENTS["aiohttp"]))
    example = (ROOT / "examples" / "web_aiohttp.py").read_text("utf-8").replace("request.app[CHAT]", "chat")
    assert fragment in example.replace("\n    ", "\n")


def test_the_links_lead_somewhere() -> None:
    for page, text in PAGES.items():
        anchors = {
            re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-")
            for other in PAGES.values()
            for title in re.findall(r"^#+ (.*)$", other, re.MULTILINE)
        }
        for link in re.findall(r"\]\(([^)]+)\)", text):
            path, _, anchor = link.partition("#")
            assert not path or (ROOT / "docs" / path).exists(), (page, link)
            assert not anchor or anchor in anchors, (page, link)


def test_the_clock_tells_the_time(directory: Path) -> None:
    printed = run(directory, "clock.py")
    run(directory, "clock.py")
    assert re.sub(r":\d+\n", ":1\n", printed) == re.sub(r":\d+\n", ":1\n", outputs("embed")[0])


@pytest.mark.parametrize(("program", "number"), [("moderated.py", 1), ("audited.py", 2), ("threaded.py", 3)])
def test_a_program_prints_what_is_shown(directory: Path, program: str, number: int) -> None:
    assert run(directory, program) == outputs("embed")[number]
    run(directory, program)  # what it made is there already


def test_the_application_serves_those_whose_cookie_it_knows(directory: Path) -> None:
    with serving(directory, "-m", "uvicorn", "app:app", "--port", "0") as port:
        with pytest.raises(InvalidStatus), tab(port, "session=wrong"):
            pass
        with tab(port, "session=5Jx0m1Qy7v") as alice, tab(port, "session=Gk2c9rTtZ8") as bob:
            welcome = say(alice, action="client-hello")
            assert (welcome["from"], welcome["token"]) == ("alice", "")
            assert say(alice, action="cgroupe", group="wob")["seq"] == 1
            assert say(bob, action="join", group="wob")["seq"] == 2
            assert ask(port, "GET", "/online")[1] == ["alice", "bob"]
            assert say(alice, action="client-quit")["action"] == "join"
    assert (directory / "chat.db").exists()


def test_the_page_is_a_chat(directory: Path) -> None:
    with browsing() as browser, serving(directory, "-m", "uvicorn", "app:app", "--port", "0") as port:
        pages = []
        for session in ("5Jx0m1Qy7v", "Gk2c9rTtZ8"):
            context = browser.new_context()
            context.set_default_timeout(MILLISECONDS)
            context.add_cookies([{"name": "session", "value": session, "url": f"http://127.0.0.1:{port}/"}])
            pages.append(context.new_page())
            pages[-1].goto(f"http://127.0.0.1:{port}/")
            pages[-1].wait_for_selector("text=joined lobby")
        alice, bob = pages
        alice.fill("#text", "<b>hello</b>")
        alice.press("#text", "Enter")
        bob.wait_for_selector("text=alice: <b>hello</b>")
        bob.reload()
        bob.wait_for_selector("text=alice: <b>hello</b>")


def test_the_tests_pass(directory: Path) -> None:
    tests = sorted(name for name in files("testing") if name.startswith("test_"))
    slow = "not guest and not every and not whatever"  # the contract in full is run on our own logs
    assert "failed" not in run(directory, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", slow, *tests)


@pytest.mark.parametrize("example", ["web_fastapi.py", "web_aiohttp.py"])
def test_a_web_application_carries_the_chat_of_its_users(example: str, tmp_path: Path) -> None:
    with ExitStack() as stack, serving(tmp_path, str(ROOT / "examples" / example), "0") as port:
        assert ask(port, "POST", "/login?name=two+words")[0] == 400
        with pytest.raises(InvalidStatus), tab(port, ""):
            pass
        cookies = {name: ask(port, "POST", f"/login?name={name}")[2] for name in ("staff", "bob")}
        assert all("samesite=strict" in cookie.lower() for cookie in cookies.values())
        tabs = [stack.enter_context(tab(port, cookies["staff"])) for _ in range(9)]
        assert say(tabs[0], action="client-hello")["from"] == "staff"
        assert json.loads(tabs[8].recv(SECONDS))["code"] == "limit-reached"
        with pytest.raises(ConnectionClosed) as closed:
            tabs[8].recv(SECONDS)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1008
        assert say(tabs[0], action="cgroupe", group="wob")["seq"] == 1
        for one in tabs[1:]:
            one.close()
        with tab(port, cookies["bob"]) as bob:
            assert say(bob, action="join", group="wob")["seq"] == 2
            assert say(bob, action="gbroadcast", group="wob", msg="hi")["seq"] == 3
            assert say(bob, action="client-quit")["action"] == "server-quit"
            with pytest.raises(ConnectionClosed) as closed:
                bob.recv(SECONDS)
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1000
        assert ask(port, "GET", "/online")[1]["online"] == ["staff"]
        began = time.monotonic()
    assert time.monotonic() - began < SECONDS / 3  # a tab that stays does not hold the end up


def test_the_application_says_what_was_said_and_speaks_itself(tmp_path: Path) -> None:
    with serving(tmp_path, str(ROOT / "examples" / "web_fastapi.py"), "0") as port:
        with tab(port, ask(port, "POST", "/login?name=bob")[2]) as bob:
            assert say(bob, action="cgroupe", group="wob")["code"] == "forbidden"
        assert ask(port, "POST", "/deploy?group=wob")[0] == 404
        with tab(port, ask(port, "POST", "/login?name=staff")[2]) as staff:
            say(staff, action="cgroupe", group="wob")
            assert ask(port, "POST", "/deploy?group=wob")[1] == {"seq": 3}
        assert ask(port, "GET", "/online")[1]["heard"] == ["robot: deployed"]


def test_a_clock_of_the_program_s_own_talks_in_its_chat() -> None:
    with subprocess.Popen(
        [sys.executable, "-u", str(ROOT / "examples" / "embed_asyncio.py")], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().rpartition(":")[2])
            with Client(port) as bob:
                bob.hello("bob")
                while bob.ask(action="join", group="time")["action"] == "error":
                    time.sleep(0.01)  # it is about to make the group
                bob.send(action="msgs", group="time")
                *came, page = bob.until("msgs")
                texts = page["list"] or came or bob.until("gbroadcast")
                assert texts[0]["msg"] == "another hour is over"
        finally:
            process.terminate()
