"""Tests a client."""

from __future__ import annotations
