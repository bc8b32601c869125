"""How a request waits for an answer: its work is a generator, which yields the question and goes on with the answer.

Others are served while it waits, so an answer is as of then. Whoever asks looks at the present state again after the
answer: the name may be taken by now, the group loaded by somebody else.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar

from libtchat.effect import Answer, PeerId, Question
from libtchat.message.errors import ErrorCode, Refused

__all__ = ["NOBODY", "Work", "ask"]

NOBODY = PeerId(0)
"""Who asks when the hub asks for itself."""

T = TypeVar("T")

Work: TypeAlias = Generator[Question, Answer, T]
"""Yields questions, is sent their answers, and returns a T. It is closed if its peer goes meanwhile."""


def ask(question: Question, kind: type[T]) -> Work[T]:
    """Wait for the answer to *question*.

    Raises:
        Refused: unavailable, if it can't be had.
        TypeError: the shell's answer is not of the *kind* that answers this question.
    """
    answer = yield question
    if answer is None:
        raise Refused(ErrorCode.UNAVAILABLE)
    if not isinstance(answer, kind):
        raise TypeError(f"{type(question).__name__} is answered with a {type(answer).__name__}, not a {kind.__name__}")
    return answer
