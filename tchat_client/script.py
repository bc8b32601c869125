"""The commands for scripts: one question or text, its answer on standard output, an exit code.

With `--json` every line of standard output is one JSON object: a message, as a server of this protocol writes it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from attrs import define, evolve

from libtchat.message.event import LogEvent
from libtchat.message.names import user_key
from libtchat.message.reply import Foreign, Groups, Members, Message, Messages, Pong, States
from libtchat.message.request import ListGroups, ListMembers, ListMessages, ListStates, Ping, Request, Say
from libtchat.mirror import Heard
from tchat_client.link import Link, Watcher
from tchat_client.patience import Bound, patiently
from tchat_client.render import Renderer
from tchat_client.sanitise import clean, json_line
from tchat_client.settings import State

__all__ = [
    "Output",
    "Script",
    "ask",
    "list_groups",
    "list_members",
    "ping",
    "read_page",
    "say",
]

_MOST_EVENT_CHARACTERS = 64 * 1024


@define
class Output:
    """Where answers go: *write* prints one line of standard output."""

    renderer: Renderer
    is_json: bool
    write: Callable[[str], None]

    def message(self, message: Message | Foreign, request: Request | None = None) -> None:
        """Print one message."""
        if self.is_json:
            self.write(json_line(message))
        else:
            for line in self.renderer.notice(Heard(message, request), datetime.now().astimezone()):
                self.write(line)

    def names(self, answer: Groups | Members) -> None:
        """Print the names of an answer, one per line."""
        if self.is_json:
            self.message(answer)
        else:
            for name in answer.list:
                self.write(clean(name))


async def ask(link: Link, output: Output, request: Request, *, prints: bool = True) -> Message | Foreign:
    """Ask one thing and print the answer.

    Raises:
        Refused: the server refused.
    """
    answer = await patiently(link.ask, request, tries=1)
    if prints:
        output.message(answer, request)
    return answer


async def say(link: Link, output: Output, group: str, text: str) -> None:
    """Send *text* to *group*; where the server asks for patience, have it."""
    answer = await patiently(link.ask, Say(group, text))
    if output.is_json:
        output.message(answer)


async def list_groups(link: Link, output: Output) -> None:
    """Print every group one can see, over all pages."""
    found = await ask(link, output, ListGroups(), prints=False)
    whole, bound = found, Bound()
    while isinstance(found, Groups) and isinstance(whole, Groups) and found.more and found.list:
        bound.take(found.list[-1], sum(map(len, found.list + found.private + found.mine)))
        found = await ask(link, output, ListGroups(after=found.list[-1]), prints=False)
        if isinstance(found, Groups):
            whole = evolve(
                whole,
                list=whole.list + found.list,
                private=whole.private + found.private,
                mine=whole.mine + found.mine,
                more=False,
            )
    output.names(whole) if isinstance(whole, Groups) else output.message(whole)


async def list_members(link: Link, output: Output, group: str) -> None:
    """Print every member of a group, over all pages."""
    found = await ask(link, output, ListMembers(group), prints=False)
    whole, bound = found, Bound()
    while isinstance(found, Members) and isinstance(whole, Members) and found.more:
        names = (*found.list, *(found.invited or ()), *(found.banned or ()))
        if not names:
            break
        last = max(names, key=user_key)
        bound.take(last, sum(map(len, names + found.online)))
        found = await ask(link, output, ListMembers(group, after=last), prints=False)
        if isinstance(found, Members):
            whole = evolve(
                whole,
                list=whole.list + found.list,
                online=whole.online + found.online,
                invited=None if whole.invited is None else whole.invited + (found.invited or ()),
                banned=None if whole.banned is None else whole.banned + (found.banned or ()),
                more=False,
            )
    output.names(whole) if isinstance(whole, Members) else output.message(whole)


async def read_page(link: Link, output: Output, kind: type[ListMessages | ListStates], group: str, count: int) -> None:
    """Print the last *count* entries of a group's log, over as many pages as that takes."""
    entries: tuple[LogEvent, ...] = ()
    before: int | None = None
    bound = Bound(count, count * _MOST_EVENT_CHARACTERS)
    while len(entries) < count:
        request = kind(group, before=before, limit=min(count - len(entries), 1000))
        page = await ask(link, output, request, prints=False)
        if not isinstance(page, Messages | States):
            output.message(page)
            break
        entries = (*page.list, *entries)
        before = page.first
        if not page.more or before is None or not page.list:
            break
        bound.take(before, sum(len(getattr(event, "msg", "")) for event in page.list))
    for event in entries:
        output.message(event)


async def ping(link: Link, output: Output) -> None:
    """Print the round trip, the server and its version."""
    answer = await ask(link, output, Ping(), prints=False)
    if isinstance(answer, Pong) and not output.is_json:
        milliseconds = f"{(link.round_trip_seconds or 0) * 1000:.1f}"
        values = {"milliseconds": milliseconds, "server": answer.server, "version": answer.version}
        output.write(clean(output.renderer.language.text("ping", **values)))
    else:
        output.message(answer)


class Script(Watcher):
    """What a script's link tells: the token is kept, raw messages are traced, nothing is printed by itself."""

    takes_kept = False

    def __init__(self, state: State, tracer: Callable[[str, str], None] | None) -> None:
        self._state = state
        self._tracer = tracer
        self.traces: bool = tracer is not None
        self.link: Link | None = None

    def trace(self, direction: str, text: str) -> None:
        """Show a raw message, if that was asked for."""
        if self._tracer is not None:
            self._tracer(direction, text)

    def kept_token(self) -> str | None:
        """Return the token of another program of this user, perhaps newer than ours."""
        return None if self.link is None else self._state.token(self.link.name or "", *self.link.places)

    def token(self, token: str) -> None:
        """Keep the token for the next run; a script goes on if that fails."""
        if self.link is not None and self.link.name:
            self._state.keep_token(self.link.name, token, *self.link.places)
