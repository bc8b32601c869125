"""What keys do at the prompt beyond what every editor's do, and what Tab offers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys

from libtchat.mirror import Mirror
from tchat_client.completion import candidates

__all__ = ["Tab", "Typing"]

_AGAIN_SECONDS = 3


class Tab(Completer):
    """Offers what `completion` finds."""

    def __init__(self, mirror: Mirror) -> None:
        self.mirror = mirror

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Yield what the word under the cursor may become."""
        fragment, words = candidates(document.text_before_cursor, self.mirror)
        for word in words:
            yield Completion(word, start_position=-len(fragment))


class Typing:
    """The keys, and what they tell about the line that is typed.

    Attributes:
        is_pasted: several lines were pasted into it, which may have been meant for somewhere else.
    """

    def __init__(self, warn: Callable[[], None]) -> None:
        self.is_pasted: bool = False
        self._warn = warn
        self._again_at = 0.0
        self.bindings: KeyBindings = KeyBindings()
        self.bindings.add("escape", "enter")(self._new_line)
        self.bindings.add(Keys.BracketedPaste)(self._paste)
        self.bindings.add("c-c")(self._interrupt)

    def _new_line(self, event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    def _paste(self, event: KeyPressEvent) -> None:
        text = event.data.replace("\r\n", "\n").replace("\r", "\n")
        self.is_pasted |= "\n" in text
        event.current_buffer.insert_text(text)

    def _interrupt(self, event: KeyPressEvent) -> None:
        """Empty the line; on an empty one quit, if that is said twice."""
        now = asyncio.get_running_loop().time()
        if event.current_buffer.text:
            event.current_buffer.reset()
            self.is_pasted = False
        elif now - self._again_at < _AGAIN_SECONDS:
            event.app.exit(exception=EOFError)
        else:
            self._again_at = now
            self._warn()
