"""The command `tchat` itself, and the options that its commands share."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import click

from tchat_client.cli.typed import check_group
from tchat_client.errors import ClosedPipe, Misused

__all__ = ["DEFAULT", "tchat", "with_options"]

DEFAULT = "chat"


class _Tchat(click.Group):
    """A group whose default command takes a HOST: the first word is a command, or a host that a command may follow."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        at, second = self._first_words(args)
        word = "" if at is None else args[at]
        if at is not None and word in self.commands:
            args = [word, *args[:at], *args[at + 1 :]]
        elif word == "help":
            args = ["--help"]
        elif at is None and ctx.resilient_parsing:
            pass  # the shell completes the first word
        elif not (args and args[0] in ("--help", "-h", "--version")):
            near = get_close_matches(word, [name for name in self.commands if name != DEFAULT], n=1)
            if near and not {".", ":"} & set(word):
                raise Misused("unknown-subcommand", word=word, suggestion=near[0])
            if at is not None and second is not None and args[second] in self.commands:
                rest = [*args[:at], *args[at + 1 : second], *args[second + 1 :]]
                args = [args[second], "--server", word, *rest]
            else:
                args = [DEFAULT, *args]
        return super().parse_args(ctx, args)

    def _first_words(self, args: Sequence[str]) -> tuple[int | None, int | None]:
        """Return where the first two words are that are no options, nor an option's value."""
        takes_value = {
            name
            for command in self.commands.values()
            for option in command.params
            if isinstance(option, click.Option) and not option.is_flag
            for name in option.opts
        }
        found: list[int] = []
        is_value = False
        for at, word in enumerate(args):
            if is_value:
                is_value = False
            elif word == "--" or len(found) == 2:
                break
            elif word.startswith("-") and word != "-":
                is_value = word in takes_value
            else:
                found.append(at)
        return (found[0] if found else None), (found[1] if len(found) == 2 else None)


def with_options(command: Callable[..., Coroutine[Any, Any, int]]) -> Callable[..., int]:
    """Add the options every command takes, read what they say, and run the command."""

    @functools.wraps(command)
    def run(**given: Any) -> int:
        from tchat_client.options import read_options

        common = {name: given.pop(name) for name in _COMMON}
        joins = given.pop("join", ())
        host = given.pop("host", None)
        if "group" in given:
            given["group"] = check_group(given["group"], command.__name__)
        chat = {name: given.pop(name, None) for name in ("plain", "all", "notify")}
        options = read_options(**common, host=host, joins=joins, **chat)
        try:
            return asyncio.run(command(options, **given))
        except BrokenPipeError:
            raise ClosedPipe from None  # click would exit with 1

    wrapped: Callable[..., int] = run
    for option in reversed([*_COMMON.values()]):
        wrapped = option(wrapped)
    return wrapped


_COMMON: Mapping[str, Callable[[Callable[..., int]], Callable[..., int]]] = {
    "server": click.option(
        "--server",
        metavar="HOST:PORT",
        envvar="TCHAT_SERVER",
        help="Where the server is; commas between several that are one.",
    ),
    "name": click.option("--name", metavar="NAME", envvar="TCHAT_NAME", help="Your name."),
    "lang": click.option("--lang", metavar="en|fr", envvar="TCHAT_LANG", help="The language of what is shown."),
    "tls": click.option("--tls/--no-tls", default=None, envvar="TCHAT_TLS", help="Encrypt, and check the server."),
    "ca": click.option("--ca", metavar="FILE", envvar="TCHAT_CA", help="Who may vouch for the server (PEM)."),
    "password_file": click.option(
        *("--password-file", "password_file"), metavar="FILE", help="The password of your name (or TCHAT_PASSWORD)."
    ),
    "dialect": click.option("--dialect", metavar="FILE", help="The server speaks this dialect: see tchat learn."),
    "timeout": click.option("--timeout", metavar="TIME", default="10s", help="How long to wait for an answer."),
    "config": click.option("--config", metavar="FILE", envvar="TCHAT_CONFIG", help="Another configuration file."),
    "trace": click.option("--trace", is_flag=True, help="Show every message in and out."),
    "json": click.option("--json", "json", is_flag=True, help="One JSON object per line, and nothing else."),
}


@click.group(cls=_Tchat, invoke_without_command=True, context_settings={"help_option_names": ["--help", "-h"]})
@click.version_option(package_name="libtchat", prog_name="tchat")
def tchat() -> None:
    """Chat in groups, or send and read from scripts.

    Without a command: `tchat [HOST[:PORT]]` opens a session, or runs the lines of a pipe.
    """
