"""The server under test: where it listens, whether it is alive, and the program behind it, if we started it."""

from __future__ import annotations

import secrets
import threading
import time
from typing import Optional, Sequence

from programs.program import HOST, Program
from talk.address import Address, connect
from talk.wire import Closed, Flood, Garbage, Peer, Silence, write
from words import say

__all__ = ["Target"]

RETURN_SECONDS = 3.0
AGAIN_SECONDS = 0.15
MOMENT_SECONDS = 0.1
MAX_STARTS = 30


class Target:
    """A server at one or several addresses, which are one to its users; `open` connects to them in turn."""

    def __init__(self, addresses: Sequence[Address], timeout_seconds: float, program: Optional[Program] = None) -> None:
        self.addresses = tuple(addresses)
        self.timeout_seconds = timeout_seconds
        self.program = program
        self.starts = 1
        self._lock = threading.Lock()

    @property
    def moment_seconds(self) -> float:
        """How long until all addresses know that a connection to one of them has gone (R-op-several)."""
        return MOMENT_SECONDS if len(self.addresses) > 1 else 0.0

    def open(self, at: int = 0) -> Peer:
        """Connect as peer number *at* of a case: the peers are spread over the addresses."""
        return connect(self.addresses[at % len(self.addresses)], self.timeout_seconds)

    def __str__(self) -> str:
        return " ".join(map(str, self.addresses))

    def illness(self) -> Optional[str]:
        """Say hello on a new connection to each address; return why the server is not alive, None if it is."""
        with self._lock:
            for at, address in enumerate(self.addresses):
                found = self._illness_of(at)
                if found:  # what is just ending still takes a connection
                    time.sleep(AGAIN_SECONDS)
                    found = self._illness_of(at)
                if found:
                    return "%s: %s" % (address, found) if len(self.addresses) > 1 else found
        return None

    def _illness_of(self, at: int) -> Optional[str]:
        try:
            peer = self.open(at)
        except OSError as error:
            return say("refuses", why=error.strerror or error)
        try:
            peer.send(write({"from": "probe-" + secrets.token_hex(3), "action": "client-hello"}))
            deadline = time.monotonic() + self.timeout_seconds
            while peer.next().message.get("action") == "server-broadcast":
                if time.monotonic() > deadline:
                    raise Flood(say("floods"))
        except Silence:
            return say("hello-silent", ms=int(self.timeout_seconds * 1000))
        except Closed:
            return say("hello-closed")
        except (Garbage, Flood) as error:
            return say("hello-garbage", what=error)
        finally:
            peer.sock.close()
        return None

    def revive(self) -> bool:
        """Start the server again, or wait a little whether somebody else does; return whether it is alive."""
        if self.program:
            if self.starts >= MAX_STARTS:
                return False
            self.starts += 1
            self.program.stop()
            self.program.start()
            self.addresses = (Address(HOST, self.program.port),)
            return self.illness() is None
        deadline = time.monotonic() + RETURN_SECONDS
        while time.monotonic() < deadline:
            if self.illness() is None:
                return True
            time.sleep(0.2)
        return False

    def last_words(self) -> str:
        """How the program ended and what it said last, as the end of a sentence; nothing if we did not start it."""
        return self.program.last_words() if self.program else ""
