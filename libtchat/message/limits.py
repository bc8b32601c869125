"""Every number of the protocol and of a server, with its unit in its name (spec/protocol.md, "Limits").

What a peer may rely on, whatever server it speaks to, is a constant. What a server may choose is in `ServerLimits`.
"""

from __future__ import annotations

from attrs import fields

from libtchat.message.value import frozen

__all__ = [
    "DEFAULT_LIMITS",
    "DEFAULT_PAGE_ENTRIES",
    "MAX_COMMAS",
    "MAX_DEPTH",
    "MAX_FRAME_BYTES",
    "MAX_GARBAGE_RUNS",
    "MAX_GROUP_CHARS",
    "MAX_ID_BYTES",
    "MAX_INTEGER",
    "MAX_KEYS",
    "MAX_MSG_BYTES",
    "MAX_NAME_CHARS",
    "MAX_PAGE_BYTES",
    "MAX_PAGE_ENTRIES",
    "MAX_REASON_BYTES",
    "MAX_SUMMARY_CHARS",
    "PROTOCOL_VERSION",
    "ServerLimits",
]

PROTOCOL_VERSION = 1

MAX_FRAME_BYTES = 64 * 1024
MAX_DEPTH = 8
MAX_KEYS = 64
MAX_COMMAS = 1024
MAX_GARBAGE_RUNS = 3

MAX_MSG_BYTES = 8 * 1024
MAX_REASON_BYTES = 390
MAX_ID_BYTES = 64
MAX_NAME_CHARS = 32
MAX_GROUP_CHARS = 64
MAX_INTEGER = 2**53

DEFAULT_PAGE_ENTRIES = 100
MAX_PAGE_ENTRIES = 1000
MAX_PAGE_BYTES = 16 * 1024
MAX_SUMMARY_CHARS = 1000
"""Of a page or a list, in `msg`."""


@frozen(repr=False)
class ServerLimits:
    """What a server allows; the defaults are the specification's. Its options set most of it.

    A burst and a rate describe a token bucket: *burst* at once, then *per_second*. A rate of 0 means
    no limit. The repr has what differs from the defaults.
    """

    # what is read for one answer: the protocol's most, or less
    max_page_entries: int = MAX_PAGE_ENTRIES
    max_page_bytes: int = MAX_PAGE_BYTES

    # users and groups
    max_peers_per_user: int = 8
    max_groups_joined: int = 100
    max_groups_created: int = 15
    max_members: int = 10_000
    max_invited_and_banned: int = 2_000
    max_invitations: int = 100
    max_kept_texts: int = 100
    max_kept_bytes: int = 64 * 1024
    max_kept_senders: int = 100
    retry_seconds: float = 600.0
    max_retries: int = 2_000
    token_seconds: float = 3600.0

    # how often
    request_burst: int = 100
    requests_per_second: float = 50.0
    burst_bytes: int = 256 * 1024
    bytes_per_second: float = 64.0 * 1024
    burst_bytes_per_address: int = 2 * 1024 * 1024
    bytes_per_second_per_address: float = 256.0 * 1024
    delivered_burst_bytes: int = 4 * 1024 * 1024
    delivered_bytes_per_second: float = 2.0 * 1024 * 1024
    broadcast_burst: int = 10
    broadcasts_per_second: float = 1.0
    password_burst: int = 30
    passwords_per_second: float = 0.2
    register_burst: int = 30
    registers_per_second: float = 1.0

    # one connection, and all of them
    max_peers: int = 10_000
    max_peers_per_address: int = 64
    max_out_bytes: int = 1024 * 1024
    silent_seconds: float = 60.0
    mid_frame_seconds: float = 30.0
    keepalive_seconds: int = 60
    keepalive_interval_seconds: int = 10
    keepalive_probes: int = 3
    spacing_seconds: float = 0.020
    max_spaced_bytes: int = 256 * 1024
    max_waiting_notices: int = 32
    max_presence_users: int = 200

    def __repr__(self) -> str:
        values = ((it.name, getattr(self, it.name), it.default) for it in fields(type(self)))
        return f"ServerLimits({', '.join(f'{name}={value}' for name, value, default in values if value != default)})"


DEFAULT_LIMITS = ServerLimits()
