"""Saying hello until the server welcomes us: which token or password is shown, and what is tried after a refusal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from attrs import define, field

from libtchat.message.reply import Error, Foreign, Message
from libtchat.message.request import Hello
from tchat_client.errors import HelloRefused, Unprotected

__all__ = ["Introduction"]

Answer = Message | Foreign


@define
class Introduction:
    """One name's way into a server.

    Attributes:
        kept: reads the token that is kept for all programs of this user; another one may have written it since.
        ask_password: asks a person; None gives up.
    """

    name: str | None
    password: str | None
    token: str | None
    kept: Callable[[], str | None]
    ask_password: Callable[[Error], Awaitable[str | None]]
    takes_kept: bool = True
    _ended: set[str | None] = field(factory=set, init=False)

    async def say(self, ask: Callable[[Hello], Awaitable[Answer]]) -> Answer:
        """Say hello by *ask* until something else than a refusal comes, and return that.

        Raises:
            HelloRefused: the server does not let us in.
            Unprotected: a password was shown for a name that has none (R-auth-unset).
        """
        while True:
            answer = await ask(Hello(self.password, self.token, sender=self.name, kept=self.takes_kept))
            if not isinstance(answer, Error):
                return answer
            self._ended.add(self.token)
            if answer.code in ("name-in-use", "auth-failed") and self._knows_another_token():
                continue
            if answer.code == "auth-failed" and self.password is None and self.token is not None:
                self.token = None  # it has ended: nobody gave a wrong password
                continue
            if answer.code == "auth-failed" and self.password is not None and not await self._has_password(ask):
                raise Unprotected("unprotected", name=self.name)
            if answer.code not in ("auth-required", "auth-failed"):
                raise HelloRefused(answer, self.name or "")
            self.password, self.token = await self.ask_password(answer), None
            if self.password is None:
                raise HelloRefused(answer, self.name or "")

    def _knows_another_token(self) -> bool:
        kept = self.kept()
        is_other = kept is not None and kept not in self._ended
        if is_other:
            self.token = kept
        return is_other

    async def _has_password(self, ask: Callable[[Hello], Awaitable[Answer]]) -> bool:
        """Tell whether the name has a password: only then a hello without one is answered so (R-auth-required)."""
        answer = await ask(Hello(sender=self.name))
        return isinstance(answer, Error) and answer.code not in ("name-in-use",)
