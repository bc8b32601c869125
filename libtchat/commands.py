"""What a person types, and the request it means: `bg;wob;hello` or `/bg wob hello` <-> `Say`.

One row per command: its fields, help, example, who may use it and what may be answered. Parsing, completion, help
and the errors' forms all read that table. Nothing here sends or prints; who asks (`sender`) and `id` are the
caller's to fill in (spec/protocol.md, "Typed lines").
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from enum import StrEnum

from libtchat.guess import ELSEWHERE, NO_WORDS, is_meant_to_register, nearest
from libtchat.message.errors import CommandError, ErrorCode, Refused
from libtchat.message.limits import (
    MAX_GROUP_CHARS,
    MAX_INTEGER,
    MAX_MSG_BYTES,
    MAX_NAME_CHARS,
    MAX_PAGE_ENTRIES,
    MAX_REASON_BYTES,
)
from libtchat.message.names import check_group_name, check_user_name, is_guest, user_key
from libtchat.message.request import (
    Ban,
    Broadcast,
    Create,
    Invite,
    Join,
    Kick,
    Leave,
    ListGroups,
    ListMembers,
    ListMessages,
    ListStates,
    ListUsers,
    Ping,
    Quit,
    Register,
    Request,
    Say,
    Tell,
    Unban,
)
from libtchat.message.value import frozen

__all__ = [
    "COMMANDS",
    "PROBLEMS",
    "Clear",
    "Command",
    "Field",
    "Help",
    "Kind",
    "LocalAction",
    "Me",
    "Mistyped",
    "More",
    "Mute",
    "Place",
    "Raw",
    "Search",
    "Trace",
    "Unmute",
    "Use",
    "find",
    "may_hold_secret",
    "parse",
    "place",
    "unparse",
]


class Kind(StrEnum):
    """What a typed field may hold."""

    GROUP = "group"
    USER = "user"
    NAME = "name"
    TEXT = "text"
    REASON = "reason"
    PASSWORD = "password"
    NUMBER = "number"
    COUNT = "count"
    PRIVACY = "privacy"
    SWITCH = "switch"
    COMMAND = "command"
    JSON = "json"


@frozen
class Help:
    """Show the help of *command*, or of all when it is None."""

    command: str | None = None


@frozen
class Use:
    """Make *group* the current one."""

    group: str


@frozen
class Raw:
    """Send *text*, a JSON object, as it is."""

    text: str


@frozen
class Trace:
    """Show every message in and out, or stop that."""

    on: bool


@frozen
class More:
    """Show what is older than what was shown."""


@frozen
class Search:
    """Show the texts of the current group that have *text* in them."""

    text: str


@frozen
class Clear:
    """Empty the screen."""


@frozen
class Mute:
    """Show no texts of the group or user *name*."""

    name: str


@frozen
class Unmute:
    """Show the texts of the group or user *name* again."""

    name: str


@frozen
class Me:
    """Say to the current group what one does."""

    text: str


LocalAction = Help | Use | Raw | Trace | More | Search | Clear | Mute | Unmute | Me
"""What a typed line asks of the client itself."""


@frozen
class Field:
    """One field of a command: *name* is the request's attribute, *word* what a person calls it."""

    name: str
    word: str
    kind: Kind
    optional: bool = False

    @property
    def is_secret(self) -> bool:
        """Whether its value must never be shown or recorded."""
        return self.kind is Kind.PASSWORD


@frozen
class Command:
    """One row: how a command is typed, what it makes, and its help."""

    name: str
    makes: type[Request] | type[LocalAction]
    fields: tuple[Field, ...]
    help: str
    example: str
    who: str = "everybody"
    errors: tuple[ErrorCode, ...] = ()
    also: tuple[str, ...] = ()

    @property
    def takes(self) -> str:
        """The fields as typed, the optional ones in brackets: `[group];user[;reason]`."""
        text = ""
        for field in self.fields:
            bracketed = field.optional or (field.kind is Kind.GROUP and self.current_group_will_do)
            separator = ";" if text else ""
            text += f"[{separator}{field.word}]" if field.optional else separator + (f"[{field.word}]" * bracketed)
            text += field.word * (not bracketed)
        return text

    @property
    def form(self) -> str:
        """The whole command as typed: `kick;[group];user[;reason]`."""
        return f"{self.name};{self.takes}"

    @property
    def current_group_will_do(self) -> bool:
        """Whether an empty group means the current one."""
        return self.makes not in (Create, Use)


