"""Runs the tester of spec/conformance as its users do: as a program."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["BROKEN", "CLIENT", "ROOT", "TCHAT", "TESTER", "members_left", "run", "verdict"]

ROOT = Path(__file__).parents[2]
TESTER = ROOT / "spec" / "conformance"
BROKEN = [sys.executable, str(ROOT / "tests" / "support" / "broken" / "server.py"), "{port}"]
CLIENT = [sys.executable, str(ROOT / "tests" / "support" / "broken" / "client.py"), "{name}", "{host}", "{port}"]
TCHAT = [sys.executable, "-m", "tchat_client", "{host}:{port}", "--name", "{name}", "--plain"]
VARIABLES = ("TCHAT_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def run(*words: str, text: str | None = None, lang: str = "") -> subprocess.CompletedProcess[str]:
    """Run the tester, in English unless *lang* is in the environment."""
    command = [sys.executable, str(TESTER), *words]
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    environment |= {"TCHAT_LANG": lang} if lang else {}
    return subprocess.run(
        command, input=text, capture_output=True, encoding="utf-8", timeout=120, cwd=ROOT, env=environment
    )


def verdict(*words: str) -> dict[str, Any]:
    """Run the tester with --json and return what it says."""
    done = run(words[0], "--json", *words[1:])
    assert done.stderr == ""
    found: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (0 if found["conformant"] else 1)
    return found


def members_left(address: str) -> dict[str, list[str]]:
    """Ask a server for the groups it lists, and for their members."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), 10) as sock, sock.makefile("rw", encoding="utf-8") as stream:

        def ask(**request: str) -> dict[str, Any]:
            stream.write(json.dumps(request) + "\n")
            stream.flush()
            while (answer := json.loads(stream.readline()))["action"] == "server-broadcast":
                pass
            found: dict[str, Any] = answer
            return found

        ask(action="client-hello", **{"from": "auditor"})
        groups = ask(action="groups", name="auditor")["list"]
        return {name: ask(action="members", sender="auditor", group=name)["list"] for name in groups}


def failed(found: dict[str, Any]) -> set[str]:
    """The cases that failed, or wait for what the program does not do at all."""
    assert [case["id"] for case in found["cases"] if case["outcome"] == "skipped"] == []
    judged = [case for case in found["cases"] if case["level"] != "MAY"]
    return {case["id"] for case in judged if case["outcome"] in ("failed", "waiting")}
