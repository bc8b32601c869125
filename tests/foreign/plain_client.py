"""Shows from and msg of whatever comes, and knows no action at all; without one of both it dies.  NAME@HOST:PORT"""

import json
import socket
import sys
import threading

nick, _, where = sys.argv[1].partition("@")
host, _, port = where.partition(":")
conn = socket.create_connection((host, int(port)))


def out(obj):
    conn.sendall(json.dumps(obj).encode())


def reader():
    while True:
        chunk = conn.recv(2048)
        if not chunk:
            break
        m = json.loads(chunk.decode())
        print(m["from"] + ": " + m["msg"])


COMMANDS = {
    "s": ("client-send", "from", ["to", "msg"]),
    "b": ("client-broadcast", "from", ["msg"]),
    "ls": ("client-list-clients", "from", []),
    "q": ("client-quit", "from", []),
    "cg": ("cgroupe", "sender", ["group"]),
    "j": ("join", "sender", ["group"]),
    "bg": ("gbroadcast", "sender", ["group", "msg"]),
    "members": ("members", "sender", ["group"]),
    "messages": ("msgs", "sender", ["group"]),
    "groups": ("groups", "name", []),
    "leave": ("leave", "sender", ["group"]),
    "invite": ("invite", "sender", ["group", "dest"]),
    "kick": ("kick", "sender", ["group", "dest", "reason"]),
    "ban": ("ban", "sender", ["group", "dest", "reason"]),
    "unban": ("unban", "sender", ["group", "dest"]),
    "states": ("states", "sender", ["group"]),
}


def die_together():
    import os

    try:
        reader()
    finally:
        os._exit(1)


out({"from": nick, "action": "client-hello"})
threading.Thread(target=die_together, daemon=True).start()
for line in sys.stdin:
    word, *rest = line.rstrip("\n").split(";")
    if word in COMMANDS:
        action, who, keys = COMMANDS[word]
        out({who: nick, **dict(zip(keys, rest)), "action": action})
    else:
        print("unknown command:", word)
