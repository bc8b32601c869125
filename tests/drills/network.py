"""Machines in network namespaces of their own, on one bridge: what one sends to another may be made to go nowhere.

It needs a namespace where that is allowed: see `inside`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from engine import Machine

__all__ = ["MACHINES", "Network", "inside", "refusal"]

MACHINES = ("e0", "e1", "e2", "n0", "n1")
_UNSHARE = ("unshare", "--user", "--map-root-user", "--net", "--mount", "--kill-child")
_NOWHERE = "02:00:00:00:00:00"


def inside(*arguments: str) -> list[str]:
    """Return the command that runs this Python with *arguments* where a `Network` may be made."""
    return [*_UNSHARE, sys.executable, *arguments]


def refusal() -> str:
    """Return why there may be no network here, "" if there may be one."""
    try:
        done = subprocess.run([*_UNSHARE, "ip", "link", "add", "bridge0", "type", "bridge"], capture_output=True)
    except OSError as error:
        return str(error)
    return done.stderr.decode().strip()


class Network:
    """The machines, by name."""

    def __init__(self) -> None:
        self.machines: dict[str, Machine] = {}
        _run("mkdir", "-p", "/run/netns")
        _run("mount", "-t", "tmpfs", "none", "/run/netns")
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "link", "add", "bridge0", "type", "bridge")
        _run("ip", "addr", "add", "10.77.0.1/24", "dev", "bridge0")
        _run("ip", "link", "set", "bridge0", "up")
        for number, name in enumerate(MACHINES, 11):
            host = f"10.77.0.{number}"
            self.machines[name] = Machine(host, ("nsenter", f"--net=/run/netns/{name}", "--"))
            _run("ip", "netns", "add", name)
            _run("ip", "link", "add", f"to-{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
            _run("ip", "link", "set", f"to-{name}", "master", "bridge0", "up")
            self._on(name, "ip", "addr", "add", f"{host}/24", "dev", "eth0")
            self._on(name, "ip", "link", "set", "eth0", "up")
            self._on(name, "ip", "link", "set", "lo", "up")

    def cut(self, here: str, there: Sequence[str], *, both: bool = True) -> None:
        """Have what *here* sends to *there* go nowhere; *both*: and what comes back."""
        for one, other in self._ways(here, there, both=both):
            host = self.machines[other].host
            self._on(one, *f"ip neigh replace {host} lladdr {_NOWHERE} dev eth0 nud permanent".split())

    def mend(self, here: str, there: Sequence[str], *, both: bool = True) -> None:
        """Undo `cut`."""
        for one, other in self._ways(here, there, both=both):
            self._on(one, *f"ip neigh del {self.machines[other].host} dev eth0".split())

    def _ways(self, here: str, there: Sequence[str], *, both: bool) -> list[tuple[str, str]]:
        return [(here, other) for other in there] + [(other, here) for other in there if both]

    def _on(self, name: str, *command: str) -> None:
        _run(*self.machines[name].prefix, *command)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
