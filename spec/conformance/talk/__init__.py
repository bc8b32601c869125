"""Bytes, messages, and patterns for them. Knows no case and no verdict."""

from __future__ import annotations
