"""What the server writes about itself: log lines as text or JSON, and `--trace`. Never raw bytes of a peer.

Whatever comes from the network is escaped here, so no line can be forged and no terminal be driven.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import Counter
from typing import Literal

from libtchat.rate import Buckets

__all__ = ["FloodGate", "LogFormat", "set_up_logging", "trace"]

LogFormat = Literal["text", "json"]


def set_up_logging(level: str, format: LogFormat) -> None:
    """Send log records of *level* and above to standard error, one line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if format == "json" else _TextFormatter())
    handler.addFilter(FloodGate())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def trace(address: str, direction: str, data: bytes) -> None:
    """Print what went over the wire, one line per message. *direction*: "<" from the peer, ">" to it."""
    for line in data.decode("utf-8", "backslashreplace").splitlines():
        print(f"{address} {direction} {_escape(line)}", file=sys.stderr)


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
        }
        if record.exc_info is not None:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def _escape(text: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
