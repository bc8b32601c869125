"""Who is connected where, among several servers that are one: the Roster port."""
