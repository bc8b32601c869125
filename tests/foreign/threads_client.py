"""Threads, one line a message, own French words for answers; anything else is printed.  HOST PORT NAME"""

import json
import socket
import sys
import threading

host, port, name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
s = socket.create_connection((host, port))
f = s.makefile("r", encoding="utf-8")


def send(**m):
    s.sendall((json.dumps(m) + "\n").encode())


def listen():
    for line in f:
        m = json.loads(line)
        a = m["action"]
        if a == "message":
            print("<" + m["from"] + "> " + m["content"])
        elif a == "groupe-message":
            print("#" + m["group"] + " <" + m["from"] + "> " + m["content"])
        elif a == "client-list-clients":
            for c in m["clients"]:
                print("  - " + c)
        elif a == "members":
            print("membres: " + ", ".join(m["data"]))
        elif a == "groups":
            for g in m["data"]:
                print("  # " + g["name"])
        elif a == "msgs":
            for e in m["data"]:
                print(e["from"], ":", e["content"])
        elif a == "erreur":
            print("!!", m["message"])
        else:
            print("*", m.get("message", ""))


threading.Thread(target=listen, daemon=True).start()
send(action="client-hello", **{"from": name})
print("bonjour", name)
for line in sys.stdin:
    w = line.strip().split(";")
    c = w[0]
    try:
        if c == "s":
            send(**{"from": name}, to=w[1], content=w[2], action="client-send")
        elif c == "b":
            send(**{"from": name}, content=w[1], action="client-broadcast")
        elif c == "ls":
            send(**{"from": name}, action="client-list-clients")
        elif c == "q":
            send(**{"from": name}, action="client-quit")
            break
        elif c == "cg":
            send(**{"from": name}, group=w[1], action="cgroup")
        elif c in ("j", "members", "leave", "states"):
            send(**{"from": name}, group=w[1], action="join" if c == "j" else c)
        elif c == "messages":
            send(**{"from": name}, group=w[1], action="msgs")
        elif c == "bg":
            send(**{"from": name}, group=w[1], content=w[2], action="gbroadcast")
        elif c == "groups":
            send(**{"from": name}, action="groups")
        elif c in ("invite", "unban"):
            send(**{"from": name}, group=w[1], dest=w[2], action=c)
        elif c in ("kick", "ban"):
            send(**{"from": name}, group=w[1], dest=w[2], reason=w[3], action=c)
        else:
            print("?")
    except IndexError:
        print("il manque quelque chose")
