"""Select, one line a message, sentences only; an excuse stands in the normal reply; dies of a text to nobody.  HOST PORT"""

import json
import select
import socket
import sys

srv = socket.create_server((sys.argv[1], int(sys.argv[2])))
rest, names, groups = {}, {}, {}


def send(sock, action, **m):
    sock.sendall((json.dumps({"action": action, **m}) + "\n").encode())


def by_name(name):
    return [s for s, n in names.items() if n == name][0]


def to_group(group, action, text, but=None):
    for n in groups[group]["members"]:
        if n != but and n in names.values():
            send(by_name(n), action, message=text)


def handle(sock, m):
    a, me, g = m["action"], m.get("sender") or m.get("from") or m.get("name"), m.get("group")
    if a == "client-hello":
        names[sock] = me
        send(sock, "client-hello", message="Hello " + me)
    elif a == "client-send":
        send(by_name(m["to"]), "client-send", message="received from " + me + " : " + m["msg"])
        send(sock, "client-send", message="sent to " + m["to"])
    elif a == "client-broadcast":
        for s in names:
            send(s, "client-broadcast", message="broadcast from " + me + " : " + m["msg"])
    elif a == "client-list-clients":
        send(sock, a, message="clients: " + ", ".join(names.values()))
    elif a == "client-quit":
        raise ConnectionError
    elif a == "groups":
        send(sock, a, message="groups: " + ", ".join(groups))
    elif a == "cgroupe":
        if g in groups:
            return send(sock, a, message="group already exists")
        groups[g] = {"owner": me, "members": [me], "banned": [], "msgs": [], "states": []}
        groups[g]["states"].append("created by " + me)
        send(sock, a, message="group " + g + " created")
    elif g not in groups:
        send(sock, a, message="no such group")
    elif a == "join":
        if me in groups[g]["banned"]:
            return send(sock, a, message="you are banned from " + g)
        if me not in groups[g]["members"]:
            groups[g]["members"].append(me)
        groups[g]["states"].append(me + " joined")
        to_group(g, a, me + " joined " + g)
    elif me not in groups[g]["members"]:
        send(sock, a, message="you are not in " + g)
    elif a == "gbroadcast":
        groups[g]["msgs"].append(me + ": " + m["msg"])
        to_group(g, a, g + " | " + me + " : " + m["msg"])
    elif a == "members":
        send(sock, a, message="members of " + g + ": " + ", ".join(groups[g]["members"]))
    elif a == "msgs":
        send(sock, a, message="\n".join(groups[g]["msgs"]))
    elif a == "states":
        send(sock, a, message="\n".join(groups[g]["states"]))
    elif a == "leave":
        to_group(g, a, me + " left " + g)
        groups[g]["members"].remove(me)
    elif a == "invite":
        send(by_name(m["dest"]), a, message=me + " invites you to " + g)
        groups[g]["members"].append(m["dest"])
    elif me != groups[g]["owner"]:
        send(sock, a, message="you are not the owner")
    elif a in ("kick", "ban"):
        to_group(g, a, m["dest"] + " was " + a + "ed from " + g + " : " + m["reason"])
        groups[g]["members"].remove(m["dest"])
        if a == "ban":
            groups[g]["banned"].append(m["dest"])
    elif a == "unban":
        groups[g]["banned"].remove(m["dest"])
        send(sock, a, message=m["dest"] + " unbanned from " + g)


while True:
    for sock in select.select([srv, *rest], [], [])[0]:
        if sock is srv:
            rest[srv.accept()[0]] = b""
            continue
        try:
            data = sock.recv(4096)
            if not data:
                raise ConnectionError
            *lines, rest[sock] = (rest[sock] + data).split(b"\n")
            for line in lines:
                handle(sock, json.loads(line))
        except ConnectionError:
            rest.pop(sock), names.pop(sock, None)
            sock.close()