_GROUP = Field("group", "group", Kind.GROUP)
_USER = Field("dest", "user", Kind.USER)
_TEXT = Field("msg", "text", Kind.TEXT)
_REASON = Field("reason", "reason", Kind.REASON, optional=True)
_PAGE = (
    _GROUP,
    Field("limit", "how many", Kind.COUNT, optional=True),
    Field("before", "before number", Kind.NUMBER, optional=True),
)
_SEEN = (ErrorCode.GROUP_NOT_FOUND, ErrorCode.NOT_MEMBER)
_READ = (*_SEEN, ErrorCode.BANNED)
_OWNED = (*_SEEN, ErrorCode.FORBIDDEN)

COMMANDS: tuple[Command, ...] = (
    Command(
        *("s", Tell, (Field("to", "user", Kind.USER), _TEXT)),
        help="send a text to one user, who must be connected",
        example="s;david;hello",
        errors=(ErrorCode.USER_NOT_FOUND, ErrorCode.TOO_LARGE),
        also=("send", "msg"),
    ),
    Command(
        *("b", Broadcast, (_TEXT,)),
        help="send a text to everybody connected",
        example="b;hello",
        errors=(ErrorCode.RATE_LIMITED, ErrorCode.TOO_LARGE),
        also=("broadcast",),
    ),
    Command(*("ls", ListUsers, ()), help="list who is connected", example="ls;"),
    Command(*("q", Quit, ()), help="leave tchat; your groups keep you", example="q;", also=("quit", "exit")),
    Command(
        *("cg", Create, (_GROUP, Field("private", "private", Kind.PRIVACY, optional=True))),
        help="create a group and become its owner; a private one is joined by invitation only",
        example="cg;wob",
        errors=(ErrorCode.GROUP_EXISTS, ErrorCode.BAD_NAME, ErrorCode.LIMIT_REACHED),
        also=("create",),
    ),
    Command(
        *("j", Join, (_GROUP,)),
        help="join a group; it becomes the current one",
        example="j;wob",
        who="everybody; in a private group whoever is invited",
        errors=(ErrorCode.GROUP_NOT_FOUND, ErrorCode.BANNED, ErrorCode.ALREADY_MEMBER, ErrorCode.INVITE_REQUIRED),
        also=("join",),
    ),
    Command(
        *("bg", Say, (_GROUP, _TEXT)),
        help="send a text to a group; a line without a command does the same in the current group",
        example="bg;wob;hello",
        who="members",
        errors=(*_READ, ErrorCode.TOO_LARGE),
        also=("say",),
    ),
    Command(
        *("members", ListMembers, (_GROUP,)),
        help="list who is in a group",
        example="members;wob",
        who="everybody; in a private group its members",
        errors=_SEEN,
    ),
    Command(
        *("messages", ListMessages, _PAGE),
        help="read the texts of a group, the last 100 or as many as you say",
        example="messages;wob;20",
        who="members",
        errors=_READ,
        also=("history",),
    ),
    Command(*("groups", ListGroups, ()), help="list the groups you can see", example="groups;"),
    Command(
        *("leave", Leave, (_GROUP,)),
        help="leave a group, or decline an invitation",
        example="leave;wob",
        who="members, and whoever is invited",
        errors=_SEEN,
    ),
    Command(
        *("invite", Invite, (_GROUP, _USER)),
        help="invite a user, who may then join",
        example="invite;wob;bob",
        who="members",
        errors=(*_SEEN, ErrorCode.USER_NOT_FOUND, ErrorCode.ALREADY_MEMBER, ErrorCode.TARGET_BANNED),
    ),
    Command(
        *("kick", Kick, (_GROUP, _USER, _REASON)),
        help="remove a member, who may come back, or take back an invitation",
        example="kick;wob;bob;spam",
        who="the owner",
        errors=(*_OWNED, ErrorCode.TARGET_NOT_MEMBER, ErrorCode.SELF_TARGET),
    ),
    Command(
        *("ban", Ban, (_GROUP, _USER, _REASON)),
        help="remove a user and keep that user out",
        example="ban;wob;bob;spam",
        who="the owner",
        errors=(*_OWNED, ErrorCode.TARGET_BANNED, ErrorCode.SELF_TARGET),
    ),
    Command(
        *("unban", Unban, (_GROUP, _USER)),
        help="let a banned user join again",
        example="unban;wob;bob",
        who="the owner",
        errors=(*_OWNED, ErrorCode.NOT_BANNED),
    ),
    Command(
        *("states", ListStates, _PAGE),
        help="list what happened in a group: who came, went, was invited, kicked, banned",
        example="states;wob",
        who="members",
        errors=_READ,
    ),
    Command(
        *("register", Register, (Field("password", "password", Kind.PASSWORD, optional=True),)),
        help="protect your name with a password; without one here you are asked for it, and nothing is shown",
        example="register;",
        errors=(ErrorCode.FORBIDDEN,),
    ),
    Command(*("ping", Ping, ()), help="measure the round trip to the server", example="ping;"),
    Command(
        *("help", Help, (Field("command", "command", Kind.COMMAND, optional=True),)),
        help="show this, or more about one command",
        example="/help kick",
    ),
    Command(
        *("use", Use, (_GROUP,)),
        help="make a group the current one: plain text goes there, and an empty group means it",
        example="/use wob",
    ),
    Command(*("more", More, ()), help="show what is older, or search further back", example="/more"),
    Command(
        *("search", Search, (Field("text", "word", Kind.TEXT),)),
        help="find the texts of the current group that have a word in them",
        example="/search lunch",
    ),
    Command(*("clear", Clear, ()), help="empty the screen", example="/clear"),
    Command(
        *("mute", Mute, (Field("name", "group or user", Kind.NAME),)),
        help="show no texts of a group or of a user",
        example="/mute bob",
    ),
    Command(
        *("unmute", Unmute, (Field("name", "group or user", Kind.NAME),)),
        help="show the texts of a group or of a user again",
        example="/unmute bob",
    ),
    Command(
        *("me", Me, (Field("text", "text", Kind.TEXT),)),
        help="tell the current group what you do",
        example="/me waves",
        who="members",
    ),
    Command(
        *("raw", Raw, (Field("text", "JSON object", Kind.JSON),)),
        help="send a message as it is, for people who implement the protocol",
        example='/raw {"action":"ping"}',
    ),
    Command(
        *("trace", Trace, (Field("on", "on or off", Kind.SWITCH),)),
        help="show every message in and out",
        example="/trace on",
    ),
)

