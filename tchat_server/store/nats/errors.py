"""What may go wrong with the engine: what it did is not known, it was certainly not done, it was refused."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["EngineGone", "EngineRefused", "NobodyThere", "WithoutTls", "failures", "reason_of"]


class EngineGone(Exception):
    """The engine did not answer: whether it did what was asked is not known."""


class NobodyThere(EngineGone):
    """Nobody in the engine takes this now: it was certainly not done. A leader is being elected, perhaps."""


class EngineRefused(Exception):
    """The engine answered with an error.

    Attributes:
        code: the engine's own number of it (`err_code`).
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class WithoutTls(OSError):
    """It speaks no TLS, and TLS is asked for: it is not told the password."""


@contextmanager
def failures() -> Iterator[None]:
    """Raise EngineGone for what the engine's client raises."""
    import nats.errors

    try:
        yield
    except nats.errors.NoRespondersError:
        raise NobodyThere("none of its servers takes this now") from None
    except (nats.errors.Error, OSError) as error:
        raise EngineGone(reason_of(error)) from None


def reason_of(error: BaseException) -> str:
    """Say what went wrong in a few words of our own: what the engine says may hold what we sent it."""
    text = str(error).casefold()
    if isinstance(error, WithoutTls):
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
