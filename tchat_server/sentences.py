"""What `tchat-server` says to a person at a terminal, in English and in French. Logs and JSON are never translated."""

from __future__ import annotations

import os
from collections.abc import Mapping

from libtchat.language import by_english, fill, wanted
from tchat_server.french import FAULTS

__all__ = ["SENTENCES", "STORAGE", "language", "say", "told"]

SENTENCES: Mapping[str, Mapping[str, str]] = {
    "en": {
        # what an operator's command did
        "who": "users: {users}, connections: {connections}",
        "who.none": "nobody is connected",
        "users": "users: {count}",
        "users.none": "nobody is known yet",
        "passwd": "{name} has a new password (connections closed: {closed})",
        "remove-user": "{name} is removed (groups left: {groups}, connections closed: {closed})",
        "ban-user": "{name} may not come in until {until} (connections closed: {closed})",
        "ban-user.ever": "{name} may not come in any more (connections closed: {closed})",
        "unban-user": "{name} may come in again",
        "kick-user": "{name} is disconnected (connections closed: {closed})",
        "announce": "told (users: {users})",
        "close": "{group} takes no more texts (event {seq})",
        "close.undone": "{group} takes texts again (event {seq})",
        "redact": "text {redacts} of {author} is removed from {group} (event {seq})",
        "own": "{name} owns {group} (event {seq})",
        "head.name": "NAME",
        "head.node": "NODE",
        "head.address": "ADDRESS",
        "head.in": "IN",
        "head.out": "OUT",
        "head.password": "PASSWORD",
        "head.groups": "GROUPS",
        "head.invitations": "INVITATIONS",
        "head.online": "ONLINE",
        "head.banned": "BANNED UNTIL",
        "yes": "yes",
        "no": "-",
        "ever": "for ever",
        # what it did not do
        "refused": "{detail}",
        "refused.nobody": "nobody is called {name} here: `tchat-server users` lists who is known",
        "refused.not-connected": "{name} is not connected: `tchat-server who` lists who is",
        "refused.not-barred": "{name} is not banned from the server: `tchat-server users` lists who is",
        "refused.guest": "{name} is a guest, whose name is nobody's: kick-user is all there is",
        "refused.bad-name": "{name} is no name: use 1 to 32 letters, digits, _ - or .",
        "refused.meanwhile": "{name} changed the password meanwhile: try again",
        "refused.no-text": "event {seq} of {group} is no text: `tchat messages {group} --json` shows their seq",
        "refused.redacted": "text {seq} of {group} is removed already: nothing to do",
        "refused.owner-here": "{name}, who owns {group}, is connected: --force takes the group away, and {name} out",
        "refused.too-long": "the text is too long: at most {limit} bytes",
        "refused.no-field": "{field} is missing, or not what is expected",
        "refused.bad-number": "{field} is a number from {least} to {most}",
        "refused.unknown-act": "the server that runs does not know {word}: it is of another version",
        "refused.group-not-found": "{detail}",
        "refused.target-not-member": "{detail}",
        "refused.bad-request": "{detail}",
        "refused.banned": "{detail}",
        "refused.unavailable": "the storage cannot be used now, nothing has changed: try again",
        "not-running": "no server uses {db}: nobody is connected",
        "not-running.copy": "no server uses {db}, a node's own copy: start that node, or name the engine, nats://HOST/NAME",
        "no-answer": "the server of {db} has not answered in {seconds} s: see whether it is done",
        "failed": "the server of {db} did not do it: {failed}",
        "other-url": "a database is a file, or nats://HOST/NAME: no other URL is one",
        "no-node": "no server of {db} runs, and it is they who do this: start one",
        "silent": "servers that did not answer: {count}; it is not done for who is connected there: ask again",
        "no-access": "{path} may not be used, {detail}: run this as the user who runs the server",
        "password": "new password of {name}: ",
        "password.again": "once more: ",
        "password.differ": "the two are not the same: nothing was done",
        "password.none": "no password: a terminal is asked for it, else it is the first line of the input",
        "bad-number": "{value!r} is no number: {field} is one",
        "empty-word": "{field} is empty",
        "bad-duration": "{value!r} is no duration such as 30m, 12h or 7d",
        "too-many-words": "got too many words: {form}",
        # starting
        "started": "{name} on {places}, data in {db}. Try: {client}",
        "browser": "in a browser: {url}",
        "loopback": "loopback only; --listen 0.0.0.0:{port} accepts other machines",
        "other-machines": "from another machine: {client}",
        "open-plain": "no TLS: what is said, passwords too, can be read on the way (--tls-cert, --tls-key)",
        "open-names": "anybody may take any name that has no password (--require-auth, --registration)",
        "admin": "/healthz, /readyz and /metrics on port {port}",
        # options that cannot be followed
        "port-in-use": "port {port} is in use: choose --listen {host}:{next}",
        "cannot-listen": "can't listen on {host}:{port}: {detail}",
        "cannot-write": "{path} cannot be written: {detail}",
        "tls-pair": "--tls-cert and --tls-key go together",
        "tls-listen": "--tls-listen needs --tls-cert and --tls-key",
        "bad-port": "PORT={port!r} in the environment is not a port number",
        "bad-address": "{value!r} is not HOST:PORT, for example 127.0.0.1:8080",
        "internal": "the server failed: its log says where",
        # check and backup
        "checked": "{groups} groups, {events} events, {messages} of them messages",
        "checked.operator": "; texts removed: {redacted}, groups closed: {closed}",
        "faults": "{db}: {count} faults; restore a backup",
        "copied": "{db} is copied to {out}",
    },
    "fr": {
        "who": "utilisateurs : {users}, connexions : {connections}",
        "who.none": "personne n'est connecté",
        "users": "utilisateurs : {count}",
        "users.none": "personne n'est encore connu",
        "passwd": "{name} a un nouveau mot de passe (connexions fermées : {closed})",
        "remove-user": "{name} est supprimé (groupes quittés : {groups}, connexions fermées : {closed})",
        "ban-user": "{name} ne peut plus entrer jusqu'au {until} (connexions fermées : {closed})",
        "ban-user.ever": "{name} ne peut plus entrer (connexions fermées : {closed})",
        "unban-user": "{name} peut de nouveau entrer",
        "kick-user": "{name} est déconnecté (connexions fermées : {closed})",
        "announce": "c'est dit (utilisateurs : {users})",
        "close": "{group} n'accepte plus de textes (évènement {seq})",
        "close.undone": "{group} accepte de nouveau des textes (évènement {seq})",
        "redact": "le texte {redacts} de {author} est retiré de {group} (évènement {seq})",
        "own": "{name} est propriétaire de {group} (évènement {seq})",
        "head.name": "NOM",
        "head.node": "NŒUD",
        "head.address": "ADRESSE",
        "head.in": "REÇUS",
        "head.out": "ENVOYÉS",
        "head.password": "MOT DE PASSE",
        "head.groups": "GROUPES",
        "head.invitations": "INVITATIONS",
        "head.online": "CONNECTÉ",
        "head.banned": "BANNI JUSQU'AU",
        "yes": "oui",
        "no": "-",
        "ever": "toujours",
        "refused": "{detail}",
        "refused.nobody": "personne ne s'appelle {name} ici : `tchat-server users` liste qui est connu",
        "refused.not-connected": "{name} n'est pas connecté : `tchat-server who` liste qui l'est",
        "refused.not-barred": "{name} n'est pas banni du serveur : `tchat-server users` liste qui l'est",
        "refused.guest": "{name} est un invité, dont le nom n'est à personne : il n'y a que kick-user",
        "refused.bad-name": "{name} n'est pas un nom : 1 à 32 lettres, chiffres ou _ - .",
        "refused.meanwhile": "{name} a changé son mot de passe entre-temps : réessayez",
        "refused.no-text": "l'évènement {seq} de {group} n'est pas un texte : `tchat messages {group} --json` montre "
        "leurs seq",
        "refused.redacted": "le texte {seq} de {group} est déjà retiré : rien à faire",
        "refused.owner-here": "{group} est à {name}, qui est connecté : --force le lui enlève, et le sort du groupe",
        "refused.too-long": "le texte est trop long : au plus {limit} octets",
        "refused.no-field": "{field} manque, ou n'est pas ce qui est attendu",
        "refused.bad-number": "{field} est un nombre de {least} à {most}",
        "refused.unknown-act": "le serveur qui tourne ne connaît pas {word} : il est d'une autre version",
        "refused.group-not-found": "il n'y a pas de groupe {group} : `tchat groups` les liste",
        "refused.target-not-member": "{name} n'est pas membre de {group} : `tchat members {group}` les liste",
        "refused.bad-request": "c'est déjà le cas de {group} : rien à faire",
        "refused.banned": "{name} est banni de {group} : choisissez quelqu'un d'autre",
        "refused.unavailable": "le stockage ne répond pas, rien n'a changé : réessayez",
        "not-running": "aucun serveur n'utilise {db} : personne n'est connecté",
        "not-running.copy": "aucun serveur n'utilise {db}, la copie d'un nœud : démarrez ce nœud, ou nommez le moteur, "
        "nats://HÔTE/NOM",
        "no-answer": "le serveur de {db} n'a pas répondu en {seconds} s : voyez si c'est fait",
        "failed": "le serveur de {db} ne l'a pas fait : {failed}",
        "other-url": "une base est un fichier, ou nats://HÔTE/NOM : aucune autre URL n'en est une",
        "no-node": "aucun serveur de {db} ne tourne, et c'est à eux de le faire : démarrez-en un",
        "silent": "serveurs qui n'ont pas répondu : {count} ; rien n'est fait pour qui y est connecté : redemandez",
        "no-access": "{path} ne peut être utilisé, {detail} : faites-le comme l'utilisateur du serveur",
        "password": "nouveau mot de passe de {name} : ",
        "password.again": "encore une fois : ",
        "password.differ": "les deux ne sont pas égaux : rien n'a été fait",
        "password.none": "pas de mot de passe : un terminal le demande, sinon c'est la première ligne de l'entrée",
        "bad-number": "{value!r} n'est pas un nombre : {field} en est un",
        "empty-word": "{field} est vide",
        "bad-duration": "{value!r} n'est pas une durée comme 30m, 12h ou 7d",
        "too-many-words": "trop de mots : {form}",
        "started": "{name} sur {places}, données dans {db}. Essayez : {client}",
        "browser": "dans un navigateur : {url}",
        "loopback": "cette machine seulement ; --listen 0.0.0.0:{port} accepte les autres",
        "other-machines": "depuis une autre machine : {client}",
        "open-plain": "sans TLS : ce qui se dit, mots de passe compris, peut être lu en route (--tls-cert, --tls-key)",
        "open-names": "n'importe qui peut prendre un nom sans mot de passe (--require-auth, --registration)",
        "admin": "/healthz, /readyz et /metrics sur le port {port}",
        "port-in-use": "le port {port} est pris : choisissez --listen {host}:{next}",
        "cannot-listen": "impossible d'écouter sur {host}:{port} : {detail}",
        "cannot-write": "écriture impossible de {path} : {detail}",
        "tls-pair": "--tls-cert et --tls-key vont ensemble",
        "tls-listen": "--tls-listen demande --tls-cert et --tls-key",
        "bad-port": "PORT={port!r} dans l'environnement n'est pas un numéro de port",
        "bad-address": "{value!r} n'est pas HÔTE:PORT, par exemple 127.0.0.1:8080",
        "internal": "le serveur a échoué : son journal dit où",
        "checked": "{groups} groupes, {events} évènements, dont {messages} textes",
        "checked.operator": " ; textes retirés : {redacted}, groupes fermés : {closed}",
        "faults": "{db} : {count} défauts ; restaurez une sauvegarde",
        "copied": "{db} est copié dans {out}",
    },
}


