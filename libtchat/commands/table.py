"""The table of commands, help and all: what is parsed, completed and explained is read from here."""

from __future__ import annotations

from libtchat.commands.action import Clear, Help, Me, More, Mute, Raw, Search, Trace, Unmute, Use
from libtchat.commands.row import Command, Field, Kind
from libtchat.message.errors import ErrorCode
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
    Say,
    Tell,
    Unban,
)

__all__ = ["BY_NAME", "BY_TYPE", "COMMANDS", "TEXT", "find"]

_GROUP = Field("group", "group", Kind.GROUP)
_USER = Field("dest", "user", Kind.USER)
TEXT = Field("msg", "text", Kind.TEXT)
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
        *("s", Tell, (Field("to", "user", Kind.USER), TEXT)),
        help="send a text to one user; to who is away it waits, if the name has a password",
        example="s;david;hello",
        errors=(ErrorCode.USER_NOT_FOUND, ErrorCode.TOO_LARGE, ErrorCode.LIMIT_REACHED),
        also=("send", "msg"),
    ),
    Command(
        *("b", Broadcast, (TEXT,)),
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
        *("bg", Say, (_GROUP, TEXT)),
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
        help="read the texts of a group, or those with a user (messages;@bob), the last 100 or as many as you say",
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
    Command(
        *("more", More, (Field("name", "group or user", Kind.NAME, optional=True),)),
        help="show what is older, or search further back; /more @bob: of the texts with bob",
        example="/more",
    ),
    Command(
        *("search", Search, (Field("text", "word", Kind.TEXT),)),
        help="find the texts of the current group that have a word in them; /search @bob lunch: of those with bob",
        example="/search lunch",
    ),
    Command(*("clear", Clear, ()), help="empty the screen", example="/clear"),
    Command(
        *("mute", Mute, (Field("name", "group or user", Kind.NAME),)),
        help="show no texts of a group or of a user; /mute @bob is about no group",
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

BY_NAME = {name: command for command in COMMANDS for name in (command.name, *command.also)}
BY_TYPE = {command.makes: command for command in COMMANDS}


def find(name: str) -> Command | None:
    """Return the command typed as *name* (any case, with or without `/`), None if there is none."""
    return BY_NAME.get(name.removeprefix("/").casefold())
