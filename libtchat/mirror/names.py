"""Who is there, as far as it passed by: for completion, and to know who is online."""

from __future__ import annotations

from attrs import define, field

from libtchat.message.event import OPERATOR
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
)

__all__ = ["Names"]


@define
class Names:
    """The names that were heard of.

    Attributes:
        users: of users, by key; `online` are those known to be connected.
        listed: of groups that the server listed, by key.
    """

    users: dict[UserKey, str] = field(factory=dict, kw_only=True)
    online: set[UserKey] = field(factory=set, kw_only=True)
    listed: dict[Key, str] = field(factory=dict, kw_only=True)

    def _learn_names(self, message: Message | Foreign) -> None:
        match message:
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
