"""The tchat server: asyncio, storage and a command line around libtchat."""
