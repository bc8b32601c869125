"""What the server counts, and the text a Prometheus scraper reads."""

from __future__ import annotations

from collections import Counter

from attrs import Factory, define, field, fields

__all__ = ["Metrics", "exposed"]


def _counted(help: str) -> int:
    number: int = field(default=0, metadata={"type": "counter", "help": help})
    return number


def _measured(help: str) -> float:
    number: float = field(default=0.0, metadata={"type": "gauge", "help": help})
    return number


@define
class Metrics:
    """Plain numbers, written by the event loop and read by whoever asks."""

    connections_total: int = _counted("Connections accepted.")
    accept_failures_total: int = _counted("Times none could be accepted, for want of file descriptors.")
    frames_in_total: int = _counted("Requests and violations received.")
    appends_total: int = _counted("Appends to the log, each one or more events.")
    append_seconds_total: float = _measured("Seconds spent waiting for the log.")
    append_failures_total: int = _counted("Appends of which some part failed.")
    deliveries_total: int = _counted("Messages handed to peers.")
    peers: float = _measured("Connections now.")
    users: float = _measured("Users who are connected now.")
    groups: float = _measured("Groups that are loaded now: those of who was here since the start, or lately.")
    handshakes: float = _measured("TLS handshakes under way now.")
    backlog: float = _measured("Events and answers that wait for the log now.")
    not_read: float = _measured("Peers that are not read from now, because too much waits.")
    loop_lag_seconds: float = _measured("How late the event loop last was.")
    loop_lag_max_seconds: float = _measured("How late the event loop was at worst.")
    errors: Counter[str] = Factory(Counter)
    closed: Counter[str] = Factory(Counter)

    def text(self) -> str:
        """Return all numbers in Prometheus' text format."""
        lines: list[str] = []
        for it in fields(type(self)):
            if "help" in it.metadata:
                lines += exposed(f"tchat_{it.name}", *it.metadata.values(), f" {getattr(self, it.name)}")
        for name, label, help, counts in (
            ("tchat_errors_total", "code", "Errors sent, by code.", self.errors),
            ("tchat_closed_total", "cause", "Connections closed, by cause.", self.closed),
        ):
            samples = (f'{{{label}="{value}"}} {count}' for value, count in sorted(counts.copy().items()))
            lines += exposed(name, "counter", help, *samples)
        return "\n".join(lines) + "\n"


def exposed(name: str, kind: str, help: str, *samples: str) -> list[str]:
    """Return the lines of one metric in Prometheus' text format: *samples* are what follows its name, one a line."""
    return [f"# HELP {name} {help}", f"# TYPE {name} {kind}", *(f"{name}{sample}" for sample in samples)]
