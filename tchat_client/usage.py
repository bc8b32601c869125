"""The usage of the command line in French: click's own sentences and ours, by their English; see `libtchat.usage`."""

from __future__ import annotations

from collections.abc import Mapping

import click
from click import core, decorators, exceptions, formatting, parser, types

from libtchat.usage import CLICK_FRENCH, speak

__all__ = ["FRENCH", "speak_french"]

FRENCH: Mapping[str, str] = {
    **CLICK_FRENCH,
    # ours: what stands for a value
    "GROUP": "GROUPE",
    "TEXT": "TEXTE",
    "LINE": "LIGNE",
    "NAME": "NOM",
    "FILE": "FICHIER",
    "TIME": "DURÉE",
    "HOST:PORT": "HÔTE:PORT",
    "[HOST[:PORT]]": "[HÔTE[:PORT]]",
    "en|fr": "en|fr",
    "COMMAND [ARGS]...": "COMMANDE [ARGUMENTS]...",
    # ours: commands
    "Chat in groups, or send and read from scripts.\n\nWithout a command: `tchat [HOST[:PORT]]` opens a session, or "
    "runs the lines of a pipe.": "Discuter en groupes, ou envoyer et lire depuis des scripts.\n\nSans commande : "
    "`tchat [HÔTE[:PORT]]` ouvre une session, ou exécute les lignes d'un tube.",
    "Open a session (the default).": "Ouvrir une session (par défaut).",
    "Open a session with the server at HOST:PORT; with a pipe as input run its lines and end.": "Ouvrir une session "
    "avec le serveur à HÔTE:PORT ; avec un tube en entrée, exécuter ses lignes et s'arrêter.",
    "Send TEXT, or what is piped in, to GROUP.": "Envoyer TEXTE, ou ce qui vient d'un tube, à GROUPE.",
    "Do one command of the course, such as 'kick;wob;bob;spam'.\n\nWhat is not for the command line register; takes "
    "from the environment: TCHAT_PASSWORD, to change it\nTCHAT_OLD_PASSWORD too, TCHAT_INVITATION where a code is "
    "asked for.": "Exécuter une commande du cours, par exemple 'kick;wob;bob;spam'.\n\nCe qui n'a rien à faire sur la "
    "ligne de commande, register; le prend de l'environnement : TCHAT_PASSWORD, pour en changer aussi "
    "TCHAT_OLD_PASSWORD, TCHAT_INVITATION là où un code est demandé.",
    "List the groups you can see.": "Lister les groupes que vous pouvez voir.",
    "List who is in GROUP.": "Lister les membres de GROUPE.",
    "Show the last texts of GROUP.": "Afficher les derniers textes de GROUPE.",
    "Show what happened in GROUP: who came, went, was invited, kicked, banned.": "Afficher ce qui s'est passé dans "
    "GROUPE : arrivées, départs, invitations, exclusions.",
    "Show what happens in GROUP as it happens.": "Afficher ce qui se passe dans GROUPE à mesure.",
    "Measure the round trip; for health checks.": "Mesurer l'aller-retour, pour la surveillance.",
    # ours: options
    "Where the server is; commas between several that are one.": "Où est le serveur ; des virgules entre plusieurs qui "
    "n'en font qu'un.",
    "Your name.": "Votre nom.",
    "The language of what is shown.": "La langue de ce qui est affiché.",
    "Encrypt, and check the server.": "Chiffrer, et vérifier le serveur.",
    "Who may vouch for the server (PEM).": "Qui peut se porter garant du serveur (PEM).",
    "The password of your name (or TCHAT_PASSWORD).": "Le mot de passe de votre nom (ou TCHAT_PASSWORD).",
    "How long to wait for an answer.": "Combien de temps attendre une réponse.",
    "Another configuration file.": "Un autre fichier de configuration.",
    "Show every message in and out.": "Montrer chaque message reçu et envoyé.",
    "One JSON object per line, and nothing else.": "Un objet JSON par ligne, et rien d'autre.",
    "Join a group first; may be repeated.": "Rejoindre d'abord un groupe ; peut être répété.",
    "Show the texts of every group in full, not of the current one.": "Montrer les textes de tous les groupes en "
    "entier, pas du groupe courant seulement.",
    "Ring, or tell the terminal's desktop, when somebody names you.": "Sonner, ou le dire au bureau par le terminal, "
    "quand quelqu'un vous nomme.",
    "No prompt, one line per event: for screen readers, dumb terminals.": "Sans invite, une ligne par évènement : pour "
    "lecteurs d'écran et terminaux simples.",
    "Send the input: line by line, or as one.": "Envoyer l'entrée : ligne par ligne, ou en un seul texte.",
    "How many entries.": "Combien d'entrées.",
    "End after so many events.": "S'arrêter après tant d'évènements.",
    "End after 30s, 5m, 1h.": "S'arrêter après 30s, 5m, 1h.",
    # ours: what others' programs need
    "The server speaks this dialect: see tchat learn.": "Le serveur parle ce dialecte : voir tchat learn.",
    "Let clients of the dialects in FILEs, or ours, talk to a server of any dialect.": "Laisser des clients de "
    "ces dialectes, ou du nôtre, parler à un serveur de n'importe quel dialecte.",
    "Where clients come in (port 0: any).": "Où les clients arrivent (port 0 : n'importe lequel).",
    "The server, one for each --listen.": "Le serveur, un pour chaque --listen.",
    "Start the server too, instead of --to: 'node server.js {port}'.": "Démarrer aussi le serveur, au lieu de --to : "
    "'node server.js {port}'.",
    "The server's dialect; - is ours.": "Le dialecte du serveur ; - est le nôtre.",
    "Encrypt to the server, and check it.": "Chiffrer jusqu'au serveur, et le vérifier.",
    "Whoever cannot type join joins when invited.": "Qui ne peut taper join rejoint quand on l'invite.",
    "Write the ports here, one a line.": "Écrire les ports ici, un par ligne.",
    "Show all four sides of every message.": "Montrer les quatre côtés de chaque message.",
    "Learn by experiment how a program speaks that nobody will change, and write it down.\n\n"
    "tchat learn client -- node client.js {name} {host} {port}\n\ntchat learn server -- node server.js {port}": ""
    "Apprendre par l'expérience comment parle un programme que personne ne changera, et le noter.\n\n"
    "tchat learn client -- node client.js {name} {host} {port}\n\ntchat learn server -- node server.js {port}",
    "What the dialect is called.": "Comment s'appelle le dialecte.",
    "Where to write it (NAME.toml; with --teams a directory).": "Où l'écrire (NOM.toml ; avec --teams un dossier).",
    "Learn all programs of this file.": "Apprendre tous les programmes de ce fichier.",
    "What to answer a question at the start.": "Que répondre à une question au début.",
    "Set in the program's environment.": "À mettre dans l'environnement du programme.",
    "Where the program runs.": "Où le programme s'exécute.",
    "Sources to take words from that are worth a try.": "Sources dont prendre des mots qui valent un essai.",
    "Take no words from the file that CMD names.": "Ne prendre aucun mot du fichier que CMD nomme.",
    "Give it a terminal.": "Lui donner un terminal.",
    "The port that the program has in itself.": "Le port qui est écrit dans le programme.",
    "Wait so many times longer for everything.": "Tout attendre tant de fois plus longtemps.",
    "Give up after.": "Abandonner après.",
    "The report as JSON.": "Le rapport en JSON.",
    "CMD": "CMD",
    "DIR": "DOSSIER",
    "[FILE|DIRECTORY]...": "[FICHIER|DOSSIER]...",
    "[-- CMD ... | HOST:PORT]": "[-- CMD ... | HÔTE:PORT]",
    "QUESTION=ANSWER": "QUESTION=RÉPONSE",
    "KEY=VALUE": "CLÉ=VALEUR",
}


def speak_french(group: click.Group) -> None:
    """Make click, and the usage of *group* and its commands, French for the rest of this process."""
    speak(group, (core, decorators, exceptions, formatting, parser, types), FRENCH)