PROBLEMS: Mapping[str, tuple[ErrorCode, str]] = {
    "empty": (ErrorCode.BAD_REQUEST, "nothing was typed"),
    "unknown": (ErrorCode.UNKNOWN_ACTION, "unknown command '{word}': /help lists them, bg;;{line} sends it as text"),
    "near": (ErrorCode.UNKNOWN_ACTION, "unknown command '{word}', did you mean {suggestion}?"),
    "bare": (ErrorCode.UNKNOWN_ACTION, "for the command type {form}, to say it type bg;;{word}"),
    "spaced": (ErrorCode.UNKNOWN_ACTION, "for the command type {typed}, to say it type bg;;{line}"),
    "register": (ErrorCode.BAD_REQUEST, "nothing was sent: type register; alone, and the password is asked for"),
    "irc": (ErrorCode.UNKNOWN_ACTION, "no command '{word}' here: {form} does that"),
    "no-irc": (ErrorCode.UNKNOWN_ACTION, "there is no '{word}' here: /help lists what there is"),
    "fields": (ErrorCode.BAD_REQUEST, "{name} takes {takes}, for example {example}"),
    "no-fields": (ErrorCode.BAD_REQUEST, "{name} takes nothing more: {example}"),
    "no-group": (ErrorCode.BAD_REQUEST, "no current group yet: join one (j;wob) or choose one (/use wob)"),
    "name": (ErrorCode.BAD_NAME, "'{value}' cannot be a {word} name: 1 to {limit} letters, digits or _ - ."),
    "too-large": (ErrorCode.TOO_LARGE, "the {word} has {size} bytes, at most {limit} can be sent"),
    "text": (ErrorCode.BAD_REQUEST, "the {word} holds a character that cannot be sent"),
    "number": (ErrorCode.BAD_REQUEST, "'{value}' is no number from 1 to {limit}: {form}"),
    "choice": (ErrorCode.BAD_REQUEST, "'{value}' cannot be: {form}"),
    "json": (ErrorCode.BAD_JSON, "that is no JSON object: {example}"),
}
"""What can be wrong with a typed line: its code and its English sentence."""


