"""What the page in the browser says and reads, as data: the words and the commands of `tchat`, and a few of its own.

`make page` writes it to tchat_server/page: words.js (the tables) and words.en.js, words.fr.js (the sentences: a browser
loads those of its language); a test holds the files equal to what is made here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from libtchat.commands import COMMANDS, Command
from libtchat.guess import DRASTIC, ELSEWHERE, NO_WORDS, SENTENCES
from libtchat.message import limits
from libtchat.message.event import EVENTS
from libtchat.message.request import Request
from tchat_client.language import LANGUAGES

__all__ = ["PAGE", "files"]

_ALL_OF = ("problem", "help", "word", "error", "caught-up", "missing", "owner")
_SHARED = (
    *("kept", "kept.me", "server-received", "removed.user"),
    *("connect", "disconnect", "register", "members", "members.one", "members.none"),
    *("groups", "groups.one", "groups.none", "groups.mine", "server-list-clients", "server-list-clients.one"),
    *(f"{action}{variant}" for action in EVENTS for variant in ("", ".you", ".me")),
    *(
        "close.undone",
        "redacted",
        "announce",
        "msgs.none",
        "states.none",
        "online",
        "connecting",
        "gone",
        "no-answer",
        "not-confirmed",
        "muted",
        "unmuted",
        "not-muted",
        "server-quit",
        "ping",
    ),
)
_NOT = (
    *("help.title", "help.form", "help.example", "help.who", "help.also", "help.errors"),
    *("error", "error.name-in-use", "error.group-not-found.near"),
)
"""Of the terminal's sentences, those that the page says too: all that begin so, these, but not those."""

