"""What argparse says by itself, in French: its English is the key."""

from __future__ import annotations

from typing import Dict

__all__ = ["ARGPARSE"]

ARGPARSE: Dict[str, str] = {
    "usage: ": "usage : ",
    "positional arguments": "arguments",
    "options": "options",
    "optional arguments": "options",
    "show this help message and exit": "montre cette aide et finit",
    "%(prog)s: error: %(message)s\n": "%(prog)s : erreur : %(message)s\n",
    "the following arguments are required: %s": "il manque : %s",
    "unrecognized arguments: %s": "arguments inconnus : %s",
    "expected one argument": "un argument attendu",
    "expected at most one argument": "au plus un argument attendu",
    "not allowed with argument %s": "ne va pas avec l'argument %s",
    "ambiguous option: %(option)s could match %(matches)s": "option ambiguë : %(option)s peut être %(matches)s",
    "argument %(argument_name)s: %(message)s": "argument %(argument_name)s : %(message)s",
    "invalid choice: %(value)r (choose from %(choices)s)": "choix inconnu : %(value)r (possibles : %(choices)s)",
    "invalid %(type)s value: %(value)r": "valeur impossible : %(value)r",
}
