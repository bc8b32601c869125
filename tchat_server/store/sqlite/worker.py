"""A thread that does jobs for the event loop: all that wait, in one go, reported in one go."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from asyncio import AbstractEventLoop, Future
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from attrs import define, field

from tchat_server.store.event_log import LogUnavailable

__all__ = ["Job", "NotDone", "Worker"]

_CLOSED = "the log is closed"

_T = TypeVar("_T")


class NotDone(LogUnavailable):
    """It was certainly not done: nothing of it is stored, nor ever will be."""


@define(eq=False)
class Job(Generic[_T]):
    """What is to be done. Its future gets the *result*, or else the *error*, on the loop it belongs to."""

    future: Future[_T]
    result: _T = field(init=False)
    error: BaseException | None = field(default=None, init=False)

    def settle(self) -> None:
        """Tell whoever waits what became of it. On the loop."""
        if self.future.done():
            return  # nobody waits any more
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(self.error)


_J = TypeVar("_J", bound=Job[Any])


class Worker(ABC, Generic[_J]):
    """The thread and its queue. `submit` and `stop` are called on the event loop, the rest in the thread."""

    def __init__(self, name: str) -> None:
        self._queue: SimpleQueue[_J | None] = SimpleQueue()
        self._gate = threading.Lock()
        self._is_ended = False
        self.stopping: threading.Event = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: _J) -> None:
        """Have *job* done; its future is resolved on its loop."""
        with self._gate:
            if not self._is_ended:
                self._queue.put(job)
                return
        job.error = NotDone(_CLOSED)
        job.settle()

    def stop(self) -> None:
        """Finish what was submitted and wait for the thread's end. Blocks: not on the loop."""
        self.stopping.set()
        self._queue.put(None)
        self._thread.join()

    @abstractmethod
    def perform(self, jobs: Sequence[_J]) -> None:
        """Do *jobs*, one at least, and `report` each. What it raises is a defect: the thread ends, *jobs* raise it."""

    def choose(self, found: Sequence[_J]) -> Sequence[_J]:
        """Take in the jobs *found* now, perhaps none, and return those to perform next; none: nothing waits."""
        return found

    @abstractmethod
    def release(self) -> None:
        """Let go of what the thread holds: it ends."""

    def report(self, jobs: Sequence[_J]) -> None:
        """Have *jobs*, which have a result or an error, settled on their loop, all at once."""

        def settle() -> None:
            for job in jobs:
                job.settle()

        if jobs:
            loop: AbstractEventLoop = jobs[0].future.get_loop()
            with suppress(RuntimeError):  # a loop that is closed has nobody waiting
                loop.call_soon_threadsafe(settle)

    def refuse(self, jobs: Sequence[_J], error: BaseException) -> None:
        """Report that *jobs* were not done."""
        for job in jobs:
            job.error = error
        self.report(jobs)

    def _run(self) -> None:
        is_over = False
        try:
            while not is_over:
                found = [self._queue.get(), *self._waiting()]
                is_over = None in found
                while jobs := self.choose([job for job in found if job is not None]):
                    self._perform_or_fail(jobs)
                    found = self._waiting()
                    is_over = is_over or None in found
        finally:
            with self._gate:
                self._is_ended = True
            found = self._waiting()
            while jobs := self.choose([job for job in found if job is not None]):
                self.refuse(jobs, NotDone(_CLOSED))
                found = []
            self.release()

    def _perform_or_fail(self, jobs: Sequence[_J]) -> None:
        try:
            self.perform(jobs)
        except BaseException as defect:
            self.refuse(jobs, defect)
            raise

    def _waiting(self) -> list[_J | None]:
        """Take what is in the queue now."""
        found: list[_J | None] = []
        with suppress(Empty):
            while True:
                found.append(self._queue.get_nowait())
        return found
