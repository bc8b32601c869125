"""What `check` finds wrong in a database, in French, by its English; see `libtchat.language.by_english`.

What SQLite itself says of a page stays as it is, and so does the word for a standing, which is what the table holds.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["FAULTS"]

FAULTS: Mapping[str, str] = {
    "group {name} is damaged, nothing has changed: {fault}": "le groupe {name} est endommagé, rien n'a changé : "
    "{fault}",
    "{what}: damaged": "{what} : données endommagées",
    "{what} is damaged on disk: `tchat-server check` tells more; restore a backup": "{what} : données endommagées sur "
    "le disque ; restaurez une sauvegarde",
    "cannot be read further: {detail}": "la suite ne peut être lue : {detail}",
    "table {table}, row {row}: of a group that does not exist": "table {table}, ligne {row} : d'un groupe qui n'existe "
    "pas",
    "group {name}: {fault}": "groupe {name} : {fault}",
    "texts {name}: {fault}": "textes {name} : {fault}",
    "record {number} on {subject}: {fault}": "enregistrement {number} sur {subject} : {fault}",
    "after event {seq}: {fault}": "après l'évènement {seq} : {fault}",
    # of a group, or of the texts of two
    "has no events": "n'a pas d'évènements",
    "is in the list of groups": "est à tort dans la liste des groupes",
    "is not in the list of groups": "n'est pas dans la liste des groupes",
    "is stored as {key}": "est rangé sous {key}",
    "begins with event {seq}, and has no snapshot of what was before": "commence par l'évènement {seq}, sans "
    "instantané de ce qui précède",
    "event {seq} does not follow {before}": "l'évènement {seq} ne suit pas {before}",
    "the event stored as {seq} says {found}": "l'évènement rangé comme {seq} dit {found}",
    "{name} was created twice": "{name} a été créé deux fois",
    "{name} does not begin with its creation": "{name} ne commence pas par sa création",
    "its events end with {reached}, and the table of groups says {last}": "ses évènements finissent par {reached}, et "
    "la table des groupes dit {last}",
    "its {count} events do not agree with the table of groups, which says {last}": "ses {count} évènements ne vont pas "
    "avec la table des groupes, qui dit {last}",
    "the snapshot at {seq} is not the fold of its events": "l'instantané à {seq} n'est pas ce que donnent ses "
    "évènements",
    "the snapshot at {seq} is beyond the last event, {last}": "l'instantané à {seq} est au-delà du dernier évènement, "
    "{last}",
    "the text {seq} was removed, and is still there": "le texte {seq} a été retiré, et il est toujours là",
    "the text {seq} is not there, and nothing says that it was removed": "le texte {seq} n'est pas là, et rien ne dit "
    "qu'il a été retiré",
    "{user} is {standing} by its events, not so in the table of standings": "{user} est « {standing} » d'après ses "
    "évènements, et pas dans la table des statuts",
    # rows
    "events {seqs} of group {group}": "évènements {seqs} du groupe {group}",
    "the row of event {seq} of {where}": "la ligne de l'évènement {seq}, {where}",
    "the row of events {seqs} of {where}": "la ligne des évènements {seqs}, {where}",
    "the snapshot at {seq} of group {group}": "l'instantané à {seq} du groupe {group}",
    "the standing of {user} in group {group}": "le statut de {user} dans le groupe {group}",
    "an id of {user} in group {group}": "un id de {user} dans le groupe {group}",
    "the account of {user}": "le compte de {user}",
    "the beginning of group {group}": "le début du groupe {group}",
    "the ban of {user}": "le bannissement de {user}",
    "an invitation code": "un code d'invitation",
    "group {name}": "groupe {name}",
    # records of an engine
    "it is of {key}, which has another subject": "il est de {key}, qui a un autre sujet",
    "it begins with event {first} and should begin with {due}": "il commence par l'évènement {first} et devrait "
    "commencer par {due}",
    "an event in it is not understood: {detail}": "un évènement n'y est pas compris : {detail}",
    "its events have other numbers": "ses évènements ont d'autres numéros",
    "it is no record of this version of tchat": "ce n'est pas un enregistrement de cette version de tchat",
    "its checksum does not hold": "sa somme de contrôle est fausse",
    "its header is not understood: {detail}": "son en-tête n'est pas compris : {detail}",
}
