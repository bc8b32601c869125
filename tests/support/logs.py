"""What the tests of logs share is public in part: here under the name they know."""

from tchat_server.testing.book import BIG, TS, Book, Clock, create, on_loop, page, say, state_of

__all__ = ["BIG", "TS", "Book", "Clock", "create", "on_loop", "page", "say", "state_of"]
