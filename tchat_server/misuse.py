"""What is raised to a program that has a chat inside it."""

from __future__ import annotations

__all__ = ["ChatError", "ChatFailed", "Misused", "NotRunning"]


class ChatError(Exception):
    """Base of what a `Chat` raises besides `libtchat.Refused`, which is about one request."""


class Misused(ChatError):
    """The program around did what makes no sense; the message says what to do."""


class NotRunning(ChatError):
    """The chat was not started, or has ended."""


class ChatFailed(ChatError):
    """The chat has ended by a fault that may have cost lines: the `__cause__` says which."""
