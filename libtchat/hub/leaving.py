"""What leaves the line becomes what the shell is to do."""

from __future__ import annotations

from attrs import define

from libtchat.effect import Effect, Send, Settled
from libtchat.hub.decider import Decider
from libtchat.hub.entry import AnyEntry, Decision, Notice, Query, Told
from libtchat.hub.line import Line
from libtchat.hub.query import Replies

__all__ = ["Leaving"]


@define
class Leaving:
    """The way out of one hub."""

    _line: Line[AnyEntry]
    _decider: Decider
    _replies: Replies

    def effects(self) -> list[Effect]:
        """Take from the line what nothing holds back any more; queries are answered now, on what was told before."""
        effects: list[Effect] = []
        for entry in self._line.leaving():
            if isinstance(entry, Query):
                effects.extend(self._replies.answer(entry))
            elif isinstance(entry, Notice):
                effects.extend(entry.effects)
            elif (part := entry.part) is not None:
                self._decider.keep(entry, part)
                audience = entry.audience
                if isinstance(entry, Told):
                    effects.append(Send(audience, part.events[0], None, entry.line))
                    continue
                source = None if entry.peer is None else entry.peer.id
                for event in part.events:
                    effects.append(Send(audience, event, source))
                if isinstance(entry, Decision) and entry.ticket is not None:
                    effects.append(Settled(entry.ticket, part.events[-1]))
            elif isinstance(entry, Decision):
                effects.extend(entry.effects)
        return effects
