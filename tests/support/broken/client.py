"""A small correct client on threads, and the mistakes it can be told to make: `client.py NAME HOST PORT [FAULT...]`.

It exists to test the tester and shares no code with it or with the library.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time

NAME, HOST, PORT, *FAULTS = sys.argv[1:]
COMMANDS = {
    "s": ("client-send", "to", "msg"),
    "b": ("client-broadcast", "msg"),
    "ls": ("client-list-clients",),
    "q": ("client-quit",),
    "cg": ("cgroupe", "group", "private"),
    "j": ("join", "group"),
    "bg": ("gbroadcast", "group", "msg"),
    "members": ("members", "group"),
    "messages": ("msgs", "group"),
    "groups": ("groups",),
    "leave": ("leave", "group"),
    "invite": ("invite", "group", "dest"),
    "kick": ("kick", "group", "dest", "reason"),
    "ban": ("ban", "group", "dest", "reason"),
    "unban": ("unban", "group", "dest"),
    "states": ("states", "group"),
}
sock = socket.create_connection((HOST, int(PORT)))
seen: dict[str, int] = {}
ids: list[int] = []
last = [0.0]


def send(message: dict[str, object]) -> None:
    text = json.dumps(message, indent=1 if "indents" in FAULTS else None)
    if "not-json" in FAULTS:
        text = text.replace('"', "'")
    if "counts-ids" in FAULTS:
        ids.append(len(ids))
        text = json.dumps({"id": str(len(ids)), **message})
    if "sends-at-once" not in FAULTS:
        time.sleep(max(0.0, last[0] + 0.05 - time.monotonic()))
    last[0] = time.monotonic()
    sock.sendall(text.encode() + (b"" if "no-newline" in FAULTS else b"\n"))


def who(action: str) -> dict[str, object]:
    if "no-sender" in FAULTS:
        return {}
    return {"from": NAME, ("name" if action in ("groups", "client-hello") else "sender"): NAME}


def typed(line: str) -> None:
    word, _, rest = line.partition(";")
    if word not in COMMANDS:
        if "mistyped-is-text" in FAULTS:
            send({**who("client-broadcast"), "msg": line, "action": "client-broadcast"})
        print(f"unknown command {word}", flush=True)
        return
    action, *fields = COMMANDS[word]
    values = rest.split(";") if "cuts-everywhere" in FAULTS else rest.split(";", max(0, len(fields) - 1))
    request: dict[str, object] = dict(zip(fields, values, strict=False)) if rest else {}
    if "private" in request:
        request["private"] = True
    if "prefixes-actions" in FAULTS and not action.startswith("client-"):
        action = "client-" + action
    send({**who(action), **request, "action": action})


def show(text: str) -> None:
    if "raw-output" not in FAULTS:
        text = "".join(char if char.isprintable() else "?" for char in text)
    if "shows-nothing" not in FAULTS:
        print(text, flush=True)


def arrived(message: dict[str, object]) -> None:
    group, seq = message.get("group"), message.get("seq")
    if isinstance(group, str) and isinstance(seq, int) and message["action"] not in ("members", "msgs", "states"):
        last = seen.get(group)
        if last is not None and seq <= last and "shows-repeats" not in FAULTS:
            return
        if last is not None and seq > last + 1 and "no-catch-up" not in FAULTS:
            send({**who("states"), "group": group, "after": last, "all": True, "action": "states"})
        seen[group] = max(seq, last or 0)
    if message["action"] == "error" and "stops-at-errors" in FAULTS:
        raise SystemExit
    if "knows-all-actions" in FAULTS and message["action"] == "weather":
        raise SystemExit
    if "list-only" in FAULTS and "list" not in message:
        return
    show(f"{message.get('sender', '')}: {message['msg']}")


def receive() -> None:
    rest = b""
    while data := sock.recv(65536):
        if "parses-per-chunk" in FAULTS:
            arrived(json.loads(data))
            continue
        if "decodes-per-chunk" in FAULTS:
            data = data.decode("utf-8", "replace").encode()
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            arrived(json.loads(line))


def type_all() -> None:
    for line in sys.stdin:
        typed(line.rstrip("\n"))
    if "leaves-without-a-word" not in FAULTS:
        send({**who("client-quit"), "action": "client-quit"})


if "no-hello" not in FAULTS:
    send({**who("client-hello"), "from": NAME, "action": "client-hello"})
threading.Thread(target=type_all, daemon=True).start()
receive()
