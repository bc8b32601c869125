"""The teacher's desk: every client on every server."""

from __future__ import annotations
