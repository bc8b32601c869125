"""One method for each request: its fields are the arguments, and what answers it is returned."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TypeVar

from libtchat.message.event import Banned, Created, Invited, Joined, Kicked, Left, Said, Unbanned
from libtchat.message.reply import (
    DirectMessage,
    Foreign,
    Groups,
    Members,
    Message,
    Messages,
    Pong,
    PublicMessage,
    Registered,
    States,
    Users,
)
from libtchat.message.request import (
    Ban,
    Broadcast,
    Create,
    Invite,
    Join,
    Kick,
    Leave,
    ListGroups,
    ListMembers,
    ListMessages,
    ListStates,
    ListUsers,
    Ping,
    Register,
    Request,
    Say,
    Tell,
    Unban,
)
from tchat_client.errors import OddAnswer

__all__ = ["Requesting"]

Answer = TypeVar("Answer", bound=Message)


class Requesting(ABC):
    """What one may ask of a server. Every method raises what `ask` does, and `OddAnswer`.

    The codes with which a server refuses are those of the specification; the most usual ones are named here.
    """

    @abstractmethod
    async def ask(self, request: Request) -> Message | Foreign:
        """Send any request and return what answers it."""

    async def _have(self, request: Request, kind: type[Answer]) -> Answer:
        answer = await self.ask(request)
        if not isinstance(answer, kind):
            raise OddAnswer(request, answer)
        return answer

    async def create(self, group: str, *, private: bool = False) -> Created:
        """Create *group*, and become its first member and its owner.

        `await chat.create("wob")`; refused with `group-exists`, `bad-name`, `limit-reached`.
        """
        return await self._have(Create(group, private=private), Created)

    async def join(self, group: str) -> Joined:
        """Become a member of *group*: from now on one hears what happens there.

        `await chat.join("wob")`; refused with `group-not-found`, `already-member`, `invite-required`, `banned`.
        """
        return await self._have(Join(group), Joined)

    async def leave(self, group: str) -> Left:
        """Stop being a member, or decline an invitation.

        `await chat.leave("wob")`; refused with `not-member`.
        """
        return await self._have(Leave(group), Left)

    async def invite(self, group: str, dest: str) -> Invited:
        """Invite the user *dest*, who may then join.

        `await chat.invite("wob", "bob")`; refused with `not-member`, `user-not-found`, `already-member`.
        """
        return await self._have(Invite(group, dest), Invited)

    async def kick(self, group: str, dest: str, reason: str = "") -> Kicked:
        """Remove the member *dest*, or revoke the invitation of *dest*; only the owner may.

        `await chat.kick("wob", "bob", "spam")`; refused with `forbidden`, `target-not-member`.
        """
        return await self._have(Kick(group, dest, reason), Kicked)

    async def ban(self, group: str, dest: str, reason: str = "") -> Banned:
        """Remove the user *dest* and keep that user out; only the owner may.

        `await chat.ban("wob", "bob", "spam again")`; refused with `forbidden`, `target-banned`.
        """
        return await self._have(Ban(group, dest, reason), Banned)

    async def unban(self, group: str, dest: str) -> Unbanned:
        """Let the banned user *dest* join again; only the owner may.

        `await chat.unban("wob", "bob")`; refused with `forbidden`, `not-banned`.
        """
        return await self._have(Unban(group, dest), Unbanned)

    async def say(self, group: str, msg: str) -> Said:
        """Send a text to *group*; it is stored when this returns. *msg* is at most 8192 bytes of UTF-8.

        `said = await chat.say("wob", "hello")`; refused with `not-member`, `too-large`.
        """
        return await self._have(Say(group, msg), Said)

    async def tell(self, to: str, msg: str) -> DirectMessage:
        """Send a text to the user *to* alone.

        `await chat.tell("bob", "got it")`; refused with `user-not-found`, `too-large`.
        """
        return await self._have(Tell(to, msg), DirectMessage)

    async def broadcast(self, msg: str) -> PublicMessage:
        """Send a text to everybody who is connected.

        `await chat.broadcast("tea is ready")`; refused with `rate-limited` more often than others.
        """
        return await self._have(Broadcast(msg), PublicMessage)

    async def list_users(self, after: str | None = None) -> Users:
        """List who is connected; *after*: names beyond this one, in the order of their keys.

        `users = await chat.list_users()`; the next page, if `users.more`: `chat.list_users(users.list[-1])`.
        """
        return await self._have(ListUsers(after=after), Users)

    async def list_groups(self, after: str | None = None) -> Groups:
        """List the groups one can see; *after*: names beyond this one, in the order of their keys.

        `print((await chat.list_groups()).list)`.
        """
        return await self._have(ListGroups(after=after), Groups)

    async def list_members(self, group: str, after: str | None = None) -> Members:
        """List who is in *group*; *after*: names beyond this one, in the order of their keys.

        `(await chat.list_members("wob")).owner`; refused with `group-not-found`, `not-member`.
        """
        return await self._have(ListMembers(group, after=after), Members)

    async def list_messages(
        self, group: str, *, before: int | None = None, after: int | None = None, limit: int | None = None
    ) -> Messages:
        """Read a page of a group's texts: the newest ones, or those *before* or *after* a seq.

        `page = await chat.list_messages("wob", limit=20)`; the page before, if `page.more`:
        `chat.list_messages("wob", before=page.first)`. Refused with `not-member`.

        Args:
            limit: at most so many, 1 to 1000; 100 if None.
        """
        return await self._have(ListMessages(group, before=before, after=after, limit=limit), Messages)

    async def list_states(
        self,
        group: str,
        *,
        before: int | None = None,
        after: int | None = None,
        limit: int | None = None,
        all: bool = False,
    ) -> States:
        """Read a page of a group's other events, or with *all* of every event, as `list_messages` does.

        `page = await chat.list_states("wob", after=7, all=True)`; refused with `not-member`.
        """
        return await self._have(ListStates(group, before=before, after=after, limit=limit, all=all), States)

    async def register(self, password: str, old: str | None = None, invitation: str | None = None) -> Registered:
        """Protect one's name with a password: from then on a hello needs it.

        `await chat.register("correct horse")`; refused with `forbidden` if the name has one, and *old* is not given.

        Args:
            old: the password that the name has, to change it.
            invitation: the operator's code, where the server asks for one.
        """
        return await self._have(Register(password, old, invitation), Registered)

    async def ping(self) -> Pong:
        """Ask for a sign of life; the answer says which `server` it is, and which `version` of the protocol it speaks.

        `pong = await chat.ping()`.
        """
        return await self._have(Ping(), Pong)
