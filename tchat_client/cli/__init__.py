"""The `tchat` command: options and subcommands to a session or a script, failures to one line and an exit code.

Exit codes: 0 done, 1 refused by the server, 2 usage, 3 could not connect, 4 connection lost with unknown outcome,
5 the server broke the protocol, 130 interrupted, 141 the reader of the output went away.

What a command needs is imported when it runs: `tchat ping` waits for no prompt, and no laboratory.
"""

from tchat_client.cli.root import tchat
from tchat_client.cli.run import main

__all__ = ["main", "tchat"]
