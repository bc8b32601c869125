"""`python -m tchat_server`."""

from tchat_server.cli import main

main()
