"""Bytes to messages and back: framing, JSON, fields, other people's spellings, readable sentences."""
