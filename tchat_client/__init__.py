"""The tchat client: a terminal program and a script tool around libtchat."""
