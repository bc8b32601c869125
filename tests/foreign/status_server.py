"""Threads; answers bear the request's name and a status; one action for each error; objects, ids and times.  PORT"""

import itertools
import json
import socketserver
import sys
import threading
import time

lock = threading.RLock()
users, rooms, ids = {}, {}, itertools.count(100001)


class Handler(socketserver.StreamRequestHandler):
    def say(self, **m):
        self.wfile.write((json.dumps({"id": next(ids), "time": time.time(), **m}) + "\n").encode())

    def handle(self):
        self.name = None
        for line in self.rfile:
            with lock:
                try:
                    self.one(json.loads(line))
                except ValueError:
                    self.say(action="bad-json", status="ko")
        with lock:
            if users.get(self.name) is self:
                del users[self.name]
                for u in users.values():
                    u.say(action="user-left", status="ok", user=self.name)

    def one(self, m):
        a, g = m.get("action"), m.get("group")
        me = self.name
        room = rooms.get(g)
        ok = dict(action=a, status="ok")
        if a == "client-hello":
            self.name = m["from"]
            if self.name in users:
                return self.say(action="name-taken", status="ko", text="choose another name")
            for u in users.values():
                u.say(action="user-joined", status="ok", user=self.name)
            users[self.name] = self
            return self.say(**ok, user=self.name)
        if a == "client-send":
            if m["to"] not in users:
                return self.say(action="user-not-found", status="ko", user=m["to"])
            users[m["to"]].say(action="message", status="ok", user=me, text=m["msg"], private=True)
            return self.say(**ok, to=m["to"])
        if a == "client-broadcast":
            for u in users.values():
                u.say(action="message", status="ok", user=me, text=m["msg"], private=False)
            return None
        if a == "client-list-clients":
            return self.say(**ok, users=[{"name": n, "since": time.time()} for n in users])
        if a == "groups":
            return self.say(**ok, groups=[{"name": n, "size": len(r["members"])} for n, r in rooms.items()])
        if a == "client-quit":
            return self.request.shutdown(2)
        if a == "cgroupe":
            if room:
                return self.say(action="group-exists", status="ko", group=g)
            rooms[g] = {"owner": me, "members": [me], "banned": [], "msgs": [], "log": []}
            self.log(g, "create", me)
            return self.say(**ok, group=g, owner=me)
        if a not in ("join", "gbroadcast", "members", "msgs", "leave", "invite", "kick", "ban", "unban", "states"):
            return self.say(action="unknown-action", status="ko")
        if not room:
            return self.say(action="group-not-found", status="ko", group=g)
        if a == "join":
            if me in room["banned"]:
                return self.say(action="you-are-banned", status="ko", group=g)
            if me in room["members"]:
                return self.say(action="already-member", status="ko", group=g)
            room["members"].append(me)
            self.log(g, "join", me)
            return self.to_room(g, **ok, group=g, user=me)
        if me not in room["members"]:
            return self.say(action="not-member", status="ko", group=g)
        if a == "members":
            return self.say(**ok, group=g, users=[{"name": n, "online": n in users} for n in room["members"]])
        if a == "msgs":
            return self.say(**ok, group=g, messages=room["msgs"])
        if a == "states":
            return self.say(**ok, group=g, states=room["log"])
        if a == "gbroadcast":
            room["msgs"].append({"user": me, "text": m["msg"], "sentAt": time.time()})
            return self.to_room(g, **ok, group=g, user=me, text=m["msg"])
        if a == "leave":
            self.to_room(g, **ok, group=g, user=me)
            room["members"].remove(me)
            return self.log(g, "leave", me)
        if a == "invite":
            self.log(g, "invite", m["dest"])
            if m["dest"] in users:
                users[m["dest"]].say(action="invitation", status="ok", group=g, user=me)
            return self.say(**ok, group=g, user=m["dest"])
        if me != room["owner"]:
            return self.say(action="not-owner", status="ko", group=g)
        self.to_room(g, **ok, group=g, user=m["dest"], reason=m.get("reason", ""), by=me)
        self.log(g, a, m["dest"])
        if a in ("kick", "ban") and m["dest"] in room["members"]:
            room["members"].remove(m["dest"])
        if a == "ban":
            room["banned"].append(m["dest"])
        if a == "unban" and m["dest"] in room["banned"]:
            room["banned"].remove(m["dest"])
            if m["dest"] in users:
                users[m["dest"]].say(**ok, group=g, user=m["dest"], by=me)
        return None

    def to_room(self, g, **m):
        for n in rooms[g]["members"]:
            if n in users:
                users[n].say(**m)

    def log(self, g, what, who):
        rooms[g]["log"].append({"event": what, "user": who, "at": time.time()})


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
