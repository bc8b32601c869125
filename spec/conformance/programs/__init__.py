"""Programs under test: started, listened to, typed to, and ended."""

from __future__ import annotations
