"""Password hashes: scrypt, with its parameters in the stored text, so that they can be raised later."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode

__all__ = ["check_password", "hash_password"]

_N, _R, _P, _SALT_BYTES = 2**14, 8, 1, 16


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


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=64 * 1024 * 1024, dklen=32)


_NOBODY = f"scrypt${_N}${_R}${_P}${b64encode(bytes(_SALT_BYTES)).decode()}${b64encode(bytes(32)).decode()}"