class Mistyped(CommandError):
    """What was typed is no command.

    Attributes:
        problem: which row of PROBLEMS.
        values: what its sentence names, for another language's sentence; clipped, not sanitised.
    """

    def __init__(self, problem: str, **values: object) -> None:
        code, sentence = PROBLEMS[problem]
        self.problem = problem
        self.values = {key: _clip(str(value)) for key, value in values.items()}
        super().__init__(code, sentence.format_map(self.values))


@frozen
class Place:
    """Where in a line the cursor is, for completion.

    Attributes:
        command: None while the command itself is being typed.
        field: None if the command takes no field here.
        fragment: what is typed of the word under the cursor.
        before: the fields before it.
        is_slash: the line is in the `/kick wob bob` form.
    """

    command: Command | None
    field: Field | None
    fragment: str
    before: tuple[str, ...] = ()
    is_slash: bool = False


_BY_NAME = {name: command for command in COMMANDS for name in (command.name, *command.also)}
_BY_TYPE = {command.makes: command for command in COMMANDS}
_SLASH = re.compile(r"/([^\s;]*)(;|\s+|$)(.*)", re.DOTALL)
_QUOTED_SECRET = re.compile(r"passw|token", re.IGNORECASE)
_SAID = frozenset({"help me"})  # a command with its field, and yet it is said
_SEMICOLON = re.compile(r"\s*([\w-]+)\s*(;)(.*)", re.DOTALL)


def find(name: str) -> Command | None:
    """Return the command typed as *name* (any case, with or without `/`), None if there is none."""
    return _BY_NAME.get(name.removeprefix("/").casefold())


def may_hold_secret(line: str) -> bool:
    """Tell whether *line* may hold a password, typed rightly or wrongly: it is then kept nowhere."""
    return is_meant_to_register(line) or _QUOTED_SECRET.search(line) is not None


def parse(line: str, current_group: str | None, known: Collection[str] = ()) -> Request | LocalAction:
    """Return what *line* means; a line that is no command is a text to the current group.

    Args:
        line: one typed line, without its line end; it may hold line ends of its own as part of a text.
        current_group: what an empty group means, None if there is none yet.
        known: names of groups and users, to tell `s bob hi` from a sentence.
    Returns:
        A request without `sender` and `id`, or an action for the client itself. `register;` gives a Register
        with an empty password: the caller asks for it.
    Raises:
        Mistyped: no such command, or its fields are not what it takes; nothing may be sent then.
    """
    typed = _SLASH.match(line) or _SEMICOLON.match(line)
    if typed is None:
        return _plain(line, current_group, known)
    word, separator, rest = typed.groups()
    command = find(word)
    if command is None:
        raise _unknown(word, line)
    words = _cut(command, rest, is_slash=separator != ";")
    if len(words) > len(command.fields):
        raise _wrong_fields(command)
    words += [""] * (len(command.fields) - len(words))
    values: dict[str, object] = {}
    for field, text in zip(command.fields, words, strict=True):
        if text.strip() or (text and field.kind is Kind.TEXT):
            values[field.name] = _check(command, field, text)
        elif field.kind is Kind.GROUP and command.current_group_will_do:
            if current_group is None:
                raise Mistyped("no-group")
            values[field.name] = current_group
        elif not field.optional:
            raise _wrong_fields(command)
    return _make(command, values)


