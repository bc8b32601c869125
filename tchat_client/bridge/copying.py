"""Bytes from one connection to another, as they are."""

from __future__ import annotations

import asyncio

__all__ = ["copy", "ended"]

_READ_BYTES = 65_536


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_last: bool = False) -> bool:
    """Copy until *reader* ends, and say so to *writer*, which is closed if that is the *last* direction.

    Returns:
        Whether *writer* was closed because *reader* had ended.
    """
    try:
        while data := await reader.read(_READ_BYTES):
            writer.write(data)
            await writer.drain()
        if is_last or not writer.can_write_eof():
            writer.close()
            return True
        writer.write_eof()
    except OSError:
        writer.close()
    return False


async def ended(reader: asyncio.StreamReader) -> None:
    """Return when *reader* has come to its end, without reading what comes."""
    while not reader.at_eof():
        await asyncio.sleep(0.2)
