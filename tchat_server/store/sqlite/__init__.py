"""Events kept in an SQLite file."""
