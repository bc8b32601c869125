"""What servers call the requests that the course calls otherwise, as data; and how a name may be spelled.

Words of a name are joined by "-" here; "{g}" is what the program calls a group. As in `vocabulary.py` nothing is a
rule: a learner tries these, and what the server does decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from libtchat.dialect.vocabulary import KINDS, kind_of_name
from libtchat.message.value import frozen

__all__ = ["NAMES", "NOUNS", "PLAIN", "Spelling", "names_to_try", "spelling_of"]

NOUNS = ("group", "groupe", "room", "salon", "channel", "chan")

NAMES: Mapping[str, tuple[str, ...]] = {
    "hello": (
        *("hello", "connect", "login", "connexion", "join", "register", "auth", "user", "name", "username", "pseudo"),
        *("nick", "bonjour", "identify", "connection", "new-user", "set-name", "init", "enter", "inscription"),
        *("signin", "identification", "welcome", "set-username", "set-nick", "authenticate", "nickname", "hi"),
        *("start", "open"),
    ),
    "users": (
        *("list", "users", "clients", "who", "ls", "list-users", "liste", "connectes", "utilisateurs", "get-users"),
        *("user-list", "online", "client-list", "names", "list-clients", "get-clients", "membres", "liste-clients"),
        *("liste-utilisateurs", "users-list", "connected", "list-all", "people", "peers"),
    ),
    "broadcast": (
        *("broadcast", "all", "shout", "message", "chat", "public", "say", "send-all", "tous", "msg", "diffuser"),
        *("diffusion", "message-all", "public-message", "tell-all", "global", "everyone", "bcast", "message-public"),
        *("envoyer-tous", "broadcast-message", "send", "crier"),
    ),
    "tell": (
        *("send", "private", "msg", "whisper", "message", "tell", "pm", "mp", "dm", "prive", "direct", "send-message"),
        *("private-message", "message-prive", "send-private", "direct-message", "envoyer", "privmsg", "send-to"),
        *("unicast", "private-msg", "send-msg", "chuchoter"),
    ),
    "groups": (
        *("groups", "{g}s", "list-{g}s", "list-groups", "{g}-list", "get-{g}s", "groupes", "liste-{g}s", "list-{g}"),
        *("liste-groupes", "{g}s-list"),
    ),
    "create": (
        *("cgroupe", "cgroup", "create", "create-{g}", "{g}-create", "creer-{g}", "creer", "new-{g}", "make-{g}"),
        *("add-{g}", "c{g}", "mk{g}", "nouveau-{g}", "creation-{g}", "open-{g}", "new"),
    ),
    "members": (
        *(
            "members",
            "{g}-members",
            "membres",
            "list-members",
            "members-{g}",
            "membres-{g}",
            "{g}-users",
            "get-members",
        ),
        *("users-{g}", "list-{g}-members", "{g}-who", "who", "{g}-clients", "list-{g}", "names", "liste-membres"),
    ),
    "join": (
        *("join", "join-{g}", "{g}-join", "rejoindre", "rejoindre-{g}", "enter", "enter-{g}", "entrer", "j{g}"),
        *("integrer", "subscribe"),
    ),
    "text": (
        *("gbroadcast", "say", "{g}-message", "message-{g}", "{g}-broadcast", "broadcast-{g}", "{g}-msg", "msg-{g}"),
        *("send-{g}", "{g}-send", "gmessage", "gmsg", "say-{g}", "{g}-text", "{g}-say", "{g}-chat", "bg", "bgroup"),
        *("send-{g}-message", "diffuser-{g}", "publish", "post", "talk", "{g}", "message", "envoyer-{g}", "speak"),
    ),
    "messages": (
        *("msgs", "messages", "history", "historique", "{g}-messages", "{g}-history", "list-messages", "get-messages"),
        *("messages-{g}", "historique-{g}", "{g}-msgs", "get-history", "list-msgs", "log", "history-{g}", "logs"),
    ),
    "states": (
        *("states", "events", "{g}-states", "{g}-events", "evenements", "log", "logs", "journal", "state", "etats"),
        *("list-events", "list-states", "get-events", "{g}-log", "{g}-logs", "get-states", "history", "historique"),
        *("activity", "audit"),
    ),
    "invite": (
        *(
            "invite",
            "invite-{g}",
            "{g}-invite",
            "inviter",
            "invitation",
            "invite-user",
            "inviter-{g}",
            "add",
            "ajouter",
        ),
        *("add-user",),
    ),
    "kick": (
        *("kick", "kick-{g}", "{g}-kick", "exclure", "expulser", "virer", "kick-user", "exclude", "remove", "eject"),
        *("expel", "exclusion", "exclure-{g}", "remove-user"),
    ),
    "ban": ("ban", "ban-{g}", "{g}-ban", "bannir", "ban-user", "block", "bannir-{g}", "bannissement"),
    "unban": (
        *("unban", "unban-{g}", "{g}-unban", "debannir", "deban", "unban-user", "pardon", "unblock", "debannir-{g}"),
    ),
    "leave": (
        *("leave", "leave-{g}", "{g}-leave", "quitter", "quitter-{g}", "part", "quit-{g}", "exit-{g}", "sortir"),
        *("partir", "unsubscribe", "l{g}", "quit", "sortir-{g}"),
    ),
    "quit": (
        *("quit", "exit", "bye", "disconnect", "logout", "deconnexion", "close", "quitter", "goodbye", "end", "leave"),
        *("stop",),
    ),
}
"""A kind -> what servers call the request, beside the course's name, the likeliest first."""


