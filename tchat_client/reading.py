"""What one has read: per group how far, which group was the current one, and whom one does not want to hear.

Kept between sessions in the state directory; what is found there is checked, for anything may be in a file.
"""

from __future__ import annotations

from collections.abc import Mapping

from attrs import define, field

from libtchat.message.names import group_key, user_key

__all__ = ["Reading"]

_MOST_SEQ = 2**53


@define
class Reading:
    """One user's place in the groups of one server.

    Attributes:
        group: the current group when the last session ended, "" if there was none.
        read: by group key, the `seq` up to which everything was shown.
        muted: keys of groups and users whose texts are not shown; `@` and a key is a user only.
    """

    group: str = ""
    read: dict[str, int] = field(factory=dict)
    muted: list[str] = field(factory=list)

    @classmethod
    def of(cls, found: Mapping[str, object]) -> Reading:
        """Return what a file says, without what makes no sense."""
        group, read, muted = found.get("group"), found.get("read"), found.get("muted")
        return cls(
            group if isinstance(group, str) else "",
            {str(key): seq for key, seq in read.items() if type(seq) is int and 0 <= seq <= _MOST_SEQ}
            if isinstance(read, dict)
            else {},
            [name for name in muted if isinstance(name, str)] if isinstance(muted, list) else [],
        )

    def content(self, beside: Reading) -> dict[str, object]:
        """Return what to keep; *beside*: what another session of the same user has kept meanwhile."""
        read = {**beside.read}
        for key, seq in self.read.items():
            read[key] = max(seq, read.get(key, 0))
        return {"group": self.group, "read": read, "muted": self.muted}

    def saw(self, group: str, seq: int) -> None:
        """Note that everything in *group* up to *seq* was shown."""
        key = group_key(group)
        self.read[key] = max(seq, self.read.get(key, 0))

    def mutes(self, sender: str, group: str = "") -> bool:
        """Tell whether a text by *sender*, in *group* or in none, is one that its reader does not want to see."""
        user = user_key(sender)
        return not {user, f"@{user}", group_key(group)}.isdisjoint(self.muted)

    def mute(self, name: str) -> None:
        """Want no texts of the group or the user *name*; `@bob` is the user bob only."""
        if (key := user_key(name)) not in self.muted:
            self.muted.append(key)

    def unmute(self, name: str) -> bool:
        """Want them again; return whether they were muted."""
        key = user_key(name.removeprefix("@"))
        before, self.muted = self.muted, [each for each in self.muted if each.removeprefix("@") != key]
        return len(before) > len(self.muted)
