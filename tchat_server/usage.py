"""The usage of `tchat-server` in French: click's own sentences and ours, by their English; see `libtchat.usage`."""

from __future__ import annotations

from collections.abc import Mapping

import click
from click import core, decorators, exceptions, formatting, parser, types

from libtchat.usage import CLICK_FRENCH, speak

__all__ = ["FRENCH", "speak_french"]

FRENCH: Mapping[str, str] = {
    **CLICK_FRENCH,
    # what stands for a value
    "PATH": "CHEMIN",
    "NAME": "NOM",
    "URL": "URL",
    "TIME": "DURÉE",
    "DB": "BASE",
    "OUT": "COPIE",
    "[DB]": "[BASE]",
    "[DB] NAME": "[BASE] NOM",
    "[DB] GROUP": "[BASE] GROUPE",
    "[DB] GROUP SEQ": "[BASE] GROUPE SEQ",
    "[DB] GROUP NAME": "[BASE] GROUPE NOM",
    "[DB] TEXT": "[BASE] TEXTE",
    "COMMAND [ARGS]...": "COMMANDE [ARGUMENTS]...",
    "$HOST:$PORT, else 127.0.0.1:8080": "$HOST:$PORT, sinon 127.0.0.1:8080",
    "tchat.db in the state directory": "tchat.db dans le répertoire d'état",
    # commands
    "Serve the tchat protocol.\n\nExit codes: 0 done, or stopped in good order, 1 refused, 2 wrong options, 3 can't "
    "listen, 4 storage, 70 a fault of\nthe server's.": "Servir le protocole tchat.\n\nCodes de sortie : 0 fait, ou "
    "arrêté en bon ordre, 1 refusé, 2 mauvaises options, 3 écoute impossible, 4 stockage, 70 une faute du serveur.",
    "Verify a database: no gap in any group, and all tables agree with the events.": "Vérifier une base : pas de trou "
    "dans un groupe, et toutes les tables conformes aux évènements.",
    "Copy a database to OUT, also while a server uses it.": "Copier une base dans COPIE, aussi pendant qu'un serveur "
    "l'utilise.",
    "List who is connected.": "Lister qui est connecté.",
    "List everybody who is known.": "Lister tous ceux qui sont connus.",
    "Give NAME a password, asked for or read from the input; its connections are closed.": "Donner à NOM un mot de "
    "passe, demandé ou lu sur l'entrée ; ses connexions sont fermées.",
    "Texts of one user that wait for another one who is away.": "Textes d'un utilisateur pour un autre, absent.",
    "Bytes of these texts.": "Octets de ces textes.",
    "Users whose texts wait for one who is away.": "Utilisateurs dont les textes en attendent un, absent.",
    "Bytes read from all connections of one address at once (loopback exempt).": "Octets lus d'un coup de toutes les "
    "connexions d'une adresse (sauf la boucle locale).",
    "Bytes read from one address after that: more waits on its side; 0: no limit.": "Octets lus ensuite d'une "
    "adresse : le reste attend de son côté ; 0 : sans limite.",
    "Remove what is older; members, bans and invitations stay, and what waits for a user.": "Supprimer ce qui est plus "
    "ancien ; les membres, les bannissements et les invitations restent, et ce qui attend un utilisateur.",
    "Remove what is before the last so many texts of a group, in the same way.": "Supprimer de même ce qui précède les "
    "derniers textes d'un groupe, en tel nombre.",
    "all are kept": "tout est gardé",
    "Take NAME out of all groups, and its password and texts away.": "Sortir NOM de tous les groupes, et lui retirer "
    "son mot de passe et ses textes.",
    "Close the connections of NAME, and let it not come in.": "Fermer les connexions de NOM, et ne plus le laisser "
    "entrer.",
    "Let NAME come in again.": "Laisser NOM entrer de nouveau.",
    "Close the connections of NAME, which may come back.": "Fermer les connexions de NOM, qui peut revenir.",
    "Let GROUP take no more texts; it can still be read.": "Ne plus laisser GROUPE accepter de textes ; il peut "
    "toujours être lu.",
    "Remove the text SEQ of GROUP for everybody, and from the file.": "Retirer le texte SEQ de GROUPE pour tous, et "
    "du fichier.",
    "Tell TEXT to everybody who is connected.": "Dire TEXTE à tous les connectés.",
    "Give a GROUP whose owner is gone to its member NAME; the owner leaves it.": "Donner un GROUPE dont le "
    "propriétaire a disparu à son membre NOM ; le propriétaire le quitte.",
    "Also from an owner who is connected.": "Aussi à un propriétaire qui est connecté.",
    "Make a code with which one name can be registered (--registration invite).": "Faire un code avec lequel un nom "
    "peut être enregistré (--registration invite).",
    # options
    "One JSON object per line, and nothing else.": "Un objet JSON par ligne, et rien d'autre.",
    "How long: 30m, 12h, 7d; without it, for ever.": "Combien de temps : 30m, 12h, 7d ; sans elle, pour toujours.",
    "Let it take texts again.": "Le laisser de nouveau accepter des textes.",
    "How many codes.": "Combien de codes.",
    "Address to accept clients on; may be repeated. Port 0 takes a free one.": "Adresse où accepter des clients ; peut "
    "être répétée. Le port 0 en prend un libre.",
    "Certificate chain (PEM): --listen speaks TLS then.": "Chaîne de certificats (PEM) : --listen parle alors TLS.",
    "Private key (PEM). Both files are read again on SIGHUP.": "Clé privée (PEM). Les deux fichiers sont relus sur "
    "SIGHUP.",
    "Address to accept TLS on; may be repeated. Then --listen stays without TLS.": "Adresse où accepter TLS ; peut "
    "être répétée. --listen reste alors sans TLS.",
    "SQLite file to keep everything in, :memory: to keep nothing, or a nats:// URL: one of several servers.": "Fichier "
    "SQLite où tout garder, :memory: pour ne rien garder, ou une URL nats:// : un de plusieurs serveurs.",
    "With a nats:// URL: SQLite file for this server's own copy.": "Avec une URL nats:// : fichier SQLite de la copie "
    "propre à ce serveur.",
    "NAME.node.db in the state directory": "NOM.node.db dans le répertoire d'état",
    "normal: the last moments may be lost when the power fails.": "normal : les derniers instants peuvent se perdre à "
    "une coupure de courant.",
    "Write the port taken to this file once clients are accepted.": "Écrire le port pris dans ce fichier quand les "
    "clients sont acceptés.",
    "Requests a second of one connection, after a burst; 0: no limit.": "Requêtes par seconde d'une connexion, après "
    "une rafale ; 0 : sans limite.",
    "Connections in all; fewer if the process may not open so many files.": "Connexions en tout ; moins si le "
    "processus ne peut ouvrir autant de fichiers.",
    "Connections from one address (loopback exempt).": "Connexions d'une adresse (la boucle locale en est exempte).",
    "Connections of one user.": "Connexions d'un utilisateur.",
    "Groups one user may be in.": "Groupes où un utilisateur peut être.",
    "Groups one user may create.": "Groupes qu'un utilisateur peut créer.",
    "Members of one group.": "Membres d'un groupe.",
    "Invited and banned users of one group.": "Invités et bannis d'un groupe.",
    "Invitations of one user that are not answered.": "Invitations d'un utilisateur restées sans réponse.",
    "Bytes that may wait for a peer that does not read.": "Octets qui peuvent attendre un pair qui ne lit pas.",
    "Bytes that may wait for the gap between two messages to a client that ends nothing with LF.": "Octets qui peuvent "
    "attendre l'intervalle entre deux messages à un client qui ne finit rien par LF.",
    "Requests of one connection at once.": "Requêtes d'une connexion à la fois.",
    "Bytes read from one connection at once.": "Octets lus d'une connexion à la fois.",
    "Bytes read from one connection after that: more waits on its side; 0: no limit.": "Octets lus d'une connexion "
    "ensuite : le reste attend de son côté ; 0 : sans limite.",
    "Bytes carried to others (all copies counted) for one connection at once.": "Octets portés à d'autres (toutes les "
    "copies comptées) pour une connexion à la fois.",
    "Bytes carried after that: then it is not read from for a while; 0: no limit.": "Octets portés ensuite : elle "
    "n'est alors pas lue pendant un moment ; 0 : sans limite.",
    "client-broadcasts of one user at once.": "client-broadcast d'un utilisateur à la fois.",
    "client-broadcasts of one user after that; 0: no limit.": "client-broadcast d'un utilisateur ensuite ; 0 : sans "
    "limite.",
    "Wrong passwords from one address at once; ten times as many for one name.": "Mauvais mots de passe d'une adresse "
    "à la fois ; dix fois plus pour un nom.",
    "Wrong passwords from one address after that; 0: no limit.": "Mauvais mots de passe d'une adresse ensuite ; 0 : "
    "sans limite.",
    "Passwords set from one address at once.": "Mots de passe fixés d'une adresse à la fois.",
    "Passwords set from one address after that; 0: no limit.": "Mots de passe fixés d'une adresse ensuite ; 0 : sans "
    "limite.",
    "Silence until the first message.": "Silence avant le premier message.",
    "Time until a frame that began must end.": "Temps avant qu'une trame commencée doive finir.",
    "Silence until the kernel asks whether the peer is there.": "Silence avant que le noyau demande si le pair est là.",
    "Who is told that a user came or went; auto: everybody up to 200 users online, then who shares a group.": "À qui "
    "il est dit qu'un utilisateur arrive ou part ; auto : à tous jusqu'à 200 connectés, puis à qui partage un groupe.",
    "Serve names with a password only.": "Ne servir que les noms qui ont un mot de passe.",
    "Who may give a name its first password; invite: who has a code of tchat-server invite-code.": "Qui peut donner à "
    "un nom son premier mot de passe ; invite : qui a un code de tchat-server invite-code.",
    "Seconds to finish in when stopped.": "Secondes pour finir à l'arrêt.",
    "Serve the page and WebSocket to who speaks HTTP on the same port.": "Servir la page et WebSocket à qui parle HTTP "
    "sur le même port.",
    "Name browsers know this server by; repeatable.": "Nom sous lequel les navigateurs connaissent ce serveur ; peut "
    "être répété.",
    "Site whose pages may use WebSocket; repeatable.": "Site dont les pages peuvent utiliser WebSocket ; peut être "
    "répété.",
    "Address of /healthz, /readyz and /metrics (HTTP).": "Adresse de /healthz, /readyz et /metrics (HTTP).",
    "Directory of dialects that clients may speak: see tchat learn.": "Dossier des dialectes que les clients peuvent "
    "parler : voir tchat learn.",
    "Print every message in and out on standard error.": "Afficher chaque message reçu et envoyé sur la sortie "
    "d'erreur.",
}


def speak_french(group: click.Group) -> None:
    """Make click, and the usage of *group* and its commands, French for the rest of this process."""
    speak(group, (core, decorators, exceptions, formatting, parser, types), FRENCH)
