"""Connections: accepted, read in turns, written to once a tick."""
