"""Where drills take place: three servers of the engine, two nodes, and clients who write all the time."""

from __future__ import annotations

import json
import random
import signal
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, suppress
from pathlib import Path

from crash.nodes import NodeWriter
from crash.writer import GROUPS, Record, events_of
from drills.network import Network
from engine import Engine, EngineServer, Machine
from live import Client, Server

__all__ = ["SETTLE_SECONDS", "Node", "Place"]

WRITERS = 8
SETTLE_SECONDS = 60.0
_STARTING_SECONDS = 60.0
_WELL_SECONDS = 30.0
_QUIET_SECONDS = 0.05
STREAM = "tchat-chat"
_HERE = Machine()


class Node(Server):
    """A node of the chat, with its own copy at `copy`."""

    def __init__(self, directory: Path, url: str, *options: str, prelude: str = "", machine: Machine = _HERE) -> None:
        directory.mkdir()
        self.host, self.prefix = machine.host, machine.prefix
        self.copy = directory / "copy.db"
        options = ("--db", url, "--cache", str(self.copy), "--log-level", "warning", *options)
        super().__init__(directory, *options, prelude=prelude)

    def freeze(self) -> None:
        """Stop it in the middle of whatever it does."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)

    def start_in_vain(self) -> None:
        """Start it, and see that it does not want to."""
        try:
            self.start()
        except AssertionError:
            return
        raise AssertionError("it started")

    def waits_for(self, text: str, said: int) -> None:
        """Wait until its log has *text*, beyond what was *said* before."""
        self._wait(lambda: text in self.log()[said:])

    def waits_until_it_serves(self) -> None:
        """Wait until somebody is let in: it may begin anew just now."""
        deadline = time.monotonic() + _STARTING_SECONDS
        while True:
            with suppress(OSError), Client(self.port, host=self.host) as client:
                client.send(action="ping")
                if client.next() is not None:
                    return
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)


class Place:
    """What a drill harms, and who uses it meanwhile.

    Attributes:
        hit: who used the node that was hit in this cycle, if it was one.
        notes: what a drill has to say of itself, for the table.
        network: between the machines, if each has its own.
    """

    def __init__(
        self,
        directory: Path,
        engine: Engine,
        stack: ExitStack,
        moments: random.Random,
        *,
        prelude: str = "",
        network: Network | None = None,
    ) -> None:
        self.directory, self.engine, self.moments, self.network = directory, engine, moments, network
        self.nodes: list[Node] = []
        for number in range(2):
            machine = network.machines[f"n{number}"] if network is not None else _HERE
            node = Node(directory / f"node{number}", engine.url(), prelude=prelude, machine=machine)
            stack.callback(node.end)
            self.nodes.append(node)
        addresses = [(node.host, node.port) for node in self.nodes]
        seed = moments.getrandbits(32)
        self.writers = [NodeWriter(number, WRITERS, addresses, seed) for number in range(WRITERS)]
        self.hit: list[NodeWriter] = []
        self.notes: list[str] = []
        self._tokens: dict[str, dict[str, str]] = {}
        for writer in self.writers:
            writer.start()

    def pause(self, least: float = 0.2, most: float = 0.8) -> None:
        """Let the writers write for a while."""
        time.sleep(self.moments.uniform(least, most))

    def busiest(self) -> Node:
        """Return the node with most writers, which is to be hit: what befalls one that nobody uses shows nothing."""
        node = max(self.nodes, key=lambda node: len(self._users(node)))
        self.hits(node)
        return node

    def hits(self, node: Node) -> None:
        """Note who uses a node now, for it is hit."""
        self.hit += [writer for writer in self._users(node) if writer not in self.hit]

    def _users(self, node: Node) -> list[NodeWriter]:
        return [writer for writer in self.writers if writer.address[1] == node.port]

    def leader(self, stream: str = STREAM) -> EngineServer:
        """Return the server of the engine that leads the log, as the others say too."""
        deadline = time.monotonic() + _STARTING_SECONDS
        while True:
            said = {self._leader_by(server, stream) for server in self.engine.servers}
            name = said.pop()
            if not said and name:
                return next(server for server in self.engine.servers if server.name == name)
            assert time.monotonic() < deadline, f"nobody leads {stream}: {said | {name}}"
            time.sleep(0.05)

    def follower(self) -> EngineServer:
        """Return a server that leads nothing of the chat's."""
        leaders = (self.leader(), self.leader(f"{STREAM}-roster"))
        return self.moments.choice([server for server in self.engine.servers if server not in leaders])

    def waits_for_the_engine(self) -> None:
        """Wait until all its servers agree who leads, and have all there is: until then none more may fail."""
        self.leader()
        self.leader(f"{STREAM}-roster")
        deadline = time.monotonic() + _WELL_SECONDS
        while ill := [said for said in map(self._illness, self.engine.servers) if said]:
            if time.monotonic() > deadline:  # a server that does not catch up: see drills.table.partitions
                self.notes.append(f"the engine is not well: {ill[0].strip()}")
                return
            time.sleep(0.2)  # each time it says so in its log

    def _illness(self, server: EngineServer) -> str:
        """Return what a server of the engine says that it lacks, "" if nothing."""
        try:
            with urllib.request.urlopen(f"{self._monitor(server)}/healthz", timeout=2) as answer:
                return "" if answer.status == 200 else str(answer.status)
        except urllib.error.HTTPError as error:
            return error.read().decode()
        except OSError as error:
            return str(error)

    def _monitor(self, server: EngineServer) -> str:
        return f"http://{server.host}:{self.engine.monitors[self.engine.servers.index(server)]}"

    def _leader_by(self, server: EngineServer, stream: str) -> str:
        try:
            with urllib.request.urlopen(f"{self._monitor(server)}/jsz?streams=1", timeout=2) as answer:
                accounts = json.load(answer)["account_details"]
        except (OSError, ValueError, KeyError):
            return ""
        streams = [it for account in accounts for it in account.get("stream_detail", []) if it["name"] == stream]
        return str(streams[0].get("cluster", {}).get("leader", "")) if streams else ""

    def quiet(self) -> None:
        """Have the writers pause, with everything answered."""
        for writer in self.writers:
            writer.pause()
        deadline, seen = time.monotonic() + SETTLE_SECONDS, 0
        while seen < 2:  # one may have been about to ask
            for writer in self.writers:
                assert writer.error is None, f"{writer.name}: {writer.error!r}"
                assert time.monotonic() < deadline or writer.is_quiet, (
                    f"{writer.name} waits for ever: {[*writer.trail][-8:]}"
                )
            seen = seen + 1 if all(writer.is_quiet for writer in self.writers) else 0
            time.sleep(_QUIET_SECONDS)

    def go_on(self) -> None:
        """Have the writers write again."""
        self.hit = []
        for writer in self.writers:
            writer.go_on()

    def records(self) -> list[Record]:
        """Return what the writers were told since the last time; they must be quiet."""
        return [writer.take_record() for writer in self.writers]

    def newer(self, lengths: dict[str, int]) -> list[dict[str, list[bytes]]]:
        """Return what each node has of each group, beyond so many events."""
        found: list[dict[str, list[bytes]]] = []
        for node in self.nodes:
            node.waits_until_it_serves()
            with Client(node.port, host=node.host) as auditor:
                name = f"auditor{len(found)}"
                auditor.hello(name, **self._tokens.get(name, {}))
                self._tokens[name] = {"token": auditor.welcome["token"]}
                found.append({group: [*events_of(auditor, group, lengths.get(group, 0))] for group in GROUPS})
        return found

    def finish(self) -> None:
        """End the writers."""
        for writer in self.writers:
            writer.finish()
            writer.go_on()
        for writer in self.writers:
            writer.join(SETTLE_SECONDS)
            assert not writer.is_alive(), f"{writer.name} does not end"
