"""Leaves the groups that a case made: who is a member of what, as the messages tell it, and the way out."""

from __future__ import annotations

import contextlib
import time
from typing import Callable, Dict, List, Tuple

from cases.path import canonical
from talk.wire import Closed, Flood, Garbage, Message, Peer, Silence, write

__all__ = ["Tidy"]

PATIENCE_SECONDS = 2.0  # a busy machine's server is not taken for one that never answers


class Tidy:
    """The memberships of one case; `is_tired` once a request to leave stayed without an answer."""

    is_tired = False

    def __init__(self) -> None:
        self._members: Dict[Tuple[str, str], None] = {}
        self._tokens: Dict[str, str] = {}
        self._users: Dict[str, Peer] = {}

    def note(self, peer: Peer, message: Message) -> None:
        """Look at a message that *peer* received."""
        action, group, sender = canonical(message.get("action")), message.get("group"), message.get("sender")
        if message.get("action") == "server-hello" and isinstance(sender, str):
            self._users[sender] = peer
            self._tokens[sender] = str(message.get("token"))
        if not isinstance(group, str) or not isinstance(sender, str):
            return
        if action in ("cgroupe", "join"):
            self._members[group, sender] = None
        elif action in ("leave", "kick", "ban"):
            self._members.pop((group, sender if action == "leave" else str(message.get("dest"))), None)

    def note_request(self, peer: Peer, user: str, message: Message) -> None:
        """Look at a request: the answer to what makes a group may stay unread, and some never say hello."""
        wrapped = message.get("messageFormat")
        message = wrapped if isinstance(wrapped, dict) else message
        group = message.get("group", message.get("groupe"))
        self._users.setdefault(user, peer)
        if canonical(message.get("action")) == "cgroupe" and isinstance(group, str):
            self._members.setdefault((group, user))

    def leave_all(self, open_peer: Callable[[int], Peer]) -> None:
        """Have every member leave, on its own connection or a new one, as long as the server answers."""
        opened: List[Peer] = []
        try:
            for group, user in self._members:
                if Tidy.is_tired:
                    return
                peer = self._users.get(user)
                with contextlib.suppress(Silence, Closed, Garbage, Flood, OSError):
                    if peer is None or peer.is_closed:
                        peer = self._users[user] = open_peer(0)
                        opened.append(peer)
                        hello = {"from": user, "token": self._tokens.get(user), "action": "client-hello"}
                        peer.send(write({key: value for key, value in hello.items() if value}))
                    self._leave(peer, group, user)
        finally:
            for peer in opened:
                peer.sock.close()

    def _leave(self, peer: Peer, group: str, user: str) -> None:
        peer.send(write({"sender": user, "from": user, "group": group, "action": "leave"}))
        peer.timeout_seconds = PATIENCE_SECONDS
        deadline = time.monotonic() + PATIENCE_SECONDS
        try:
            while peer.next().message.get("action") not in ("leave", "error") and time.monotonic() < deadline:
                pass
        except Silence:
            Tidy.is_tired = True
            raise
