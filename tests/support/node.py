"""Node, where it is installed."""

from __future__ import annotations

import shutil
import subprocess


def missing() -> str:
    """Return why nothing here can run, or nothing."""
    if shutil.which("node") is None:
        return "node is not installed"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < OLDEST_NODE:
        return f"node is {version}, these programs need v{OLDEST_NODE}"
    return ""


OLDEST_NODE = 20