PAGE: Mapping[str, tuple[str, str]] = {
    "p.name": ("Your name", "Votre nom"),
    "p.password": ("Password, if the name has one", "Mot de passe, si le nom en a un"),
    "p.enter": ("Enter", "Entrer"),
    "p.guest": ("As a guest", "En invité"),
    "p.bad-name": (
        "A name has 1 to 32 letters, digits or _ - . and no spaces",
        "Un nom a 1 à 32 lettres, chiffres ou _ - . et pas d'espace",
    ),
    "p.in-use": ("The name {name} is in use: choose another one", "Le nom {name} est pris : choisissez-en un autre"),
    "p.welcome": (
        "Choose a name to talk. A name without a password is yours while you are here.",
        "Choisissez un nom pour parler. Un nom sans mot de passe est à vous tant que vous êtes là.",
    ),
    "p.groups": ("Groups", "Groupes"),
    "p.people": ("Direct texts", "Textes directs"),
    "p.everybody": ("Everybody", "Tout le monde"),
    "p.members": ("Members", "Membres"),
    "p.connected": ("Connected", "Connectés"),
    "p.invited": ("Invited", "Invités"),
    "p.banned": ("Banned", "Bannis"),
    "p.online": ("online", "en ligne"),
    "p.away": ("away", "absent"),
    "p.owner": ("owner", "propriétaire"),
    "p.you": ("you", "vous"),
    "p.create": ("Create a group", "Créer un groupe"),
    "p.group-name": ("Name of the group", "Nom du groupe"),
    "p.is-private": ("Private: by invitation only", "Privé : sur invitation seulement"),
    "p.join": ("Join", "Rejoindre"),
    "p.join-some": ("Join a group", "Rejoindre un groupe"),
    "p.no-others": ("No other group is open to all.", "Aucun autre groupe n'est ouvert à tous."),
    "p.decline": ("Decline", "Décliner"),
    "p.invites": ("Invitation", "Invitation"),
    "p.leave": ("Leave", "Quitter"),
    "p.invite": ("Invite", "Inviter"),
    "p.invite-to": ("Invite to {group}", "Inviter dans {group}"),
    "p.more": ("and {count} more", "et {count} de plus"),
    "p.whom": ("Who", "Qui"),
    "p.kick": ("Kick", "Exclure"),
    "p.ban": ("Ban", "Bannir"),
    "p.unban": ("Unban", "Lever le bannissement"),
    "p.take-back": ("Take back", "Reprendre"),
    "p.reason": ("Reason (may be empty)", "Raison (facultative)"),
    "p.write": ("Write", "Écrire"),
    "p.cancel": ("Cancel", "Annuler"),
    "p.send": ("Send", "Envoyer"),
    "p.text": ("Write to {to}", "Écrire à {to}"),
    "p.hint": (
        "Enter sends, Shift+Enter begins a line, / begins a command",
        "Entrée envoie, Maj+Entrée va à la ligne, / commence une commande",
    ),
    "p.commands": ("Commands", "Commandes"),
    "p.keys": (
        "Tab completes, ↑ brings back, Alt+↑ and Alt+↓ change the conversation, Esc closes.",
        "Tab complète, ↑ rappelle, Alt+↑ et Alt+↓ changent de conversation, Échap ferme.",
    ),
    "p.log": ("Messages of {to}", "Messages de {to}"),
    "p.new": ("new", "nouveaux"),
    "p.missed": ("came while you were away", "venu pendant votre absence"),
    "p.unread": ("{count} unread", "{count} non lus"),
    "p.unread.one": ("1 unread", "1 non lu"),
    "p.removed": ("What was before is removed by the server", "Ce qui précédait est supprimé par le serveur"),
    "p.begin": ("The beginning of {to}", "Le début de {to}"),
    "p.down": ("To the newest", "Aux plus récents"),
    "p.nothing": ("Nothing here yet.", "Rien ici pour l'instant."),
    "p.lobby": (
        "Create a group, join one, or write here to everybody who is connected.",
        "Créez un groupe, rejoignez-en un, ou écrivez ici à tous les connectés.",
    ),
    "p.search": ("Search", "Chercher"),
    "p.search-in": ("Search in {to}", "Chercher dans {to}"),
    "p.found": ("{count} found", "trouvés : {count}"),
    "p.found.one": ("1 found", "1 trouvé"),
    "p.further": ("Search further back", "Chercher plus loin"),
    "p.previous": ("Previous", "Précédent"),
    "p.next": ("Next", "Suivant"),
    "p.close": ("Close", "Fermer"),
    "p.again": ("Send again", "Renvoyer"),
    "p.notify": ("Notify me", "Me prévenir"),
    "p.notify-on": ("Notifications are on", "Notifications activées"),
    "p.notify-off": ("The browser does not allow notifications", "Le navigateur ne permet pas les notifications"),
    "p.protect": ("Set my password", "Choisir mon mot de passe"),
    "p.new-password": ("New password", "Nouveau mot de passe"),
    "p.again-password": ("The new password once more", "Encore une fois le nouveau"),
    "p.old-password": ("Old password", "Ancien mot de passe"),
    "p.invitation": ("Invitation code", "Code d'invitation"),
    "p.differ": ("The two are not equal", "Les deux ne sont pas égaux"),
    "p.leave-all": ("Log out", "Se déconnecter"),
    "p.menu": ("Groups and people", "Groupes et personnes"),
    "p.wire": ("The wire", "Le fil"),
    "p.wire-about": (
        "Every JSON object out (→) and in (←), and what was understood by it.",
        "Chaque objet JSON envoyé (→) et reçu (←), et ce qui en a été compris.",
    ),
    "p.wire-own": ("An object of your own", "Un objet à vous"),
    "p.wire-answer": ("answers {action}, after {ms} ms", "répond à {action}, après {ms} ms"),
    "p.wire-seq": ("event {seq} of {group}", "événement {seq} de {group}"),
    "p.wire-repeat": ("known already", "déjà connu"),
    "p.wire-held": ("kept until what is missing before it has come", "gardé jusqu'à ce que vienne ce qui manque avant"),
    "p.wire-asks": ("asked by the page itself", "demandé par la page elle-même"),
    "p.wire-you": ("asked by you", "demandé par vous"),
    "p.wire-yours": ("your own object", "votre propre objet"),
    "p.wire-unknown": ("not known to this page", "inconnu de cette page"),
    "p.wire-fault": ("the server will refuse this: {code} {field}", "le serveur refusera ceci : {code} {field}"),
    "p.language": ("Language", "Langue"),
    "p.offline": ("No connection.", "Pas de connexion."),
    "p.next-try": ("Next try in {seconds} s.", "Nouvel essai dans {seconds} s."),
    "p.now": ("Try now", "Essayer maintenant"),
    "p.not-sent": ("Not sent: there is no connection.", "Pas envoyé : il n'y a pas de connexion."),
    "p.clear": ("Clear", "Effacer"),
    "error.forbidden.register.sender": (  # instead of the terminal's, which names an option
        "a guest has no name to protect: log out, and come in with one",
        "un invité n'a pas de nom à protéger : déconnectez-vous, et revenez avec un nom",
    ),
}
"""The page's own words, English and French."""

