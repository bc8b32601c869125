"""Why there is no connection to the engine, in a few words."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping

__all__ = ["Plain", "joined", "reason_of"]


class Plain(OSError):
    """It speaks no TLS, and TLS is asked for: it is not told the password."""


def reason_of(error: BaseException) -> str:
    """Say what went wrong in a few words of our own: what the engine says may hold what we sent it."""
    text = str(error).casefold()
    if isinstance(error, Plain):
        return "it does not ask for TLS, as ca= in --db does"
    if "info" in text:
        return "what answers there is no NATS server"
    if "authorization" in text or "authentication" in text:
        return "it does not accept this user and password"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted ({error.verify_message}): ca=FILE names who vouches for it"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({error.reason or 'no reason given'})"
    if "tls" in text or "secure" in text:
        return "it asks for TLS: add ?ca=FILE to --db"
    if isinstance(error, TimeoutError):
        return "it does not answer"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)  # asyncio has words of its own for some
    return type(error).__name__


def joined(reasons: Mapping[str, str]) -> str:
    """Say it of each server of the engine, by its address; once, if it is the same of all."""
    if len(set(reasons.values())) == 1:
        return next(iter(reasons.values()))
    return "; ".join(f"{host}: {reason}" for host, reason in reasons.items())
