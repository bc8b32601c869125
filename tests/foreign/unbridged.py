"""Count what works between our own client, without any dialect, and other people's servers.

`python tests/foreign/unbridged.py [SERVER]...` takes two minutes. Each command of the course is typed into `tchat` as
it would be with our server. A cell counts if its user is shown something and the others see what was done: these come
through the bridge, which knows the server's dialect. It plays what grid.py plays with a bridge for all; NAME_back is
whether `tchat` shows what another one sent.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Sequence

from grid import HERE, bridged, play, serving

CLIENT = [sys.executable, "-m", "tchat_client", "{host}:{port}", "--name", "{name}"]
TYPED = {
    "users": "ls;",
    "broadcast": "b;{text}",
    "tell": "s;{dest};{text}",
    "create": "cg;{group}",
    "join": "j;{group}",
    "text": "bg;{group};{text}",
    "members": "members;{group}",
    "messages": "messages;{group}",
    "groups": "groups;",
    "states": "states;{group}",
    "invite": "invite;{group};{dest}",
    "kick": "kick;{group};{dest};{reason}",
    "ban": "ban;{group};{dest};{reason}",
    "unban": "unban;{group};{dest}",
    "leave": "leave;{group}",
}


def main(only: Sequence[str]) -> None:
    teams = tomllib.loads((HERE / "teams.toml").read_text("utf-8"))
    works = cells = 0
    for row in teams["server"]:
        if only and row["name"] not in only:
            continue
        dialect = str(HERE / "dialects" / f"server-{row['name']}.toml")
        with serving(row["command"]) as port, bridged(port, [], dialect) as inner:
            done, missed = play(CLIENT, TYPED, port, inner)
        played = [*done, *(kind for kind in missed if kind != "DIED")]
        works, cells = works + len(done), cells + len(played)
        print(f"{row['name']:>8} {len(done)}/{len(played)}  not: {' '.join(missed)}", flush=True)
    print(f"{works} of {cells}")


if __name__ == "__main__":
    main(sys.argv[1:])
