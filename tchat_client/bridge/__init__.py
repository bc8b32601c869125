"""`tchat bridge`: clients of any dialect to one server of any dialect; what is translated is `libtchat.dialect`'s."""
