"""A thread that does jobs for the event loop: all that wait, in one go, reported in one go."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

__all__ = ["Worker", "fail", "succeed"]


class Job(Protocol):
    """What is to be done. Its methods resolve its future, on the event loop."""

    @property
    def future(self) -> Any: ...  # an asyncio.Future, of whatever the job gives

    def succeed(self) -> None:
        """Report what was done."""

    def fail(self) -> None:
        """Report that it was not done."""


def succeed(job: Job) -> None:
    """Report that *job* was done."""
    job.succeed()


def fail(job: Job) -> None:
    """Report that *job* was not done."""
    job.fail()


def _fail_by(defect: BaseException, job: Job) -> None:
    job.future.set_exception(defect)


J = TypeVar("J", bound=Job)


class Worker(ABC, Generic[J]):
    """The thread and its queue. `submit` and `stop` are called on the event loop, the rest in the thread."""

    def __init__(self, name: str) -> None:
        self._queue: SimpleQueue[J | None] = SimpleQueue()
        self._gate = threading.Lock()
        self._is_ended = False
        self.stopping: threading.Event = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: J) -> None:
        """Have *job* done; its future is resolved on its loop."""
        with self._gate:
            if not self._is_ended:
                self._queue.put(job)
                return
        job.fail()

    def stop(self) -> None:
        """Finish what was submitted and wait for the thread's end. Blocks: not on the loop."""
        self.stopping.set()
        self._queue.put(None)
        self._thread.join()

    @abstractmethod
    def perform(self, jobs: Sequence[J]) -> None:
        """Do *jobs*, one at least, and `report` each. What it raises is a defect: the thread ends, *jobs* raise it."""

    def choose(self, found: Sequence[J]) -> Sequence[J]:
        """Take in the jobs *found* now, perhaps none, and return those to perform next; none: nothing waits."""
        return found

    @abstractmethod
    def release(self) -> None:
        """Let go of what the thread holds: it ends."""

    def report(self, jobs: Sequence[J], tell: Callable[[J], None]) -> None:
        """Have *tell* called for each of *jobs* on their loop, all at once, unless it was cancelled meanwhile."""

        def tell_all() -> None:
            for job in jobs:
                if not job.future.done():
                    tell(job)

        if jobs:
            loop: AbstractEventLoop = jobs[0].future.get_loop()
            with suppress(RuntimeError):  # a loop that is closed has nobody waiting
                loop.call_soon_threadsafe(tell_all)

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
                self.report(jobs, fail)
                found = []
            self.release()

    def _perform_or_fail(self, jobs: Sequence[J]) -> None:
        try:
            self.perform(jobs)
        except BaseException as defect:
            self.report(jobs, partial(_fail_by, defect))
            raise

    def _waiting(self) -> list[J | None]:
        """Take what is in the queue now."""
        found: list[J | None] = []
        with suppress(Empty):
            while True:
                found.append(self._queue.get_nowait())
        return found
