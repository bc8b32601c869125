"""The public names of the server: every one is there, for people, for type checkers and in docs/public.md."""

from __future__ import annotations

import pytest
from public import documented, stub_names

import tchat_server
from tchat_server import testing

PUBLIC = {module.__name__: module for module in (tchat_server, testing)}


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_is_there_and_documented_and_typed(name: str) -> None:
    module = PUBLIC[name]
    names = sorted(module.__all__)
    assert dir(module) == sorted(stub_names(name)) == sorted(documented(name)) == names
    assert [it for it in names if not getattr(module, it).__doc__] == []
    with pytest.raises(AttributeError, match="nothing"):
        _ = module.nothing
