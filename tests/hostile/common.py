"""The servers that most attacks share: with TLS beside, and a group of some history; on either event loop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from certificates import certificate
from hostile.harness import NO_UVLOOP, Field

__all__ = ["EXAMPLE_GROUP", "ON_ASYNCIO", "ON_UVLOOP"]

EXAMPLE_GROUP = "example"
TEXTS = 8


def seed(database: Path) -> None:
    """Make the certificate."""
    certificate(database.parent)


def prepare(field: Field) -> None:
    owner = field.client("example.owner", host=1)
    owner.ask(action="cgroupe", group=EXAMPLE_GROUP)
    for _ in range(TEXTS):
        owner.ask(action="gbroadcast", group=EXAMPLE_GROUP, msg="x" * 8000)
    owner.sock.close()


CERTIFICATE = ("--tls-cert", "{directory}/cert.pem", "--tls-key", "{directory}/key.pem", "--tls-listen", "127.0.0.1:0")
ON_UVLOOP: dict[str, Any] = {"options": CERTIFICATE, "seed": seed, "prepare": prepare}
ON_ASYNCIO: dict[str, Any] = {**ON_UVLOOP, "prelude": NO_UVLOOP}
