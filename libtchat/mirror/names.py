"""Who is there, as far as it passed by, and who one is oneself: for completion, and to know what is one's own."""

from __future__ import annotations

from attrs import define, field

from libtchat.message.direct import KeptEvent, Sent
from libtchat.message.event import OPERATOR, Left, LogEvent
from libtchat.message.names import Key, UserKey, group_key, user_key
from libtchat.message.reply import (
    DirectMessage,
    Foreign,
    Groups,
    Members,
    Message,
    PresenceNotice,
    PublicMessage,
    Users,
    Welcome,
)

__all__ = ["Names"]


@define
class Names:
    """The names that were heard of.

    Attributes:
        name: one's own; "" until it is known.
        users: of users, by key; `online` are those known to be connected.
        listed: of groups that the server listed, by key.
    """

    name: str = ""
    users: dict[UserKey, str] = field(factory=dict, kw_only=True)
    online: set[UserKey] = field(factory=set, kw_only=True)
    listed: dict[Key, str] = field(factory=dict, kw_only=True)

    def _is_me(self, name: str) -> bool:
        return user_key(name) == user_key(self.name)

    def _is_mine(self, message: Message | Foreign) -> bool:
        return isinstance(message, LogEvent | DirectMessage | PublicMessage) and self._is_me(message.sender)

    def _reaches_outsider(self, event: LogEvent) -> bool:
        """Tell whether one hears *event* without being a member after it: it is about oneself, or not one's to read."""
        if isinstance(event, KeptEvent):
            return isinstance(event, Sent) and event.reader is not None and not self._is_me(event.reader)
        return self._is_me(event.sender if isinstance(event, Left) else getattr(event, "dest", ""))

    def _log_of(self, event: LogEvent) -> str:
        """Return what the pages of an event's log are asked by: its group, or `@` and the other user's name."""
        if not isinstance(event, KeptEvent):
            return event.group
        return f"@{event.to if self._is_me(event.sender) else event.sender}"

    def _learn_names(self, message: Message | Foreign) -> None:
        match message:
            case Welcome(sender=name, version=version):
                if version >= 1 or not self.name:
                    self.name = name  # other people's servers often welcome one in their own name
                self._meet(self.name, is_online=True)
            case PresenceNotice(name=name, event=event):
                self._meet(name, is_online=event == "connect")
            case DirectMessage(sender=name) | PublicMessage(sender=name):
                self._meet(name)
            case Users(list=names):
                for name in names:
                    self._meet(name, is_online=True)
            case Groups(list=names):
                self.listed.update((group_key(name), name) for name in names)
            case Members(list=names, online=online):
                for name in names:
                    self._meet(name)
                self.online.update(map(user_key, online))
            case _:
                pass

    def _meet(self, name: str, *, is_online: bool | None = None) -> None:
        if not name or name == OPERATOR:
            return
        key = user_key(name)
        self.users[key] = name
        if is_online is not None:
            (self.online.add if is_online else self.online.discard)(key)
