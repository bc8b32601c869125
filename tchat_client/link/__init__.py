"""One client's connection to a server: connect, say hello, send, hear, and come back when the connection goes.

The only place of the client that knows asyncio's sockets, time-outs and random ids. What messages mean to the user is
the mirror's business, how they look the renderer's.
"""

from tchat_client.link.link import Link
from tchat_client.link.watcher import Connecting, Offline, Online, Status, Times, Watcher

__all__ = [
    "Connecting",
    "Link",
    "Offline",
    "Online",
    "Status",
    "Times",
    "Watcher",
]
