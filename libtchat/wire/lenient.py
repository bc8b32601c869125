"""How other people's servers write what ours would: object to object (spec/protocol.md, "Clients").

Only a client uses this. The result is what a server of this protocol would have sent, as far as it can be told;
whether it is complete is for the codec to find.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from libtchat.message.event import EVENTS
from libtchat.message.reply import REPLIES
from libtchat.wire.spelling import ACTIONS, FIELDS, LISTS, WRAPPER, read_fields

__all__ = ["UNSAID_CODE", "text_of", "translate"]

_PREFIXES = ("server-", "client-", "group-")
_ACTIONS = {**EVENTS, **REPLIES}
_FIELDS = tuple((name, others) for name, others in FIELDS.items() if name not in ("to", "dest"))
_NAME_FIELDS = ("name", "sender", "from", "user", "group", "groupe")

UNSAID_CODE = "failed"
"""The code of an error in which another server names none."""

# What others leave out, and what then stands there: nothing depends on it.
_UNSAID: Mapping[str, Any] = {"seq": 0, "ts": "", "version": 0, "server": "", "token": "", "reason": "", "more": False}
_UNSAID_OF: Mapping[str, Mapping[str, Any]] = {
    "error": {"code": UNSAID_CODE},
    "members": {"online": []},
}


def translate(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return *found* as a server of this protocol would have sent it; as it is, if its action means nothing here."""
    wrapped = found.get(WRAPPER)
    said = dict(wrapped if isinstance(wrapped, dict) else found)
    action = _action(said.get("action"))
    if action is None:
        return said
    read_fields(said, _FIELDS)
    read_fields(said, (("to", FIELDS["to"]), ("dest", FIELDS["dest"])))
    if (entries := _entries(said)) is not None:
        group = said.get("group")
        is_page = action in ("msgs", "states")
        said["list"] = [_entry(entry, group) if is_page else _name(entry) for entry in entries]
    if action == "cgroupe" and "sender" in said:
        said.setdefault("owner", said["sender"])
    if isinstance(reason := said.get("error"), str):
        said.setdefault("msg", reason)
    return {**_UNSAID, **_UNSAID_OF.get(action, {}), **said, "action": action}


def text_of(found: Mapping[str, Any], *, with_list: bool = False) -> str | None:
    """Return the text that *found* has for people, if it has one; *with_list*: and the names of a list beside it."""
    inside = found.get(WRAPPER)
    found = inside if isinstance(inside, dict) else found
    texts = (found.get(name) for name in ("msg", *FIELDS["msg"], "error"))
    text = next((text for text in texts if isinstance(text, str) and text), None)
    names = [name for name in map(_name, _entries(found) or ()) if isinstance(name, str)] if with_list else []
    if text and all(name in text for name in names):
        return text
    return f"{text}: {', '.join(names)}" if text else ", ".join(names) or None


def _action(action: Any) -> str | None:
    if not isinstance(action, str):
        return None
    bare = action
    for prefix in _PREFIXES:
        bare = bare.removeprefix(prefix)
    candidates = (action, ACTIONS.get(action), bare, ACTIONS.get(bare), f"server-{bare}")
    return next((candidate for candidate in candidates if candidate in _ACTIONS), None)


def _entries(said: Mapping[str, Any]) -> list[Any] | None:
    return next((said[name] for name in (*LISTS, "msg") if isinstance(said.get(name), list)), None)


def _name(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    return next((entry[name] for name in _NAME_FIELDS if isinstance(entry.get(name), str)), entry)


def _entry(entry: Any, group: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    return translate({"action": "gbroadcast", "group": group, **entry})
