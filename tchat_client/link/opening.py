"""Open a connection to a server, or say why there is none."""

from __future__ import annotations

import asyncio
import ssl
from socket import gaierror
from typing import TYPE_CHECKING

from tchat_client.address import Address
from tchat_client.errors import CannotConnect, LinkError, NotTchat

if TYPE_CHECKING:
    from libtchat.dialect.dialect import Dialect

__all__ = ["cannot_connect", "no_tchat", "open_streams"]

_UNTRUSTED = {18, 19, 20, 21}
"""OpenSSL's codes for a certificate that nobody known vouches for: --ca would name who does."""


async def open_streams(
    address: Address, tls: ssl.SSLContext | None, dialect: Dialect | None, seconds: float
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to *address* within *seconds*, translated if the server speaks a *dialect*.

    Raises:
        CannotConnect: nobody answers there, or not in time.
    """
    try:
        async with asyncio.timeout(seconds):
            if dialect is not None:
                from tchat_client.bridge.inside import open_translated

                return await open_translated(address.host, address.port, tls, dialect)
            return await asyncio.open_connection(address.host, address.port, ssl=tls)
    except TimeoutError:
        cause = LinkError("cause.timeout", seconds=f"{seconds:g}")
    except gaierror:
        cause = LinkError("cause.unknown-host")
    except ConnectionRefusedError:
        cause = LinkError("cause.refused")
    except ssl.SSLError as error:
        cause = _tls_cause(error)
    except (OSError, ValueError) as error:
        raise cannot_connect(address, getattr(error, "strerror", None) or str(error)) from None
    raise cannot_connect(address, cause)


def cannot_connect(address: Address, cause: LinkError | str) -> CannotConnect:
    """Return that there is no connection to *address*, and why."""
    return CannotConnect("cannot-connect", address=address, cause=cause)


def no_tchat(address: Address) -> NotTchat:
    """Return that what answers at *address* is no tchat server."""
    return NotTchat("cannot-connect", address=address, cause=LinkError("cause.not-tchat"))


def _tls_cause(error: ssl.SSLError) -> LinkError:
    """Return what to tell about a failed handshake."""
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):  # the answer was not TLS
        return LinkError("cause.no-tls")
    detail = getattr(error, "verify_message", "").rstrip(".")
    if getattr(error, "verify_code", 0) in _UNTRUSTED:
        return LinkError("cause.untrusted", detail=detail)
    return LinkError("cause.tls", detail=detail or error.reason or str(error))
