"""What holds for all tests: none depends on how fast the machine is; and a fixture that many use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from libtchat.wire import strict_json

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(params=["orjson", "stdlib"])
def backend(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have the test run with either JSON library."""
    before = strict_json.backend()
    strict_json.use_backend(request.param)
    yield
    strict_json.use_backend(before)
