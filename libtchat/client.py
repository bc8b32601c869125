"""A client without I/O: bytes, messages, and the view of the groups they make, over any number of connections."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from attrs import define, evolve, field

from libtchat.message.reply import Foreign, Goodbye, Message, Welcome
from libtchat.message.request import REQUESTS, Hello, Ping, Quit, ReportError, Request
from libtchat.mirror import Heard, Mirror, Notice
from libtchat.wire.connection import ClientEnd

__all__ = ["ClientConnection"]

_KINDS = frozenset(REQUESTS.values())


class _State(Enum):
    CLOSED = auto()
    OPEN = auto()
    LEAVING = auto()


@define(eq=False)
class ClientConnection:
    """A user's connection to a server, and the next one: bytes in, notices out; request in, bytes out.

    It pairs `ClientEnd`, which reads and writes messages, with `Mirror`, which knows what is missing. It does no I/O:

        me = ClientConnection("alice", new_id=secrets.token_hex)
        sock.sendall(me.hello())
        while data := sock.recv(65536):
            for notice in me.receive(data):
                print(notice)
            sock.sendall(me.wanted())
        me.closed()  # and connect again: `hello` begins the next connection

    Attributes:
        name: who to be; None is a guest. The server's word for it is `mirror.name`.
        new_id: makes the `id` of a request: text of at most 64 bytes, random, another one each time (R-client-id).
        mirror: what is known of the groups; it lasts from one connection to the next.
        token: from the last welcome; it proves at the next hello that one is the same user.
        is_ours: the server speaks this protocol, version 1 or later.
        has_left: our goodbye was answered: the server closes the connection.
    """

    name: str | None = None
    new_id: Callable[[], str] = field(kw_only=True)
    mirror: Mirror = field(factory=Mirror, kw_only=True)
    token: str | None = field(default=None, kw_only=True)
    is_ours: bool = field(default=False, init=False)
    has_left: bool = field(default=False, init=False)
    _end: ClientEnd = field(factory=ClientEnd, init=False)
    _state: _State = field(default=_State.CLOSED, init=False)

    @property
    def is_open(self) -> bool:
        """Requests can be sent: hello was said on this connection, and one has not quit."""
        return self._state is _State.OPEN

    @property
    def broken(self) -> bool:
        """What came was no message, and nothing more can be read: close the connection."""
        return self._end.broken

    @property
    def mid_frame(self) -> bool:
        """Bytes of an unfinished message are held."""
        return self._end.mid_frame

    def hello(self, password: str | None = None) -> bytes:
        """Begin a connection, or say hello again after a refusal; the bytes to send.

        The answer is a `Welcome`, or an `Error`, as with any request.
        """
        return self.send(Hello(sender=self.name, password=password, token=self.token))

    def complete(self, request: Request) -> Request:
        """Return *request* as `send` sends it: with an `id`, its own or a new one, and one's name.

        Raises:
            TypeError: it is no request.
        """
        if type(request) not in _KINDS:
            raise TypeError(f"{_kind(request)} is no request: give one of libtchat, as Say('wob', 'hello')")
        request = evolve(request, id=request.id or self.new_id())
        if isinstance(request, Ping | Hello):
            return request
        return evolve(request, sender=self.mirror.name or self.name)

    def send(self, request: Request, *, quiet: bool = False) -> bytes:
        """Return the bytes to send for *request*: one write (R-client-one-write).

        What answers it is heard as everything else, and names it: see `Heard.request`.

        Args:
            quiet: nobody asked for it; its answer is marked so, and no `NoAnswer` tells of its loss.
        Raises:
            RuntimeError: nobody has said hello yet, or one has quit.
            TypeError, ValueError: it is no request, or a field holds what JSON cannot say.
        """
        request = self.complete(request)
        self._proceed_to(request)
        data = self._end.send(request)
        self.mirror.sent(request, quiet=quiet)
        return data

    def _proceed_to(self, request: Request) -> None:
        if isinstance(request, Hello) and self._state is _State.CLOSED:
            self._end, self._state = ClientEnd(), _State.OPEN
            self.is_ours = self.has_left = False
            self.mirror.name = self.mirror.name or self.name or ""
        if self._state is _State.CLOSED:
            raise RuntimeError(f"{request.action}: there is no connection yet: hello() begins one")
        if self._state is _State.LEAVING:
            raise RuntimeError(f"{request.action}: this connection was quit: closed(), then hello(), begin another one")
        if isinstance(request, Quit | ReportError):
            self._state = _State.LEAVING

    def receive(self, data: bytes) -> list[Notice]:
        """Take in bytes read from the server, cut anywhere; raises nothing, whatever they are.

        Returns:
            What there is to show, in order. Then send what is `wanted`, and close if `broken`.
        """
        return [notice for message in self.messages(data) for notice in self.take(message)]

    def messages(self, data: bytes) -> list[Message | Foreign]:
        """Do the first half of `receive`, for who wants to see each message before it is taken in."""
        return self._end.receive(data)

    def take(self, message: Message | Foreign) -> list[Notice]:
        """Do the second half of `receive`: take one message in."""
        notices = self.mirror.apply(message)
        if isinstance(message, Welcome):
            self.is_ours = message.version >= 1
            self.token = message.token or None
        elif isinstance(message, Goodbye):
            self.has_left |= any(
                isinstance(n, Heard) and isinstance(n.request, Quit | ReportError) for n in notices
            )  # one that we did not ask for is the server's own end: one comes back
        return notices

    def wanted(self) -> bytes:
        """Return what to send now so that nothing is missed; nothing while its answer is still to come.

        Call it after each `receive`. While the server refuses, as `rate-limited` does, wait before the next call.
        """
        if not self.is_open:
            return b""
        return b"".join(self.send(request, quiet=True) for request in self.mirror.wanted())

    def closed(self) -> list[Notice]:
        """Note that the connection is over.

        Returns:
            `NoAnswer` for each request that was not answered.
        """
        self._state = _State.CLOSED
        return self.mirror.disconnected()


def _kind(given: object) -> str:
    return given.__name__ if isinstance(given, type) else type(given).__name__
