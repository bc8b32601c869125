"""What is given on the command line or piped in: a group's name, a text, a password; checked before it is sent."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from tchat_client.errors import HelloRefused, Misused, Refused

if TYPE_CHECKING:
    from libtchat.message.request import Register
    from tchat_client.options import Options

__all__ = ["check_group", "check_text", "check_texts", "new_password", "secret", "wanted", "whole_input"]


def check_group(name: str, command: str) -> str:
    """Return *name* if a group may be so called, or is `@` and a user whose texts *command* reads. Raises Mistyped."""
    from libtchat.commands import Use, parse
    from libtchat.message.request import ListMessages, ListStates

    said = parse(f"{command if command in ('messages', 'states') else 'use'};{name}", None)
    assert isinstance(said, Use | ListMessages | ListStates)
    return said.group


def check_text(text: str) -> str:
    """Return *text* if it can be sent; else raise Mistyped, or Misused if it is empty."""
    from libtchat.commands import parse

    if not text:
        raise Misused("no-text")
    parse(f"b;{text}", None)
    return text


async def check_texts(lines: AsyncIterator[str]) -> AsyncIterator[str]:
    """Go through the *lines* that are not empty, as `check_text` does."""
    async for line in lines:
        if line:
            yield check_text(line)


def whole_input() -> str:
    """Return standard input, without its last line end."""
    data = sys.stdin.buffer.read()
    try:
        return data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise Misused("bad-utf8", line=data.count(b"\n", 0, error.start) + 1) from None


def new_password(options: Options, typed: str) -> str:
    """Return the password to register: never one that was typed where `ps` and the shell's history show it."""
    if typed:
        raise Misused("password-seen")
    if options.password:
        return options.password
    if not sys.stdin.isatty():
        raise Misused("no-password")
    say = options.language.text
    first = _ask(say("password.new", name=options.name))
    if _ask(say("password.again")) != first:
        raise Misused("password.differ")
    if not first:
        raise Misused("no-password")
    return first


def wanted(refused: Refused, request: Register) -> str | None:
    """Return the field of *request* that the server wants and was not given; None if the reason is another one."""
    from tchat_client.session import SECRETS

    has_one = isinstance(refused, HelloRefused) and refused.code == "auth-required"
    field = "old" if has_one else refused.field
    return field if field in SECRETS and getattr(request, field) is None else None


def secret(options: Options, field: str) -> str:
    """Ask on a terminal for what the server wants with a new password."""
    from tchat_client.session import SECRETS

    if sys.stdin.isatty():
        return _ask(options.language.text(SECRETS[field], name=options.name))
    raise Misused(f"no-{field}", name=options.name)


def _ask(question: str) -> str:
    """Read what is not to be shown; Ctrl-C ends it at once, where asyncio would wait for the end of the line."""
    import signal
    from getpass import getpass

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return getpass(question)
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise
    finally:
        signal.signal(signal.SIGINT, before)
