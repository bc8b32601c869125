"""For tests of programs that talk to a tchat server, or keep its events: a live server, and the contract of a log.

With pytest the fixture `chat_server` is there without an import; docs/testing.md shows how all of it is used.
"""

from importlib import import_module

# Where each name is from. Type checkers read it in __init__.pyi.
_HOME = {"Clock": "book", "LiveServer": "live", "LogContract": "contract", "server": "live"}

__all__ = [*_HOME]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'tchat_server.testing' has no attribute {name!r}")
    return getattr(import_module(f"tchat_server.testing.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
