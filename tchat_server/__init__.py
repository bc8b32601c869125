"""The tchat server: a command, `tchat-server`, and a chat inside an asyncio program of your own.

    from tchat_server import Chat

What is listed here is public, and docs/embed.md shows how it is used; `tchat_server.testing` is for tests. A name is
imported when it is first used, so a program pays for what it needs.
"""

from importlib import import_module

# Where each name is from. Type checkers read it in __init__.pyi; tests/server/test_public.py holds the two equal.
_HOMES = {
    "chat": "Chat",
    "misuse": "ChatError ChatFailed Misused NotRunning",
    "peer": "Peer",
    "retention": "Retention",
    "store.change": "changed_users displayed_name first_waiting new_retries redactions tombstone",
    "store.event_log": "EncodedPart EventLog LogUnavailable LogUnusable NamePage Page Ready Removed RemovesOld UserRow",
    "store.memory": "MemoryLog",
    "store.sqlite.log": "SqliteLog",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [*_HOME]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'tchat_server' has no attribute {name!r}")
    return getattr(import_module(f"tchat_server.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
