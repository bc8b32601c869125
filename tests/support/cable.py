"""A cable between a client and a server, which a test can pull."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from serving import Server


class Cable:
    """What a connection to the server goes through, and can be pulled."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.is_plugged = True
        self.carried = 0
        self.ends: list[socket.socket] = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                if not self.is_plugged:
                    near.close()
                    continue
                try:
                    far = socket.create_connection(("127.0.0.1", self.server.port))
                except OSError:  # the server is away for a moment
                    near.close()
                    continue
                self.ends += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self.carry, args=(one, other), daemon=True).start()

    def carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65_536):
                other.sendall(data)
                self.carried += len(data)
            other.shutdown(socket.SHUT_WR)

    def pull(self) -> None:
        self.is_plugged = False
        for end in self.ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.ends.clear()

    def close(self) -> None:
        self.pull()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
