"""Frames read and written at a glance: whole texts, as nearly all that comes and goes is (RFC 6455, 5.2).

What is anything else is left to the `websockets` package.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol
from websockets.streams import StreamReader

try:
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

__all__ = ["MASKED", "is_between_frames", "is_utf8", "kept_frames", "plain_texts", "text_frames"]

_WHOLE_TEXT, MASKED = 0x81, 0x80


def plain_texts(data: bytes) -> tuple[list[bytes], int]:
    """Read what *data* begins with at a glance if it is whole texts in one frame each, as nearly all that comes is.

    Returns:
        The texts, and where they end; what is there then is the package's to judge.
    """
    texts: list[bytes] = []
    at, size = 0, len(data)
    while at + 6 <= size and data[at] == _WHOLE_TEXT:
        length, start = data[at + 1] - MASKED, at + 6
        if length == 126:
            length, start = int.from_bytes(data[at + 2 : at + 4]), at + 8
            if length < 126:
                break
        elif not 0 <= length < 126:
            break
        end = start + length
        if end > size:
            break
        texts.append(apply_mask(data[start:end], data[start - 4 : start]))
        at = end
    return texts, at


def is_between_frames(protocol: ServerProtocol) -> bool:
    """Tell whether the package waits for the beginning of a frame.

    It does not say so; but its parser then waits for bytes or their end. Were that to change, nothing would be read at
    a glance any more, and all by the package.
    """
    waits: Any = protocol.parser
    while waits is not None and waits.gi_code is not StreamReader.at_eof.__code__:
        waits = waits.gi_yieldfrom
    return waits is not None


def is_utf8(text: bytes) -> bool:
    """Tell whether *text* is UTF-8."""
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def text_frames(lines: bytes) -> bytes:
    """Return *lines*, each as a text frame of its own."""
    return b"".join([part for line in lines[:-2].split(b"\r\n") for part in (_head(len(line)), line)])


@lru_cache(maxsize=4096)
def _head(size: int) -> bytes:
    """Return what stands before a text of this size."""
    return Frame(Opcode.TEXT, bytes(size)).serialize(mask=False)[:-size]


kept_frames = lru_cache(maxsize=4)(text_frames)
"""The frames of what many peers get are made once: it is one object, so its hash is known."""
