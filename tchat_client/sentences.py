"""What is said about a refusal, a lost connection, a mistyped line, a command: sanitised, in one's language."""

from __future__ import annotations

import re
from math import ceil
from string import Formatter

from attrs import define, field

from libtchat.commands import COMMANDS, Command, Mistyped
from libtchat.guess import nearest
from libtchat.message.event import Closed, Redacted, Said
from libtchat.message.reply import Error
from libtchat.message.request import Hello, Request
from libtchat.wire.lenient import UNSAID_CODE
from tchat_client.errors import HelloRefused, LinkError
from tchat_client.language import Language
from tchat_client.sanitise import clean

__all__ = ["Sentences"]


@define
class Sentences:
    """Says in one's language what is wrong, and what can be typed.

    Attributes:
        me: one's own name, for mentions and for what is said to "you".
        address: the server's, as shown.
        groups: names of groups that there are, to tell a typo.
    """

    language: Language
    me: str = ""
    address: str = ""
    groups: tuple[str, ...] = field(default=(), kw_only=True)

    def mistyped(self, problem: Mistyped) -> str:
        """Return the sentence for what was typed wrongly."""
        values: dict[str, object] = {
            name: self._words(value) if name in ("takes", "form", "suggestion", "word") else value
            for name, value in problem.values.items()
        }
        return clean(self.language.text(f"problem.{problem.problem}", **values))

    def failure(self, error: LinkError) -> str:
        """Return the sentence for what is wrong with the connection."""
        return clean(self.language.told(error.sentence(self.language.text)))

    def reason(self, cause: LinkError | HelloRefused) -> str:
        """Return the sentence for why there is no connection."""
        return self.refusal(cause.error) if isinstance(cause, HelloRefused) else self.failure(cause)

    def offline(self, seconds: float) -> str:
        """Return the sentence for a connection that is tried again in so many *seconds*, or by now."""
        return self.say("offline", seconds=ceil(seconds)) if seconds > 0 else self.say("connecting")

    def refusal(self, error: Error, request: Request | None = None) -> str:
        """Return the sentence for what the server refused, and its code."""
        known = {"name": self.me, "group": getattr(request, "group", None), "request": error.request}
        known["near"] = nearest(known["group"] or error.group or "", self.groups)
        known["dest"] = getattr(request, "dest", getattr(request, "to", None))
        known |= {
            name: value
            for name in ("group", "dest", "field", "limit", "retry_after", "msg")
            if (value := getattr(error, name)) not in (None, "")
        }
        known["msg"] = self.language.told(error.msg or "")
        variants: tuple[str, ...] = ()
        if request is not None and not isinstance(request, Hello):
            variants = ("near", f"{request.action}.{error.field}", request.action, "asked")
        if error.code == UNSAID_CODE and error.msg:
            return clean(error.msg)  # another server's own sentence
        for key in (*(f"error.{error.code}.{variant}" for variant in variants), f"error.{error.code}", "error"):
            if key in self.language and all(known.get(name) for name in _names_in(self.language.sentences[key])):
                return clean(f"{self.language.text(key, **known)} ({error.code})")
        return clean(error.code)

    def ruled(self, event: Said | Closed | Redacted) -> str:
        """Return the sentence for what an operator did, or for a text that one removed."""
        say = self.language.text
        match event:
            case Said(sender=sender):
                return say("redacted", sender=sender)
            case Redacted(author=author):
                return say("redact", author=author)
            case Closed(group=group, undone=undone):
                return say("close.undone" if undone else "close", group=group)

    def help(self, command: Command | None) -> list[str]:
        """Return the help of one command, or a line for each."""
        say = self.language.text
        if command is None:
            forms = [(self._words(each.form), each.name) for each in COMMANDS]
            return [say("help.title"), *(f"  {form:<28}  {say('help.' + name)}" for form, name in forms)]
        words = [f"[{self._words(f.word)}]" if f.optional else self._words(f.word) for f in command.fields]
        rows = [
            ("help.form", f"{self._words(command.form)}   {' '.join([f'/{command.name}', *words])}"),
            ("help.also", ", ".join(f"/{name}" for name in command.also)),
            ("help.example", command.example),
            ("help.who", say(f"who.{command.name}")),
            ("help.errors", ", ".join(command.errors)),
        ]
        return [
            f"{command.name}: {say('help.' + command.name)}",
            *(f"  {say(label)}: {text}" for label, text in rows if text),
        ]

    def say(self, key: str, **values: object) -> str:
        """Return the sentence *key* with *values* in it, sanitised."""
        return clean(self.language.text(key, **values))

    def _words(self, form: str) -> str:
        """Return a form, or one of its words, in one's language."""

        def translated(word: re.Match[str]) -> str:
            key = f"word.{word[0]}"
            return self.language.text(key) if key in self.language else word[0]

        return re.sub(r"[^\[\];]+", translated, form)


def _names_in(sentence: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(sentence) if name]