def unparse(request: Request | LocalAction) -> str:
    """Return how a person types *request*; its action, if nobody can. A password is never in it."""
    command = _BY_TYPE.get(type(request))
    if command is None:
        return str(getattr(request, "action", type(request).__name__))
    words = [_show(field, getattr(request, field.name)) for field in command.fields]
    while words and not words[-1]:
        words.pop()
    return ";".join([command.name, *words]) if words else f"{command.name};"


def place(line: str) -> Place:
    """Return what is being typed at the end of *line*."""
    typed = _SLASH.match(line) or _SEMICOLON.match(line)
    if typed is None or (line.startswith("/") and not typed[2]):
        return Place(None, None, line)
    command = find(typed[1])
    if command is None:
        return Place(None, None, line)
    count = len(command.fields)
    if typed[2] == ";":
        words = typed[3].split(";", max(count - 1, 0))
    else:
        words = typed[3].split(None, max(count - 1, 0)) or [""]
        if typed[3] != typed[3].rstrip() and len(words) < count:
            words.append("")
    field = command.fields[len(words) - 1] if len(words) <= count else None
    return Place(command, field, words[-1].lstrip(), tuple(words[:-1]), typed[2] != ";")


def _plain(line: str, current_group: str | None, known: Collection[str]) -> Say:
    text = line.strip()
    if not text:
        raise Mistyped("empty")
    if len(text.split(None, 1)) == 2:
        _refuse_spaced(text, current_group, known)
    bare = find(text) or _nearly(text)
    if bare is not None:
        raise Mistyped("bare", form=bare.form, word=text)
    if current_group is None:
        raise Mistyped("no-group")
    return Say(None, current_group, _text(_BY_TYPE[Say], _TEXT, line))


def _refuse_spaced(text: str, current_group: str | None, known: Collection[str]) -> None:
    """Raise Mistyped if *text* is a command typed with spaces, which must not go to a group: `kick wob bob spam`."""
    if is_meant_to_register(text):
        raise Mistyped("register")
    word, rest = text.split(None, 1)
    command = find(word)
    if command is None or word.startswith("/") or not command.fields or command.makes in (Me, Search):
        return
    if text.casefold() in _SAID:
        return
    words = _cut(command, rest, is_slash=True)
    names = {current_group, *known}
    is_sentence = command.fields[-1].kind in (Kind.TEXT, Kind.REASON) and " " in words[-1]
    if command.fields[-1].kind is Kind.TEXT and len(words) < len(command.fields):
        return
    if (is_sentence or command.makes is Tell) and word.casefold() not in NO_WORDS and not names & {*words}:
        return
    try:
        for field, value in zip(command.fields, words, strict=False):
            if value:
                _check(command, field, value)
    except Mistyped:
        return
    raise Mistyped("spaced", typed=";".join([command.name, *words]), line=text)


def _nearly(text: str) -> Command | None:
    """Return the command that a one-word text is most likely meant to be: `memebrs` without its `;`."""
    near = nearest(text, _BY_NAME, cutoff=0.8) if 5 <= len(text) <= 12 else None
    return None if near is None else _BY_NAME[near]


def _unknown(word: str, line: str) -> Mistyped:
    if is_meant_to_register(word):
        return Mistyped("register")
    if word.casefold() in ELSEWHERE:
        ours = ELSEWHERE[word.casefold()]
        return Mistyped("no-irc", word=word) if ours is None else Mistyped("irc", word=word, form=_BY_NAME[ours].form)
    near = nearest(word, _BY_NAME)
    if near is not None:
        return Mistyped("near", word=word, suggestion=_BY_NAME[near].form)
    return Mistyped("unknown", word=word, line=line)


def _wrong_fields(command: Command) -> Mistyped:
    problem = "fields" if command.fields else "no-fields"
    return Mistyped(problem, name=command.name, takes=command.takes, example=command.example)


