"""Every number of the protocol and of a server, with its unit in its name (spec/protocol.md, "Limits")."""

from __future__ import annotations

from libtchat.message.value import frozen

__all__ = ["DEFAULT_LIMITS", "PROTOCOL_VERSION", "Limits"]

PROTOCOL_VERSION = 1


@frozen
class Limits:
    """What a server allows. The defaults are the specification's; a server may offer them as options.

    A burst and a rate describe a token bucket: *burst* at once, then *per_second*. A rate of 0 means
    no limit.
    """

    # one frame, its fields
    max_frame_bytes: int = 64 * 1024
    max_depth: int = 8
    max_keys: int = 64
    max_commas: int = 1024
    max_msg_bytes: int = 8 * 1024
    max_reason_bytes: int = 390
    max_id_bytes: int = 64
    max_name_chars: int = 32
    max_group_chars: int = 64
    max_integer: int = 2**53
    max_garbage_runs: int = 3

    # a list or a page
    default_page_entries: int = 100
    max_page_entries: int = 1000
    max_page_bytes: int = 16 * 1024
    max_summary_chars: int = 1000

    # users and groups
    max_peers_per_user: int = 8
    max_groups_joined: int = 100
    max_groups_created: int = 15
    max_members: int = 10_000
    max_invited_and_banned: int = 2_000
    max_invitations: int = 100
    retry_seconds: float = 600.0
    max_retries: int = 2_000
    token_seconds: float = 3600.0

    # how often
    request_burst: int = 100
    requests_per_second: float = 50.0
    burst_bytes: int = 256 * 1024
    bytes_per_second: float = 64.0 * 1024
    delivered_burst_bytes: int = 4 * 1024 * 1024
    delivered_bytes_per_second: float = 2.0 * 1024 * 1024
    broadcast_burst: int = 10
    broadcasts_per_second: float = 1.0
    password_burst: int = 5
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


DEFAULT_LIMITS = Limits()
