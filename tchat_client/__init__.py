"""The tchat client: for programs `Client`, and the terminal program `tchat`.

    from tchat_client import Client

What is listed here is public: docs/public.md says what each name is for, and what may change. docs/client.md shows
how to use it. A name is imported when it is first used; none needs what the terminal needs.
"""

from importlib import import_module

# Where each name is from. Type checkers read it in __init__.pyi; tests/client/test_public_client.py compares.
_HOMES = {
    "client": "Client",
    "errors": (
        "CannotConnect HelloRefused LinkError Lost Misused NoAnswer NoReply NotOpen NotTchat OddAnswer Refused "
        "Unprotected"
    ),
    "link": "Times",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = [*_HOME]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'tchat_client' has no attribute {name!r}")
    return getattr(import_module(f"tchat_client.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
