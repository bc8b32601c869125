"""What a command needs around it: where it prints, how it looks, what is kept, the link to the server."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tchat_client.errors import Misused

if TYPE_CHECKING:
    from ssl import SSLContext

    from tchat_client.link import Link, Watcher
    from tchat_client.options import Options
    from tchat_client.render import Renderer
    from tchat_client.script import Output
    from tchat_client.settings import State

__all__ = [
    "make_link",
    "make_output",
    "make_renderer",
    "make_teller",
    "make_tracer",
    "show",
    "show_error",
    "tls_context",
    "user_state",
]


def show(line: str) -> None:
    """Print *line* at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def show_error(line: str) -> None:
    """Print *line* on standard error at once."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def user_state() -> State:
    """Return what is kept for the user of this machine."""
    from tchat_client.settings import State

    return State.of_user()


def make_renderer(options: Options) -> Renderer:
    """Return what makes the lines, in the language of *options*; coloured only where a terminal shows it."""
    from tchat_client.render import Renderer

    is_coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return Renderer(options.language, options.name or "", str(options.address), is_coloured)


def make_output(options: Options) -> Output:
    """Return where a script command writes, as lines or JSON."""
    from tchat_client.script import Output

    return Output(make_renderer(options), options.is_json, show)


def make_tracer(options: Options) -> Callable[[str, str], None] | None:
    """Return what shows every message on standard error; None if nobody wants it."""
    renderer = make_renderer(options)
    return (lambda direction, text: show_error(renderer.trace(direction, text))) if options.traces else None


def make_teller(options: Options) -> Callable[[str, str], None]:
    """Return what tells what happened to the connection, on standard error."""
    from tchat_client.sanitise import json_line

    def tell(code: str, text: str) -> None:
        as_json = {"action": "notice", "code": code, "msg": text}
        show_error(json_line(as_json) if options.is_json else options.language.text("error-prefix", text=text))

    return tell


def tls_context(ca: str | None) -> SSLContext:
    """Return how a server is checked: by the certificates in the file *ca*, or else by the machine's own.

    Raises:
        Misused: *ca* cannot be read, or holds no certificates.
    """
    import ssl

    try:
        return ssl.create_default_context(cafile=ca)
    except ssl.SSLError:
        raise Misused("bad-ca", path=ca) from None
    except OSError as error:
        raise Misused("bad-config", path=ca, detail=error.strerror or error) from None


def make_link(options: Options, state: State, watcher: Watcher | None = None) -> Link:
    """Return the link, not yet open, to the server that *options* name."""
    from tchat_client.link import Link, Times, Watcher

    tls = tls_context(options.ca) if options.uses_tls else None
    token = state.token(options.name, options.address, *options.others) if options.name else None
    usual = Times()
    hello = options.timeout if options.timeout > usual.answer_seconds else usual.hello_seconds  # some never answer it
    times = Times(answer_seconds=options.timeout, connect_seconds=options.timeout, hello_seconds=hello)
    dialect = None
    if options.dialect is not None:
        from tchat_client.bridge.serve import read_dialect

        dialect = read_dialect(Path(options.dialect), "server")
    return Link(
        options.address,
        options.name,
        tls,
        token,
        options.password,
        watcher or Watcher(),
        times,
        dialect,
        others=options.others,
    )
