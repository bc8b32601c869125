"""The words that programs of the course use, as data: kinds of messages, their names, their keys; French and English.

Nothing here is a rule. A learner tries these words in this order; what a program does with them decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from libtchat.message.value import frozen

__all__ = [
    "ACTION_KEYS",
    "AFFIXES",
    "ALSO_TYPED",
    "ANSWERS",
    "COMMANDS",
    "FEW",
    "HOLES",
    "KEYS",
    "KINDS",
    "LISTS_OF",
    "LIST_KEYS",
    "MENU_STEMS",
    "PROMPTS",
    "SUCCESS",
    "WRAPPERS",
    "Kind",
    "kind_of_name",
    "names_of",
]

HOLES = ("me", "who", "dest", "group", "text", "reason", "say", "list", "event")
"""What a hole of a template may stand for."""


@frozen
class Kind:
    """One kind of message.

    Attributes:
        action: of the request, as the course has it; "" if nobody asks for it.
        typed: the course's command, with holes; "" if nobody types it.
        shows: the holes that a program which shows it well shows, the most important first.
        names: what answers of this kind are called, without prefix, beside the request's own name; words are joined
            by "-" here, and `names_of` spells them in other ways too.
    """

    action: str
    typed: str
    shows: tuple[str, ...]
    names: tuple[str, ...] = ()


KINDS: Mapping[str, Kind] = {
    "hello": Kind("client-hello", "", ("say", "who"), ("hello", "welcome", "login", "connect", "connection")),
    "tell": Kind(
        "client-send",
        "s;{dest};{text}",
        ("text", "who"),
        ("send", "message", "msg", "private", "whisper", "private-message", "mp"),
    ),
    "broadcast": Kind(
        "client-broadcast", "b;{text}", ("text", "who"), ("broadcast", "all", "message", "chat", "public-message")
    ),
    "users": Kind(
        *("client-list-clients", "ls;", ("list",)),
        ("list-clients", "list", "clients", "users", "ls", "list-users", "user-list", "client-list", "clients-list"),
    ),
    "quit": Kind("client-quit", "q;", (), ("quit", "bye", "exit")),
    "create": Kind(
        *("cgroupe", "cg;{group}", ("group",)),
        (*("cgroupe", "cgroup", "create-group", "group-created", "create", "created", "creategroup"),),
    ),
    "join": Kind(
        "join",
        "j;{group}",
        ("who", "group"),
        ("join", "joined", "join-group", "group-join", "user-joined", "group-joined"),
    ),
    "text": Kind(
        *("gbroadcast", "bg;{group};{text}", ("text", "who", "group")),
        (
            *("gbroadcast", "group-broadcast", "broadcast-group", "group-message", "gmessage", "bg"),
            *("groupe-message", "message-groupe", "msg-group", "group-msg", "gmsg", "message-group"),
        ),
    ),
    "members": Kind(
        *("members", "members;{group}", ("list", "group")),
        (
            *("members", "list-members", "group-members", "membres", "member-list", "list-group-members"),
            *("clients", "members-list"),
        ),
    ),
    "messages": Kind(
        *("msgs", "messages;{group}", ("text", "who")),
        (
            *("msgs", "messages", "list-messages", "group-messages", "history", "historique", "list-msgs"),
            *("message-list", "messages-list"),
        ),
    ),
    "groups": Kind(
        *("groups", "groups;", ("list",)),
        ("groups", "list-groups", "group-list", "groupes", "list-group", "groups-list"),
    ),
    "leave": Kind("leave", "leave;{group}", ("who", "group"), ("leave", "left", "leave-group", "group-leave", "quit")),
    "invite": Kind(
        *("invite", "invite;{group};{dest}", ("group", "who")),
        ("invite", "invited", "invitation", "invite-group", "group-invite"),
    ),
    "kick": Kind(
        *("kick", "kick;{group};{dest};{reason}", ("dest", "group", "reason", "who")),
        ("kick", "kicked", "kick-group", "group-kick", "exclude"),
    ),
    "ban": Kind(
        *("ban", "ban;{group};{dest};{reason}", ("dest", "group", "reason", "who")),
        ("ban", "banned", "ban-group", "group-ban"),
    ),
    "unban": Kind(
        *("unban", "unban;{group};{dest}", ("dest", "group", "who")),
        ("unban", "unbanned", "unban-group", "group-unban", "deban"),
    ),
    "states": Kind(
        *("states", "states;{group}", ("event",)),
        ("states", "state", "list-states", "group-states", "events", "list-events", "etats", "history"),
    ),
    "error": Kind("", "", ("say",), ("error", "err", "erreur", "failure", "fail", "warning")),
    "connect": Kind(
        *("", "", ("who",)),
        (
            *("connect", "connected", "hello", "new-client", "client-connected", "join", "user-connected"),
            *("user-joined", "new", "login"),
        ),
    ),
    "disconnect": Kind(
        *("", "", ("who",)),
        (
            *("disconnect", "disconnected", "quit", "client-disconnected", "leave", "user-disconnected"),
            *("user-left", "bye", "logout"),
        ),
    ),
    "say": Kind("", "", ("say",), ("info", "notice", "message", "msg", "notification", "server", "system", "log")),
}
"""Every kind of message there is, in the order in which a learner goes through them."""

COMMANDS = tuple(name for name, kind in KINDS.items() if kind.typed)
ANSWERS = tuple(name for name in KINDS if name != "quit")

# {0} is a name of the kind, {own} the name that the program itself gives the request; the likeliest first.
AFFIXES = (
    *("server-{own}", "{own}", "{own}-response", "{own}-ok", "{own}-success", "{own}-reply", "server-{0}", "{0}"),
    *("{own}-ack", "ack-{own}", "server-{own}-response", "client-{0}", "group-{0}", "server-group-{0}", "{own}-result"),
    *("response-{own}", "{own}ed", "server_{own}", "{own}_response", "{own}-group", "res-{own}", "new-{own}"),
    *("{own}-notification", "notify-{own}", "on-{own}", "{own}Response", "server{Own}"),
)

KEYS: Mapping[str, tuple[str, ...]] = {
    "who": (
        *("from", "sender", "name", "user", "username", "pseudo", "who", "author", "client", "sender_name", "by"),
        *("owner", "nickname", "exp", "expediteur", "source", "auteur", "login", "nom", "member", "emetteur"),
    ),
    "dest": (
        *("dest", "to", "target", "receiver", "recipient", "receiver_name", "destinataire", "cible", "kicked"),
        *("banned", "invited", "victim", "destination", "dst"),
    ),
    "group": (
        *("group", "groupe", "groupName", "group_name", "groupname", "room", "grp", "nomGroupe", "gname", "channel"),
    ),
    "text": (
        *("msg", "message", "content", "text", "description", "contenu", "texte", "body", "txt", "value", "mess"),
        *("info", "payload", "response", "reponse", "detail", "notice"),
    ),
    "reason": ("reason", "raison", "motif", "cause", "why"),
    "error": ("error", "err", "erreur", "errorMessage"),
}
"""A hole -> the keys it may stand under. `text` is {text} in texts and {say} in everything else."""

LIST_KEYS: tuple[str, ...] = (
    *("list", "data", "clients", "users", "members", "membres", "messages", "msgs", "groups", "groupes", "events"),
    *("states", "liste", "tab", "history", "historique", "names", "result", "results", "array", "items", "table"),
    *("etats", "log", "logs", "lists", "listClients", "listMembers", "listGroups", "listMessages", "evenements"),
)
"""Where a list may stand."""

LISTS_OF: Mapping[str, tuple[str, ...]] = {
    "users": ("list", "clients", "users", "data", "names", "liste", "tab", "members"),
    "members": ("list", "members", "data", "membres", "users", "clients", "liste", "tab"),
    "groups": ("list", "groups", "data", "groupes", "liste", "tab", "group", "names"),
    "messages": ("list", "messages", "data", "msgs", "history", "historique", "liste", "tab"),
    "states": ("list", "states", "data", "events", "state", "etats", "liste", "tab"),
}
"""Where the list of a kind stands, the likeliest; all others are in LIST_KEYS."""

FEW: Mapping[str, int] = {"who": 6, "dest": 3, "group": 3, "text": 5, "reason": 2, "error": 2}
"""How many keys of each hole a first try holds: many programs read no more than 1024 bytes at once."""

ALSO_TYPED: Mapping[str, tuple[str, ...]] = {
    "tell": ("send", "msg", "mp"),
    "broadcast": ("broadcast", "all"),
    "users": ("list", "clients", "users"),
    "create": ("create", "cgroup", "cgroupe"),
    "join": ("join",),
    "text": ("gbroadcast", "gb", "gmsg"),
    "members": ("membres", "lm"),
    "messages": ("msgs", "history"),
    "groups": ("lg", "group"),
    "leave": ("l", "quit"),
    "invite": ("i", "inv"),
    "kick": ("k",),
    "ban": ("b",),
    "unban": ("ub", "deban"),
    "states": ("state", "events"),
}
"""What some call a command instead of its name in the course."""

SUCCESS: Mapping[str, object] = {"success": True, "ok": True, "status": "ok", "code": 200, "result": "ok"}
"""What some look at before they show anything; sent only if nothing is shown without."""

WRAPPERS = ("messageFormat", "message", "data", "msg", "request", "payload", "body", "content")
"""Keys under which some put the whole message."""

ACTION_KEYS = ("action", "type", "cmd", "command", "event", "op", "kind")

PROMPTS: tuple[tuple[str, str], ...] = (
    (r"port", "{port}"),
    (r"h[oô]te?\b|\bhost|adress|\bip\b|serveur|server", "{host}"),
    (r"pass|mot de", "secret"),
    (r"nam|nom|pseudo|login|user|utilisateur|identi|who|qui", "{name}"),
)
"""What a question at the start asks for: a pattern (any case) -> the answer."""

MENU_STEMS: tuple[tuple[str, str], ...] = (
    *(("unban", r"un-?ban|d[ée]-?ban|lever"), ("ban", r"\bban|bann"), ("kick", r"kick|expuls|exclu|virer")),
    *(("invite", r"invit"), ("members", r"membr|member"), ("states", r"state|[ée]tat|[ée]v[éeè]nement|event")),
    *(
        ("leave", r"leave|left|quitter (le |un )?groupe|partir|sortir du"),
        ("create", r"cgroup|cr[ée]{2}|create|cr[ée]er"),
    ),
    *(("join", r"join|rejoin"), ("text", r"gbroad|\bbg\b|message.*group|group.*(message|broadcast)|diffus.*group")),
    *(("messages", r"msgs|messages|histor"), ("groups", r"groups|groupes|group.?list|list.*group")),
    *(
        ("users", r"list|clients|connect[ée]s|users|utilisateurs|\bls\b"),
        ("broadcast", r"broad|diffus|tous|all|public"),
    ),
    *(("tell", r"send|priv|envo|message"), ("quit", r"quit|exit|bye")),
)
"""A kind -> what its line in a menu, or the name of its action, may contain (any case); the first that fits counts."""


def names_of(kind: str, own: str | None, first: tuple[str, ...] = ()) -> dict[str, str]:
    """Return what answers of *kind* may be called, the likeliest first, each with the affix that made it.

    Args:
        own: what the program calls its request of this kind, None if it has none.
        first: affixes that this program is known to use.
    """
    row = KINDS[kind]
    own = own or row.action or row.names[0]
    bare = own
    for prefix in ("client-", "client_", "server-", "req-", "request-"):
        bare = bare.removeprefix(prefix)
    found: dict[str, str] = {}
    for affix in dict.fromkeys((*first, *AFFIXES)):
        name = affix.replace("{own}", bare).replace("{Own}", bare[:1].upper() + bare[1:])
        if "{0}" in affix:
            for each in row.names:
                found.setdefault(affix.replace("{0}", each), affix)
            if affix == "{0}":
                found |= {name: affix for name in map(_in_camel_case, row.names) if name not in found}
        else:
            found.setdefault(name, affix)
        if affix == "{own}":
            found.setdefault(own, affix)
    if "_" in own:
        found = {name.replace("-", "_"): affix for name, affix in found.items()} | found
    return found


def _in_camel_case(name: str) -> str:
    first, *others = name.split("-")
    return first + "".join(other.capitalize() for other in others)


def kind_of_name(name: str) -> str | None:
    """Return the kind that something called *name* seems to be, None if that cannot be told."""
    return next((kind for kind, stem in MENU_STEMS if re.search(stem, name, re.IGNORECASE)), None)