def _cut(command: Command, rest: str, *, is_slash: bool) -> list[str]:
    """Cut *rest* at the first N separators, N one less than the fields; the last field takes what is left."""
    cuts = len(command.fields) - 1
    if cuts < 0:
        return [rest] if rest.strip() else []
    if not is_slash:
        return rest.split(";", cuts)
    words = rest.split(None, cuts)
    required = sum(not field.optional for field in command.fields)
    if len(words) == required - 1 and command.current_group_will_do and command.fields[0].kind is Kind.GROUP:
        # `/kick bob`: one word short can only mean the current group
        words = ["", *rest.split(None, max(cuts - 1, 0))]
    return words


def _make(command: Command, values: Mapping[str, object]) -> Request | LocalAction:
    defaults: dict[str, object] = {name: None for name in ("sender",) if name in command.makes.__annotations__}
    if command.makes is Register:
        defaults["password"] = ""
    make: Callable[..., Request | LocalAction] = command.makes
    return make(**{**defaults, **values})


def _show(field: Field, value: object) -> str:
    if value is None or value is False:
        return ""
    if field.is_secret:
        return "***"
    if value is True:
        return "private" if field.kind is Kind.PRIVACY else "on"
    return str(value)


def _check(command: Command, field: Field, text: str) -> object:
    return _CHECKS[field.kind](command, field, text)


def _group(command: Command, field: Field, text: str) -> object:
    try:
        return check_group_name(text)
    except Refused:
        limit = MAX_GROUP_CHARS
        raise Mistyped("name", value=text, word=field.word, limit=limit) from None


def _user(command: Command, field: Field, text: str) -> object:
    name = text.strip()
    if is_guest(user_key(name)):
        return name
    try:
        return check_user_name(name)
    except Refused:
        limit = MAX_NAME_CHARS
        raise Mistyped("name", value=text, word=field.word, limit=limit) from None


def _name(command: Command, field: Field, text: str) -> object:
    """Return the name of a group or a user: what is a user's name can be a group's, guests apart."""
    return _user(command, field, text) if is_guest(user_key(text.strip())) else _group(command, field, text)


def _text(command: Command, field: Field, text: str) -> str:
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise Mistyped("text", word=field.word)
    size = len(text.encode())
    limit = MAX_REASON_BYTES if field.kind is Kind.REASON else MAX_MSG_BYTES
    if size > limit:
        raise Mistyped("too-large", word=field.word, size=size, limit=limit)
    return text


def _number(command: Command, field: Field, text: str) -> object:
    most = MAX_PAGE_ENTRIES if field.kind is Kind.COUNT else MAX_INTEGER
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and 1 <= int(digits) <= most):
        raise Mistyped("number", value=digits, limit=most, form=command.form)
    return int(digits)


def _choice(choices: Mapping[str, object]) -> Callable[[Command, Field, str], object]:
    def check(command: Command, field: Field, text: str) -> object:
        try:
            return choices[text.strip().casefold()]
        except KeyError:
            raise Mistyped("choice", value=text, form=command.form) from None

    return check


def _command(command: Command, field: Field, text: str) -> object:
    found = find(text.strip().rstrip(";"))
    if found is None:
        raise _unknown(text.strip(), text)
    return found.name


def _json(command: Command, field: Field, text: str) -> object:
    try:
        is_object = isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        raise Mistyped("json", example=command.example)
    return text.strip()


def _clip(text: str, most: int = 80) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


_CHECKS: Mapping[Kind, Callable[[Command, Field, str], object]] = {
    Kind.GROUP: _group,
    Kind.USER: _user,
    Kind.NAME: _name,
    Kind.TEXT: _text,
    Kind.REASON: _text,
    Kind.PASSWORD: _text,
    Kind.NUMBER: _number,
    Kind.COUNT: _number,
    Kind.PRIVACY: _choice({"private": True, "public": False}),
    Kind.SWITCH: _choice({"on": True, "off": False}),
    Kind.COMMAND: _command,
    Kind.JSON: _json,
}
