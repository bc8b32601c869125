"""What `tchat learn` says, in French, by its English; see `libtchat.language.by_english`.

The first sentence that fits is taken: those that begin with a hole, which much fits, are the last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from libtchat.language import by_english

__all__ = ["FRENCH", "Words", "english", "french"]

Words = Callable[[str], str]
"""A sentence in English -> the same in somebody's language."""

FRENCH: Mapping[str, str] = {
    # progress
    "what it sends": "ce qu'il envoie",
    "what it answers": "ce qu'il répond",
    "what it shows of each kind of answer": "ce qu'il montre de chaque sorte de réponse",
    "done: {probes} probes, {starts} starts": "fini : {probes} essais, {starts} démarrages",
    "written to {path}": "écrit dans {path}",
    "it does not come through a pipe: once more, with a terminal": "il ne vient pas par un tube : encore une fois, "
    "avec un terminal",
    "it shows nothing through a pipe: once more, with a terminal": "il ne montre rien par un tube : encore une fois, "
    "avec un terminal",
    # what cannot be learnt
    "tchat learn client|server -- CMD ..., or --teams FILE": "tchat learn client|server -- CMD ..., ou --teams FICHIER",
    "not learnt: {why}": "pas appris : {why}",
    "it shows nothing": "il ne montre rien",
    "nothing that is typed makes it send anything": "rien de ce qui est tapé ne lui fait envoyer quoi que ce soit",
    "it takes too long: --seconds gives it more time": "c'est trop long : --seconds lui donne plus de temps",
    "it answers after {seconds} s: learning it takes about {minutes} minutes, --seconds {more} gives it the time": ""
    "il répond après {seconds} s : l'apprendre prend environ {minutes} minutes, --seconds {more} lui en donne le temps",
    "cannot start {what}: {why}": "impossible de démarrer {what} : {why}",
    "cannot listen on port {port}: {why}": "impossible d'écouter sur le port {port} : {why}",
    "cannot connect to {address}: {why}": "connexion à {address} impossible : {why}",
    "it does not connect": "il ne se connecte pas",
    "it ends without connecting": "il s'arrête sans se connecter",
    "the server does not listen": "le serveur n'écoute pas",
    "the server ends at once": "le serveur s'arrête aussitôt",
    # the report
    "typed {form}": "tapé {form}",
    "cannot be typed": "ne peut être tapé",
    "sends {message}": "envoie {message}",
    "shows what its own server says": "montre ce que dit son serveur",
    "shows {text}": "montre {text}",
    "note: {remark}": "note : {remark}",
    "no word for it: {how}": "pas de mot pour cela : {how}",
    "it dies of {names}: {how}": "il meurt de {names} : {how}",
    "a notice is shown": "un avis est montré",
    "nothing is shown": "rien n'est montré",
    "in the copy {whose} it shows nothing of it: a notice is shown": "de l'exemplaire {whose} il ne montre rien : un "
    "avis est montré",
    "of who did it and of whom it was done to": "de l'auteur et de qui le subit",
    "of who did it and of the others": "de l'auteur et des autres",
    "of who did it": "de l'auteur",
    "of whom it was done to": "de qui le subit",
    "of the others": "des autres",
    "it needs a terminal": "il lui faut un terminal",
    "it says no hello": "il ne dit pas hello",
    "it dies of an action that it does not know": "il meurt d'une action qu'il ne connaît pas",
    "nothing was found that shows just any text: what has no word of its own is not shown": "rien n'a été trouvé qui "
    "montre un texte quelconque : ce qui n'a pas de mot à soi n'est pas montré",
    "what it has no word for it shows by its default branch": "ce pour quoi il n'a pas de mot passe par son cas par "
    "défaut",
    "what it has no word for is a text of 'server', which a user of that name could type as well": "ce pour quoi il "
    "n'a pas de mot est un texte de « server », qu'un utilisateur de ce nom pourrait taper aussi",
    "who asks is not told: an acknowledgement is made up, and says so": "qui demande n'apprend rien : un accusé de "
    "réception est inventé, et le dit",
    "known by its wording alone, which any user could type: it is shown, never acted on": "connu par ses seuls mots, "
    "que n'importe qui pourrait taper : montré, jamais suivi d'effet",
    "nobody is told": "personne n'en apprend rien",
    "nobody is told anything": "personne n'apprend rien",
    "it dies of it": "il en meurt",
    "it does not know it": "il ne connaît pas cela",
    "it dies: {word}": "il meurt : {word}",
    "whoever is invited is a member at once": "qui est invité est aussitôt membre",
    "the list does not name who is connected": "la liste ne nomme pas les connectés",
    "the group is in no list afterwards": "le groupe n'est ensuite dans aucune liste",
    "the list does not name the members": "la liste ne nomme pas les membres",
    "the list does not name the group": "la liste ne nomme pas le groupe",
    "no other member hears the text": "aucun autre membre ne reçoit le texte",
    "the one it is for does not hear the text": "le destinataire ne reçoit pas le texte",
    "who is invited is not told": "qui est invité n'en apprend rien",
    "it speaks first: {what}": "il parle le premier : {what}",
    "it answers slowly: every wait was made longer": "il répond lentement : chaque attente a été allongée",
    "it also says what is no message, shown as a sentence: {what}": "il dit aussi ce qui n'est pas un message, montré "
    "comme une phrase : {what}",
    "it calls its requests otherwise than the course: they were found by trying": "il appelle ses demandes autrement "
    "que le cours : elles ont été trouvées en essayant",
    "its list of users names nobody: what is acknowledged is guessed by waiting": "sa liste des connectés ne nomme "
    "personne : ce qu'il confirme est deviné en attendant",
    # around others
    "{count} commands; what it shows of its own server's answers": "{count} commandes ; ce qu'il montre des réponses "
    "de son serveur",
    "{count} commands; what it shows of anything": "{count} commandes ; ce qu'il montre de n'importe quoi",
    "{count} of {all} commands": "{count} commandes sur {all}",
    "{what}; if it has a port of its own, say so: --port N": "{what} ; s'il a un port à lui, dites-le : --port N",
    "{what}; it said: {said}": "{what} ; il a dit : {said}",
    "{name}: {said}": "{name} : {said}",
}


def english(sentence: str) -> str:
    """Return *sentence*."""
    return sentence


def french(sentence: str) -> str:
    """Return *sentence* in French, with the sentences in it; what is unknown stays as it is."""
    return by_english(sentence, FRENCH, "fr")
