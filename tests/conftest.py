"""What holds for all tests: none depends on how fast the machine is, and what was not tested is said loudly."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once why tests were skipped."""
    reports = terminalreporter.stats.get("skipped", [])
    for reason in sorted({str(report.longrepr[2]) for report in reports if isinstance(report.longrepr, tuple)}):
        terminalreporter.write_line(reason.removeprefix("Skipped: "), yellow=True, bold=True)
