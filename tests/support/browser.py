"""A real Chromium for the tests of the page, headless and on loopback only, and what people do in it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from live import ROOT, Server
from playwright.sync_api import Browser, BrowserType, Page, expect, sync_playwright

AXE = ROOT / "tests" / "page" / "node_modules" / "axe-core" / "axe.min.js"
MILLISECONDS = 15_000
IS_NEEDED = bool(os.environ.get("TCHAT_NEEDS_BROWSER"))
"""Set by .ci/run: what is missing is a failure there, not a reason to skip."""

_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--force-prefers-reduced-motion"),
)


def chromium() -> str:
    """Return where Chromium is; without it, skip with the one line that says how to get it."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    _lack("THE PAGE IS NOT TESTED: there is no Chromium here (Debian, Ubuntu: apt install chromium)")
    raise AssertionError


def axe() -> str:
    """Return the source of the accessibility checker."""
    if not AXE.exists():
        _lack("ACCESSIBILITY IS NOT TESTED: axe-core is not installed (npm install --prefix tests/page)")
    return AXE.read_text("utf-8")


def _lack(text: str) -> None:
    if IS_NEEDED:
        pytest.fail(text)
    pytest.skip(text)


@contextmanager
def browsing() -> Iterator[Browser]:
    """Run a browser that sees nothing but this machine."""
    chromium()
    with sync_playwright() as playwright, launched(playwright.chromium) as browser:
        yield browser


@contextmanager
def launched(kind: BrowserType, *more: str) -> Iterator[Browser]:
    """Run one more browser, with processes of its own. *more*: arguments besides those that all have."""
    browser = kind.launch(executable_path=chromium(), args=[*_ARGUMENTS, *more])
    try:
        yield browser
    finally:
        browser.close()


class Person:
    """Somebody with a browser of their own.

    Attributes:
        problems: what the page threw, or wrote to the console as an error.
    """

    def __init__(self, browser: Browser, server: Server, *, scheme: str = "http", **options: Any) -> None:
        defaults = {"viewport": {"width": 1200, "height": 760}, "locale": "en-GB", "timezone_id": "UTC"}
        self.context = browser.new_context(**{**defaults, **options})
        self.context.set_default_timeout(MILLISECONDS)
        self.address = f"{scheme}://127.0.0.1:{server.port}/"
        self.problems: list[str] = []
        self.page = self.tab()

    def tab(self, *, script: str = "") -> Page:
        """Open the page once more; *script* runs before it."""
        page = self.context.new_page()
        page.add_init_script(script)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", self._console)
        page.goto(self.address)
        return page

    def _console(self, message: Any) -> None:
        away = ("ERR_CONNECTION", "ERR_SOCKET_NOT_CONNECTED", "WebSocket")  # no fault of the page
        if message.type == "error" and not any(word in message.text for word in away):
            self.problems.append(message.text)

    def enter(self, name: str, password: str = "") -> None:
        """Come in under a name."""
        self.page.fill("#name", name)
        self.page.fill("#password", password)
        self.page.press("#password", "Enter")
        expect(self.page.locator("#chat")).to_be_visible(timeout=MILLISECONDS)

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        self.page.fill("#text", line)
        self.page.press("#text", "Enter")
        expect(self.page.locator("#text")).to_have_value("", timeout=MILLISECONDS)

    def sees(self, text: str, times: int = 1, *, within: int = MILLISECONDS) -> None:
        """Wait until the log shows *text* so many times."""
        expect(self.page.locator("#log .line").filter(has_text=text)).to_have_count(times, timeout=within)

    def is_in(self, name: str) -> None:
        """Wait until *name* is the conversation that is open."""
        expect(self.page.locator("#title")).to_have_text(name, timeout=MILLISECONDS)

    def opens(self, name: str) -> None:
        """Choose a conversation."""
        if self.page.locator("#menu").is_visible():
            self.page.click("#menu")
        self.page.click(f"#list button:has(span:text-is('{name}'))")
        self.is_in(name)

    def findings(self) -> list[str]:
        """Return what the accessibility checker finds."""
        self.page.evaluate(axe())
        found = self.page.evaluate("axe.run()")
        return [
            f"{it['id']}: {node['html'][:100]}: {node['failureSummary']}"
            for it in found["violations"]
            for node in it["nodes"]
        ]

    def close(self) -> None:
        self.context.close()
        assert self.problems == [], self.problems


@contextmanager
def asleep(browser: Browser) -> Iterator[None]:
    """Stop the processes that run a browser's pages, as a laptop does that is closed."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    pids = [process["id"] for process in found if process["type"] == "renderer"]
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
