"""How a value class of this library is declared: `frozen`.

Every message, event, group and effect is a value: it is compared by its fields, can be a dictionary
key, and is never changed after it was made. Type checkers see `attrs.frozen` and reject assignments;
at run time the class is plain, because attrs' own guard against assignment triples construction time,
and a server constructs several values per message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attrs import frozen
else:
    from functools import partial

    from attrs import define

    frozen = partial(define, unsafe_hash=True)

__all__ = ["frozen"]
