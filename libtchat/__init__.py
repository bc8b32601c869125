"""libtchat: the tchat protocol as pure values and functions; no socket, file, clock, thread or random inside."""
