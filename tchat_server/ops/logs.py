"""What the server writes about itself: log lines as text or JSON, and `--trace`. Never raw bytes of a peer.

Whatever comes from the network is escaped here, so no line can be forged and no terminal be driven. A thread of its
own writes: standard error that nobody reads holds up nobody, and lines are left out meanwhile.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Literal

from libtchat.rate import Buckets
from libtchat.wire.framing import FrameFault, Framer
from libtchat.wire.redaction import Redactor, redact
from tchat_server.ops.outlet import Outlet

__all__ = ["FloodGate", "LogFormat", "set_up_logging", "tracer"]

LogFormat = Literal["text", "json"]

_MAX_UNFINISHED = 1024

_FIELDS = ("user", "address", "cause", "operator", "act")
"""What a JSON line has beside its message, where a record says it."""


def set_up_logging(level: str, format: LogFormat, outlet: Outlet) -> None:
    """Send log records of *level* and above to *outlet*, one line each."""
    handler = logging.StreamHandler(outlet)
    handler.setFormatter(_JsonFormatter() if format == "json" else _TextFormatter())
    handler.addFilter(FloodGate())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def tracer(outlet: Outlet) -> Callable[[str, str, bytes], None]:
    """Return what writes to *outlet* what went over the wire, one line per message, without passwords and tokens.

    It takes the peer's address, "<" for what came from the peer or ">" for what went to it, and bytes; those from a
    peer may be cut anywhere, and what is unfinished waits for its end.
    """
    unfinished: OrderedDict[str, tuple[Framer, Redactor]] = OrderedDict()

    def trace(address: str, direction: str, data: bytes) -> None:
        if direction == ">":
            lines = redact(data.decode("utf-8", "backslashreplace"))
        else:
            framer, redactor = unfinished.pop(address) if address in unfinished else (Framer(), Redactor())
            has_ended = any(isinstance(frame, FrameFault) and frame.fatal for frame in framer.receive(data))
            is_unfinished = not (framer.may_begin or has_ended)
            lines = redactor.feed(data, is_mid_frame=is_unfinished)
            if is_unfinished:
                unfinished[address] = framer, redactor
                if len(unfinished) > _MAX_UNFINISHED:  # of those who went before the end
                    unfinished.popitem(last=False)
        for line in lines:
            outlet.write(f"{address} {direction} {_escape(line)}\n")

    return trace


class FloodGate(logging.Filter):
    """Lets 100 lines of one kind through at once, then 10 a second: no client can flood the log.

    How many of a kind were left out is told with the next one that passes.
    """

    def __init__(self) -> None:
        super().__init__()
        self._gates = Buckets(100, 10)
        self._left_out: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether *record* may pass."""
        kind = str(record.msg)
        if self._gates.take(kind, record.created):
            self._left_out[kind] += 1
            return False
        if left_out := self._left_out.pop(kind, 0):
            record.msg, record.args = f"{record.getMessage()} ({left_out} lines like this left out)", ()
        return True


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{at}Z {record.levelname.lower():7} {_escape(record.getMessage())}{self._cause(record)}"

    def _cause(self, record: logging.LogRecord) -> str:
        return "" if record.exc_info is None else "\n" + self.formatException(record.exc_info)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry = {
            "time": f"{at}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            **{name: value for name in _FIELDS if (value := getattr(record, name, None)) is not None},
        }
        if record.exc_info is not None:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def _escape(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