_HEAD = "// Made by `make page` from tchat_client/page_words.py.\n"


def files() -> dict[str, str]:
    """Return the modules by name: the commands and what is checked in them, and the sentences of each language."""
    return {"words.js": _tables(), **{f"words.{code}.js": _sentences(code) for code in LANGUAGES}}


def _tables() -> str:
    tables = {
        "LANGUAGES": [*LANGUAGES],
        "COMMANDS": [_row(command) for command in COMMANDS],
        "LIMITS": _limits(),
        "GUESS": _guess(),
    }
    return _HEAD + "".join(f"export const {name} = {_written(value)};\n" for name, value in tables.items())


def _sentences(code: str) -> str:
    """Return what the page says in one language: a key has the terminal's sentence, or the page's own."""
    column = [*LANGUAGES].index(code)
    shared = {
        key: text
        for key, text in LANGUAGES[code].sentences.items()
        if (key.partition(".")[0] in _ALL_OF or key in _SHARED) and key not in _NOT
    }
    own = {key: texts[column] for key, texts in PAGE.items()}
    return f"{_HEAD}export const LANGUAGE = {json.dumps(code)};\nexport const WORDS = {_written(shared | own)};\n"


def _written(value: object) -> str:
    """Return JSON with a line for each entry, so that a change is seen."""

    def compact(entry: object) -> str:
        return json.dumps(entry, ensure_ascii=False, separators=(",", ":"))

    if isinstance(value, dict):
        return "{\n" + ",\n".join(f"{compact(name)}:{compact(entry)}" for name, entry in value.items()) + "\n}"
    assert isinstance(value, list)
    return "[\n" + ",\n".join(map(compact, value)) + "\n]"


def _row(command: Command) -> dict[str, object]:
    """Return a row of the table; a field is `name:word:kind`, with `?` if it may be left out."""
    fields = [f"{field.name}:{field.word}:{field.kind}{'?' * field.optional}" for field in command.fields]
    row: dict[str, object] = {"name": command.name, "example": command.example, "fields": fields}
    if command.also:
        row["also"] = command.also
    if issubclass(command.makes, Request):
        row["action"] = command.makes.action
    if not command.current_group_will_do:
        row["names"] = True
    return row


def _guess() -> dict[str, object]:
    """Return the tables of what a word that is no command may mean."""
    lists = {"noWords": NO_WORDS, "drastic": DRASTIC, "sentences": SENTENCES}
    return {"elsewhere": dict(ELSEWHERE)} | {name: sorted(words) for name, words in lists.items()}


def _limits() -> dict[str, int]:
    names = (
        "max_msg_bytes",
        "max_reason_bytes",
        "max_name_chars",
        "max_group_chars",
        "max_page_entries",
        "max_integer",
    )
    return {name: getattr(limits, name.upper()) for name in names}


if __name__ == "__main__":
    for _name, _text in files().items():
        Path(sys.argv[1], _name).write_text(_text, "utf-8")
