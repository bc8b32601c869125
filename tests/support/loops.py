"""A test on asyncio's own loop and on uvloop."""

from __future__ import annotations

import pytest

on_both_loops = pytest.mark.parametrize(
    "prelude", ["", "import sys; sys.modules['uvloop'] = None"], ids=["uvloop", "asyncio"]
)
