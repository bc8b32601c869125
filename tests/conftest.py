"""What holds for all tests: none depends on how fast the machine is, and what was not tested is said loudly.

And a fixture that many use.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from libtchat.wire import strict_json

signal.signal(signal.SIGINT, signal.default_int_handler)  # a run in the background ignores Ctrl-C: our programs do not
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once why tests were skipped."""
    reports = terminalreporter.stats.get("skipped", [])
    for reason in sorted({str(report.longrepr[2]) for report in reports if isinstance(report.longrepr, tuple)}):
        terminalreporter.write_line(reason.removeprefix("Skipped: "), yellow=True, bold=True)


@pytest.fixture
def usage_stays_english(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep click as it is: it would be French for the rest of this process, the tests after these too."""
    for package in ("tchat_client", "tchat_server"):
        monkeypatch.setattr(f"{package}.usage.speak_french", lambda group: None)


@pytest.fixture(params=["orjson", "stdlib"])
def backend(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have the test run with either JSON library."""
    before = strict_json.backend()
    strict_json.use_backend(request.param)
    yield
    strict_json.use_backend(before)
