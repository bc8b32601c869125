"""What is tested: the cases, the rules they cite, and the order in which one learns them. Runs nothing."""

from __future__ import annotations
