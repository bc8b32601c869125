"""One run of `tchat`, from its arguments to its exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from libtchat.message.errors import CommandError
from tchat_client.cli.dialects import bridge, learn
from tchat_client.cli.root import tchat
from tchat_client.cli.scripts import do, groups, members, messages, ping, send, states, tail
from tchat_client.cli.session import chat
from tchat_client.errors import ClosedPipe, LinkError, Refused

__all__ = ["main"]

EXIT_REFUSED, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_CLOSED_PIPE = 1, 2, 130, 141

for _command in (chat, send, do, groups, members, messages, states, tail, ping, bridge, learn):
    tchat.add_command(_command)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run `tchat` and exit."""
    arguments = [*(sys.argv[1:] if args is None else args)]
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except (BrokenPipeError, ClosedPipe):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = EXIT_CLOSED_PIPE
    except OSError as error:
        from tchat_client.report import complain

        code = EXIT_REFUSED
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        complain(arguments, "output", str(error.strerror or error))
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    from tchat_client.report import language_of

    if language_of(arguments).code == "fr":
        from tchat_client.usage import speak_french

        speak_french(tchat)
    try:
        return int(tchat.main(arguments, "tchat", standalone_mode=False) or 0)
    except (click.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except click.ClickException as problem:
        from tchat_client.report import complain

        complain(arguments, "usage", problem.format_message())
        return EXIT_USAGE
    except (LinkError, Refused, CommandError) as problem:
        from tchat_client.report import tell

        return tell(arguments, problem)
