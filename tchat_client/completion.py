"""What the word being typed may become: commands, groups, users, and after `unban` the banned.

Pure; knows the table of commands and the mirror, no terminal.
"""

from __future__ import annotations

from collections.abc import Iterable

from libtchat.commands import COMMANDS, Command, Kind, Place, place
from libtchat.message.names import Key, group_key, user_key
from libtchat.message.request import Invite, Join, Tell, Unban
from libtchat.mirror import Mirror
from tchat_client.sanitise import clean

__all__ = ["candidates"]


def candidates(line: str, mirror: Mirror) -> tuple[str, list[str]]:
    """Return the word at the end of *line*, and what it may become; names that are not safe to show are left out."""
    here = place(line)
    if here.command is None:
        fragment, words = _without_command(line, mirror)
    elif here.field is None:
        return "", []
    else:
        fragment, words = here.fragment, _values(here, here.command, here.field.kind, mirror)
        if here.field.kind in (Kind.TEXT, Kind.REASON):
            fragment = here.fragment.rpartition(" ")[2]
            words = words if fragment else []
    start = fragment.casefold()
    return fragment, [word for word in words if word.casefold().startswith(start) and clean(word) == word]


def _without_command(line: str, mirror: Mirror) -> tuple[str, Iterable[str]]:
    if line.startswith("/"):
        return line, [f"/{command.name}{' ' if command.fields else ''}" for command in COMMANDS]
    before, space, last = line.rpartition(" ")
    members = _members(mirror, mirror.current) if line else []
    if space:
        return last, members if last and before.strip() else []
    return line, [*(f"{command.name};" for command in COMMANDS), *(f"{name}: " for name in members)]


def _values(here: Place, command: Command, kind: Kind, mirror: Mirror) -> list[str]:
    named = here.before[0].strip() if here.before else ""
    group = group_key(named) if named else mirror.current
    match kind:
        case Kind.GROUP:
            return _followed(here, command, [*_groups(command, mirror), *_conversations(here, mirror)])
        case Kind.USER:
            return _followed(here, command, _users(command, mirror, group))
        case Kind.NAME:
            return sorted({*_groups(command, mirror), *mirror.users.values(), *_conversations(here, mirror)})
        case Kind.TEXT | Kind.REASON:
            return _members(mirror, group)
        case Kind.COMMAND:
            return [each.name for each in COMMANDS]
        case Kind.SWITCH:
            return ["on", "off"]
        case Kind.PRIVACY:
            return ["private"]
        case _:
            return []


def _conversations(here: Place, mirror: Mirror) -> list[str]:
    """Return what stands for the texts with each user, once that is begun: `@bob`."""
    return sorted(f"@{name}" for name in mirror.users.values()) if here.fragment.startswith("@") else []


def _followed(here: Place, command: Command, names: Iterable[str]) -> list[str]:
    """Add the separator if a required field follows."""
    following = command.fields[len(here.before) + 1 :]
    separator = (" " if here.is_slash else ";") if following and not following[0].optional else ""
    return [name + separator for name in names if ";" not in name]


def _groups(command: Command, mirror: Mirror) -> list[str]:
    views = mirror.groups.values()
    if command.makes is Join:
        others = {group_key(view.name): view.name for view in views if not view.is_member}
        mine = {group_key(view.name) for view in views if view.is_member}
        return sorted(name for key, name in {**mirror.listed, **others}.items() if key not in mine)
    return sorted(view.name for view in views if view.is_member)


def _users(command: Command, mirror: Mirror, key: Key | None) -> list[str]:
    view = None if key is None else mirror.groups.get(key)
    group = None if view is None else view.group
    if command.makes is Unban:
        return sorted(group.banned.values()) if group is not None else []
    if command.makes in (Tell, Invite) or group is None:
        inside = group.members if group is not None and command.makes is Invite else {}
        me = user_key(mirror.name)
        return sorted(name for user, name in mirror.users.items() if user != me and user not in inside)
    return _members(mirror, key)


def _members(mirror: Mirror, key: Key | None) -> list[str]:
    """Return the other members of a group."""
    view = None if key is None else mirror.groups.get(key)
    if view is None or view.group is None:
        return []
    me = user_key(mirror.name)
    return sorted(name for user, name in view.group.members.items() if user != me)