@frozen
class Spelling:
    """How a program spells the names of its requests: *prefix*, what joins words, and which letters are capitals.

    Attributes:
        case: "lower", "upper", "camel" or "title".
    """

    prefix: str = ""
    joint: str = "-"
    case: str = "lower"

    def spell(self, name: str) -> str:
        """Return *name*, whose words are joined by "-", as this program spells it."""
        words = name.split("-")
        if self.case == "camel":
            return self.prefix + words[0] + "".join(word.capitalize() for word in words[1:])
        if self.case == "title":
            return self.prefix + self.joint.join(word.capitalize() for word in words)
        found = self.prefix + self.joint.join(words)
        return found.upper() if self.case == "upper" else found


PLAIN = (Spelling(), Spelling(joint="_"), Spelling(case="camel"), Spelling(joint=""), Spelling(joint="_", case="upper"))
"""How names are spelled, the likeliest first."""

_SEPARATE = re.compile(r"[-_ :.]")


def spelling_of(name: str) -> tuple[Spelling, ...]:
    """Return how other names are spelled by who spells *name* so, the likeliest first."""
    prefix = next((each for each in ("client-", "client_", "req-", "cmd-") if name.lower().startswith(each)), "")
    if prefix:
        prefix = name[: len(prefix)]
    rest = name[len(prefix) :]
    joint = found[0] if (found := _SEPARATE.search(rest)) else ""
    case = "upper" if rest.isupper() else "title" if rest[:1].isupper() else "lower"
    if case == "lower" and any(letter.isupper() for letter in rest):
        case = "camel"
    joints = (joint,) if joint else ("",) if case == "camel" else ("_", "-", "") if case == "upper" else ("-", "_", "")
    found_so = [Spelling(prefix, each, case) for each in joints]
    if case == "lower" and not joint:
        found_so.insert(1, Spelling(prefix, "", "camel"))
    return tuple(found_so)


def names_to_try(
    kind: str, spellings: Iterable[Spelling], words: Iterable[str] = (), nouns: Iterable[str] = NOUNS
) -> Iterator[str]:
    """Go through what a server may call the request of *kind*, the likeliest first, each once.

    Args:
        nouns: what it may call a group.
        words: names that are surely its own, found elsewhere; those which sound like *kind* come first.
    """
    words, nouns = tuple(words), tuple(nouns)
    known = {name for name in words if kind_of_name(name) == kind}
    spellings = tuple(spellings)
    first, others = spellings[:1], spellings[1:]
    rows = [name for row in (KINDS[kind].action, *NAMES[kind]) for name in _with_nouns(row, nouns)]
    spelled = [spelling.spell(name) for turn in (first, others) for name in rows for spelling in turn]
    mentioned = [name for name in spelled if name in words]
    yield from dict.fromkeys((*mentioned, *sorted(known, key=words.index), *spelled))


def _with_nouns(name: str, nouns: Iterable[str]) -> tuple[str, ...]:
    return tuple(name.replace("{g}", noun) for noun in nouns) if "{g}" in name else (name,)
