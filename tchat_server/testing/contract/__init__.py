"""What every `EventLog` promises, as tests: subclass `LogContract` and say how yours is opened."""

from __future__ import annotations

from tchat_server.testing.contract.appending import AppendingContract
from tchat_server.testing.contract.kept import KeptContract
from tchat_server.testing.contract.pages import PagesContract
from tchat_server.testing.contract.users import UsersContract

__all__ = ["LogContract"]


class LogContract(AppendingContract, UsersContract, PagesContract, KeptContract):
    """The contract of an `EventLog`, for pytest: a subclass whose name begins with `Test` says how a log is opened.

    class TestMyLog(LogContract):
        def open(self, directory, clock):
            return MyLog(directory / "log", clock=clock)
    """
