"""The client's brain: server messages -> a local view of the groups, what is missing, and what is new to show.

A group's events are shown in the order of `seq`, each once. What is found missing, after a gap or a reconnect, is
asked for by `states` with `all` and `after` until nothing is; what comes live meanwhile is held back
(R-client-dedup, R-client-catch-up). Nothing here sends, knows the time or makes ids: the shell does.
"""

from libtchat.mirror.mirror import Mirror
from libtchat.mirror.notice import CaughtUp, Gone, Heard, Missing, NoAnswer, Notice
from libtchat.mirror.view import View

__all__ = ["CaughtUp", "Gone", "Heard", "Mirror", "Missing", "NoAnswer", "Notice", "View"]
