"""libtchat: the tchat protocol as pure values and functions; no socket, file, clock, thread or random inside.

Most programs need one of these: `Hub` and `ServerEnd` to be a server, `ClientConnection` to be a client, `Group`
with `decide` and `evolve` to keep groups in a server of their own, or the codec alone.

    from libtchat import Hub, Say, Send, ServerEnd

What is listed here is public: docs/public.md says what each name is for, and what may change. A name is imported
when it is first used, so a program pays for what it needs.
"""

from importlib import import_module

__version__ = "0.1.0"

# Where each name is from. Type checkers read it in __init__.pyi; tests/libtchat/test_public.py holds the two equal.
_HOMES = {
    "client": "ClientConnection",
    "direct": "Box",
    "effect": (
        "Answer Append Ask AwaitRoom CheckPassword CheckRequest Close Effect FindRetry FindUser HashPassword Item "
        "LoadGroup LoadUser NumberGuest PageKind Part PeerId PresenceScope Question Read ReadGroups "
        "Registration Resend SaveUser Send Settled"
    ),
    "stored": "Known Loaded Membership Retried Retry StoredUser",
    "group": "Group Standing evolve fold outsiders subject successor",
    "rules": "GroupQuery admit decide say",
    "hub.hub": "Hub",
    "message.errors": "ErrorCode ProtocolError Refused TchatError Violation",
    "message.direct": "KEPT KeptEvent Received Sent",
    "message.event": (
        "EVENTS OPERATOR Banned Closed Created Event Invited Joined Kicked Left LogEvent Redacted Said Unbanned"
    ),
    "message.limits": (
        "DEFAULT_LIMITS DEFAULT_PAGE_ENTRIES MAX_COMMAS MAX_DEPTH MAX_FRAME_BYTES MAX_GARBAGE_RUNS MAX_GROUP_CHARS "
        "MAX_ID_BYTES MAX_INTEGER MAX_KEYS MAX_MSG_BYTES MAX_NAME_CHARS MAX_PAGE_BYTES MAX_PAGE_ENTRIES "
        "MAX_REASON_BYTES MAX_SUMMARY_CHARS PROTOCOL_VERSION ServerLimits"
    ),
    "message.names": (
        "GUEST_PREFIX Key UserKey check_any_user_name check_group_name check_user_name group_key is_guest user_key"
    ),
    "message.reply": (
        "REPLIES DirectMessage Error Foreign Goodbye Groups Members Message Messages Pong PresenceNotice "
        "PublicMessage Registered Reply States Users Welcome"
    ),
    "message.request": (
        "REQUESTS Ban Broadcast Create GroupRequest Hello Invite Join Kick Leave ListGroups ListMembers ListMessages "
        "ListStates ListUsers Ping Quit Register ReportError Request Say Tell Unban"
    ),
    "mirror": "CaughtUp Gone Heard Mirror Missing NoAnswer Notice View",
    "paging": "fill",
    "ruling": "CloseGroup EndTexts Expel GiveGroup RedactText Ruling end_texts log_key rule",
    "wire.codec": "decode_event decode_message decode_request encode encode_page encode_request read_message",
    "wire.connection": "CRLF ClientEnd ServerEnd",
    "wire.snapshot": "decode_group encode_group",
}
_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'libtchat' has no attribute {name!r}")
    return getattr(import_module(f"libtchat.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
