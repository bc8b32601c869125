"""Password hashes: scrypt, with its parameters in the stored text, so that they can be raised later.

They are derived in threads of their own, few at a time: whoever keeps them busy takes nothing from the event loop or
the disk, and who sets a password does not make those wait who come with one. The addresses they come from take turns.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import sys
import threading
from base64 import b64decode, b64encode
from collections.abc import Awaitable
from functools import partial

from tchat_server.fair_pool import FairPool

__all__ = ["Passwords", "check_password", "hash_password", "mark_of", "new_code"]

_N, _R, _P, _SALT_BYTES = 2**14, 8, 1, 16


class Passwords:
    """Derives hashes off the event loop: one thread for passwords that are set, half the cores for those checked."""

    def __init__(self) -> None:
        self._hashing = FairPool(1, "tchat-hash", _step_back)
        self._checking = FairPool(max(1, (os.cpu_count() or 1) // 2), "tchat-check")

    def hash(self, password: str, origin: str) -> Awaitable[str]:
        """As `hash_password`, when it is the turn of the address it comes from."""
        return self._hashing.run(origin, partial(hash_password, password))

    def check(self, password: str, stored: str | None, origin: str) -> Awaitable[bool]:
        """As `check_password`, when it is the turn of the address it comes from."""
        return self._checking.run(origin, partial(check_password, password, stored))

    def close(self) -> None:
        """Give up what waits for its turn."""
        self._hashing.close()
        self._checking.close()


def _step_back() -> None:
    """Let every other thread have the processor first: who sets a password can wait, who comes with one should not."""
    if sys.platform == "linux":  # where a thread has a priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def hash_password(password: str) -> str:
    """Return a salted hash as `scrypt$N$r$p$salt$hash`. Takes tens of milliseconds on purpose: not for the loop."""
    salt = secrets.token_bytes(_SALT_BYTES)
    digest = _scrypt(password, salt, _N, _R, _P)
    return f"scrypt${_N}${_R}${_P}${b64encode(salt).decode()}${b64encode(digest).decode()}"


def check_password(password: str, stored: str | None) -> bool:
    """Tell whether *password* is the one behind *stored*; as slow when there is none (R-op-auth-throttle)."""
    _, n, r, p, salt, digest = (stored or _NOBODY).split("$")
    same = hmac.compare_digest(_scrypt(password, b64decode(salt), int(n), int(r), int(p)), b64decode(digest))
    return same and stored is not None


_CODE_LETTERS, _CODE_PARTS, _PART_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789", 4, 5  # 98 bits, none looks like another


def new_code() -> str:
    """Return a new invitation code, such as `QK3NF-8ZRTA-...`."""
    parts = ("".join(secrets.choice(_CODE_LETTERS) for _ in range(_PART_LETTERS)) for _ in range(_CODE_PARTS))
    return "-".join(parts)


def mark_of(code: str) -> str:
    """Return what is stored of an invitation code: nobody can guess one, so a fast hash does."""
    letters = "".join(code.upper().split()).replace("-", "")
    return hashlib.sha256(letters.encode("utf-8", "replace")).hexdigest()


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=64 * 1024 * 1024, dklen=32)


_NOBODY = f"scrypt${_N}${_R}${_P}${b64encode(bytes(_SALT_BYTES)).decode()}${b64encode(bytes(32)).decode()}"
