"""The server's brain: who is here, what is decided, and in which order it may be told."""
