"""Who has which name, and where its connections are: the Roster port."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from libtchat.cluster import NodeId, Relay, Seat
from libtchat.message.names import UserKey
from libtchat.message.value import frozen

__all__ = ["Called", "Roster", "RosterListener", "RosterUnavailable"]


class RosterUnavailable(Exception):
    """The roster can't answer now; it may later."""


@frozen
class Called:
    """What other nodes answered, each with an object; *silent*: how many did not."""

    answers: tuple[Mapping[str, Any], ...] = ()
    silent: int = 0


class RosterListener(Protocol):
    """What a roster tells. All methods are called on the event loop."""

    def seated(self, seats: Sequence[Seat]) -> None:
        """Take what became of names: per name in the order of their revisions.

        Of several changes of one name only the last must be told; this node's own may be told too. Begins with every
        seat there is.
        """

    def lost(self, node: NodeId) -> None:
        """Take note that the lease of another node ended: nobody is connected there any more, nor ever will be."""

    def relayed(self, relay: Relay) -> None:
        """Take a text for connections to this node, from another node. Those of one node come in order."""

    def fenced(self) -> None:
        """Take note that this node's own lease may end soon: others will give its names away.

        Every connection must be closed now, and nothing that this hub decides may be told any more. To go on is to
        begin anew: another hub, another log, another roster, another `NodeId`.
        """


class Roster(Protocol):
    """The one seam for who is online, among several nodes. All methods are called on the event loop; none may block it.

    What a call raises, it raises when it is awaited. Calls about one name are
    carried out in the order they were made.
    """

    @property
    def node(self) -> NodeId:
        """What this node's connections are counted under: another one for each run."""

    def follow(self, listener: RosterListener) -> None:
        """Tell *listener* what other nodes do. Called once, before anything is asked.

        The lease of this node begins; it is renewed until `close`.
        """

    def check(self) -> bool:
        """Tell whether the lease of this node holds, so that what is read may be decided on; if not, say `fenced`.

        It is asked often, and looks at a clock that also goes on while the process or the machine sleeps.
        """

    def find(self, key: UserKey, *, known: bool = False) -> Awaitable[Seat]:
        """Find who has a name, as of what any node was acknowledged before; revision 0 if nobody.

        With *known* as of what *listener* was told, and of what this node did: nobody else has to be asked.
        Nodes whose lease ended are not in it, and a token that is too old is nobody's. Raises RosterUnavailable.
        """

    def take(self, seat: Seat) -> Awaitable[int]:
        """Put *seat* in the place of that with its revision, if that is there still (compare and set).

        Returns:
            The revision it has now; 0 if another one is there.
        Raises:
            RosterUnavailable: it is not stored, or not known to be. The adapter sees to it that it is not in the end.
        """

    def release(self, key: UserKey) -> Awaitable[None]:
        """Count one connection of this node less for a name, whatever else became of it; tried until it is done."""

    def end(self, key: UserKey, token: str, why: str) -> Awaitable[int]:
        """Put *token*, which nobody knows, in the place of a name's, and *why* beside it (see `Seat`).

        Returns:
            How many connections there were under it, on all nodes.
        Raises:
            RosterUnavailable: as for `take`.
        """

    def attend(self, act: Callable[[Mapping[str, Any], str], Awaitable[Mapping[str, Any]]]) -> None:
        """Have *act* do what other nodes, or an operator anywhere, ask of this one, and return the answer.

        It is called with what is asked, and with who asks.
        """

    def call(self, request: Mapping[str, Any], who: str) -> Awaitable[Called]:
        """Have all other nodes do what *request* asks for *who*, at once and for a few seconds at most."""

    def relay(self, relay: Relay) -> None:
        """Send a text to all other nodes; to each at most once, and in order."""

    def reached(self) -> Awaitable[None]:
        """Wait until *listener* was told all that any node was acknowledged before. Raises RosterUnavailable."""

    async def close(self) -> None:
        """Give up the lease, and with it every connection of this node, at once."""
