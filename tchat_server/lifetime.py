"""How the server's life ends: by a signal, with its terminal, or because its grace is over."""

from __future__ import annotations

import asyncio
import logging
import os
import threading

from tchat_server.net.tls import Certificate
from tchat_server.ops.outlet import Outlet

__all__ = ["CLOSING_SECONDS", "end_after", "hang_up", "stop_or_exit"]

logger = logging.getLogger("tchat_server")

CLOSING_SECONDS = 1.0
"""What is kept of the grace for closing the database."""


def stop_or_exit(stop: asyncio.Event) -> None:
    """Ask the server to stop; asked twice, end at once."""
    if stop.is_set():
        os._exit(1)
    stop.set()


def hang_up(certificate: Certificate | None, stop: asyncio.Event, had_terminal: bool) -> None:
    """Do what SIGHUP asks: use renewed certificate files from now on, or end because the terminal is gone."""
    if had_terminal and not os.isatty(0):
        logger.info("the terminal is closed")
        stop.set()
    elif certificate is None:
        logger.info("SIGHUP: there are no TLS files to reload")
    else:
        try:
            certificate.reload()
        except OSError as error:
            logger.error("TLS files not reloaded, the old ones stay in use: %s", error.strerror)
        else:
            logger.info("TLS files reloaded")


def end_after(grace_seconds: float, outlet: Outlet, code: int) -> threading.Timer:
    """End the process after the grace, whatever it waits for; what was acknowledged is durable."""

    def end() -> None:
        outlet.write(f"tchat-server: ended after --grace {grace_seconds:g}: storage does not answer\n")
        outlet.close()
        os._exit(code)

    timer = threading.Timer(max(grace_seconds, CLOSING_SECONDS), end)
    timer.daemon = True
    timer.start()
    return timer