STORAGE: Mapping[str, str] = {
    "{path} is not a database: choose another file with --db": "{path} n'est pas une base de données : choisissez un "
    "autre fichier avec --db",
    "{path} is not a database: name the database of a tchat-server": "{path} n'est pas une base de données : nommez la "
    "base d'un tchat-server",
    "{path} is damaged so that nothing in it can be read: restore a backup": "{path} est endommagé, rien ne peut y "
    "être lu : restaurez une sauvegarde",
    "{path} is damaged: `tchat-server check` says where; restore a backup": "{path} est endommagé : `tchat-server "
    "check` dit où ; restaurez une sauvegarde",
    "{path} is damaged, {damage}: no backup was made; `tchat-server check` lists all; restore a backup": "{path} est "
    "endommagé, {damage} : aucune sauvegarde n'est faite ; `tchat-server check` dit tout ; restaurez-en une d'avant",
    "{path} cannot be written: change its permissions or choose another file with --db": "écriture impossible dans "
    "{path} : changez ses droits ou choisissez un autre fichier avec --db",
    "{path} cannot be written, its disk is full: make room or choose another file with --db": "écriture impossible "
    "dans {path}, son disque est plein : faites de la place ou choisissez un autre fichier avec --db",
    "{path} cannot be opened: check that its directory exists and can be written": "impossible d'ouvrir {path} : voyez "
    "si son dossier existe et peut être écrit",
    "{path} cannot be opened, {detail}: check its directory or choose another file with --db": "impossible d'ouvrir "
    "{path}, {detail} : voyez son dossier ou choisissez un autre fichier avec --db",
    "{path} is locked by another program: stop that one or choose another file with --db": "{path} est verrouillé par "
    "un autre programme : arrêtez-le ou choisissez un autre fichier avec --db",
    "{path}: database is locked by another tchat-server: stop that one or choose another file with --db": "{path} : un "
    "autre tchat-server a cette base : arrêtez-le ou choisissez un autre fichier avec --db",
    "{path} cannot be used: {detail}": "{path} ne peut être utilisé : {detail}",
    "{path} does not exist: name the database of a tchat-server": "{path} n'existe pas : nommez la base d'un "
    "tchat-server",
    "{path} is another program's database: choose another file with --db": "{path} est la base d'un autre programme : "
    "choisissez un autre fichier avec --db",
    "{path}: database schema {schema} is newer than this server ({ours}): install a newer tchat-server": "{path} : le "
    "schéma {schema} de la base est plus récent que ce serveur ({ours}) : installez un tchat-server plus récent",
    "{path} is of an older schema: start tchat-server with it once, or `backup` it as it is": "{path} est d'un schéma "
    "plus ancien : démarrez une fois tchat-server avec, ou faites-en un `backup` tel quel",
    "{path} is a backup, and {wal} is of another database: delete that one": "{path} est une sauvegarde, et {wal} est "
    "d'une autre base : effacez celui-ci",
    "{path} is truncated, {size} of {whole} bytes: restore a backup": "{path} est tronqué, {size} octets sur {whole} : "
    "restaurez une sauvegarde",
    "{path} is gone, or emptied: put it back with its -wal file or restore a backup, or delete {lock} to start with an "
    "empty one": "{path} n'est plus là, ou vidé : remettez-le avec son fichier -wal ou restaurez une sauvegarde, ou "
    "effacez {lock} pour commencer avec une base vide",
    "{path} is not the database that was used here: put that one back or restore a backup of it, or delete {lock} to "
    "go on with this one": "{path} n'est pas la base utilisée ici : remettez l'autre ou restaurez-en une sauvegarde, "
    "ou effacez {lock} pour continuer avec celle-ci",
    "{path} lacks its last entries ({count}): restore its -wal file or a backup, or delete {lock} to go on without "
    "them": "il manque à {path} ses dernières entrées ({count}) : restaurez son fichier -wal ou une sauvegarde, ou "
    "effacez {lock} pour continuer sans elles",
    "{out} exists already: name another file for the backup": "{out} existe déjà : nommez un autre fichier pour la "
    "sauvegarde",
    "{path} is another program's database: name another file with --cache": "{path} est la base d'un autre programme : "
    "nommez un autre fichier avec --cache",
    "{path} is a database of its own, and no node's copy: name another file with --cache": "{path} est une base à part "
    "entière, pas la copie d'un nœud : nommez un autre fichier avec --cache",
    "{path} is the copy of another chat: name another file with --cache, or delete it": "{path} est la copie d'un "
    "autre chat : nommez un autre fichier avec --cache, ou effacez-le",
    "{path} is a node's own copy of a chat in an engine: name that, nats://HOST/NAME": "{path} est la copie qu'un nœud "
    "a d'un chat dans un moteur : nommez celui-ci, nats://HÔTE/NOM",
    "no server of {url} answers now: try again": "aucun serveur de {url} ne répond en ce moment : réessayez",
    "the node of {url} that was asked did not answer: see whether it is done": "le nœud de {url} à qui on l'a demandé "
    "n'a pas répondu : voyez si c'est fait",
    "the engine {url} cannot be used: {detail}": "le moteur {url} ne peut être utilisé : {detail}",
    "the engine at {host} is NATS {version}, which may lose what it acknowledged: {lowest} or newer is needed": "le "
    "moteur à {host} est NATS {version}, qui peut perdre ce qu'il a confirmé : il faut {lowest} ou plus récent",
    "the engine {url} does not serve JetStream: {detail}": "le moteur {url} ne sert pas JetStream : {detail}",
    "{url}: the engine has fewer than {count} servers to keep each record on: start the others, or add ?replicas=1 if "
    "one may lose everything": "{url} : le moteur a moins de {count} serveurs où garder chaque enregistrement : "
    "démarrez les autres, ou ajoutez ?replicas=1 si l'on peut tout perdre",
    "{url} keeps {found} replicas of each record, not {wanted}: say ?replicas={same}, or change the stream": "{url} "
    "garde {found} copies de chaque enregistrement, pas {wanted} : dites ?replicas={same}, ou changez le flux",
    "{url}: the stream exists with other settings, {key} is {found} and must be {wanted}: choose another NAME": "{url} "
    ": le flux existe avec d'autres réglages, {key} est {found} et doit être {wanted} : choisissez un autre NOM",
    "{url}: the stream was not made by tchat-server: choose another NAME": "{url} : le flux n'a pas été fait par "
    "tchat-server : choisissez un autre NOM",
    "{url}: the records are of format {found}, this server knows {ours}: install a newer one": "{url} : les "
    "enregistrements ont le format {found}, ce serveur connaît {ours} : installez-en un plus récent",
    "{url} has {found} shards, not {wanted}: leave ?shards= away": "{url} a {found} parts, pas {wanted} : enlevez "
    "?shards=",
    "{url} was made with {option} {theirs}, not {mine}: all nodes must have the same": "{url} a été fait avec {option} "
    "{theirs}, pas {mine} : tous les nœuds doivent avoir la même valeur",
    "there is no chat {url}: tchat-server --db makes it": "il n'y a pas de chat {url} : tchat-server --db le fait",
    "--db nats:// needs the extra `cluster`: pip install 'libtchat[cluster]'": "--db nats:// demande l'extra "
    "`cluster` : pip install 'libtchat[cluster]'",
    **FAULTS,
}
"""What a storage says is wrong with it, in French, by its English."""


def language() -> str:
    """Return the code of the language that the environment asks for."""
    return wanted(None, os.environ, SENTENCES)


def say(key: str, **values: object) -> str:
    """Return the sentence *key* with *values* in it, in the language that the environment asks for."""
    code = language()
    sentences = SENTENCES[code]
    return fill(sentences[key], values, code)


def told(english: str, french: Mapping[str, str]) -> str:
    """Return a sentence that was made in English, in the language that the environment asks for."""
    return by_english(english, french, "fr") if language() == "fr" else english
