"""Whether the engine syncs each record to its disks, as far as its monitoring tells: its clients are not told."""

from __future__ import annotations

import json
from urllib.request import urlopen

from tchat_server.store.nats.url import EngineUrl

__all__ = ["is_syncing_always"]

_SECONDS = 2.0


def is_syncing_always(url: EngineUrl) -> bool | None:
    """Ask the monitoring addresses in the URL; None: there are none, or one does not answer. Blocks."""
    answers = [_ask(address) for address in url.monitors]
    if False in answers:
        return False
    return True if answers and None not in answers else None


def _ask(address: str) -> bool | None:
    try:
        with urlopen(f"http://{address}/varz", timeout=_SECONDS) as response:
            config = json.load(response)["jetstream"]["config"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return bool(config.get("sync_always", False))
