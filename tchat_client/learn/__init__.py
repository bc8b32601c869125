"""`tchat learn`: the laboratory in which a program shows how it speaks; what to try is `libtchat.dialect`'s."""
