"""Every request has an ack or a nack, every list is one line of text, and what happens in a group is news.  PORT"""

import json
import socketserver
import sys
import threading

lock = threading.RLock()
online, rooms = {}, {}


class Room:
    def __init__(self, owner):
        self.owner, self.inside, self.banned, self.said, self.past = owner, [owner], [], [], [f"{owner} opened it"]


class Student(socketserver.StreamRequestHandler):
    me = None

    def out(self, **m):
        self.wfile.write((json.dumps(m) + "\n").encode())

    def ack(self, of, **m):
        self.out(action="ack", of=of, **m)

    def nack(self, of, why):
        self.out(action="nack", of=of, why=why)

    def news(self, room, text, kind):
        rooms[room].past.append(text)
        for n in rooms[room].inside:
            online[n].out(action="news", kind=kind, group=room, text=text)

    def handle(self):
        for line in self.rfile:
            m = json.loads(line)
            with lock:
                if self.one(m, m.get("action"), m.get("group")):
                    break

    def finish(self):
        with lock:
            online.pop(self.me, None)
            for room in rooms.values():
                if self.me in room.inside:
                    room.inside.remove(self.me)
            for other in online.values():
                other.out(action="news", kind="bye", who=self.me)

    def one(self, m, a, g):
        me = self.me
        if a == "client-hello":
            self.me = m["from"]
            for other in online.values():
                other.out(action="news", kind="hello", who=self.me)
            online[self.me] = self
            self.ack(a, user=self.me)
        elif a == "client-quit":
            return True
        elif a == "client-send":
            if m["to"] not in online:
                self.nack(a, f"nobody is called {m['to']}")
            else:
                online[m["to"]].out(action="mail", origin=me, text=m["msg"])
                self.ack(a)
        elif a == "client-broadcast":
            for n, other in online.items():
                if n != me:
                    other.out(action="shout", origin=me, text=m["msg"])
            self.ack(a)
        elif a == "client-list-clients":
            self.ack(a, line=", ".join(online))
        elif a == "groups":
            self.ack(a, line=", ".join(rooms))
        elif a == "cgroupe":
            if g in rooms:
                return self.nack(a, f"there is already a {g}")
            rooms[g] = Room(me)
            self.ack(a, group=g)
        elif g not in rooms:
            self.nack(a, f"there is no {g}")
        elif a == "join":
            if me in rooms[g].banned:
                return self.nack(a, f"you are banned from {g}")
            if me not in rooms[g].inside:
                rooms[g].inside.append(me)
            self.ack(a, group=g)
            self.news(g, f"{me} comes into {g}", "join")
        elif me not in rooms[g].inside:
            self.nack(a, f"you are not in {g}")
        elif a == "gbroadcast":
            rooms[g].said.append(f"{me}> {m['msg']}")
            for n in rooms[g].inside:
                if n != me:
                    online[n].out(action="speech", group=g, origin=me, text=m["msg"])
            self.ack(a, group=g)
        elif a == "members":
            self.ack(a, group=g, line=", ".join(rooms[g].inside))
        elif a == "msgs":
            self.ack(a, group=g, line="\n".join(rooms[g].said))
        elif a == "states":
            self.ack(a, group=g, line="\n".join(rooms[g].past))
        elif a == "leave":
            rooms[g].inside.remove(me)
            self.ack(a, group=g)
            self.news(g, f"{me} goes out of {g}", "leave")
        elif a in ("invite", "kick", "ban", "unban"):
            who = m["dest"]
            if who not in online:
                return self.nack(a, f"nobody is called {who}")
            if a == "invite":
                online[who].out(action="news", kind="invite", group=g, origin=me, text=f"{me} wants you in {g}")
            elif a == "unban":
                if who in rooms[g].banned:
                    rooms[g].banned.remove(who)
                self.news(g, f"{who} may come back to {g}", "unban")
            elif who not in rooms[g].inside:
                return self.nack(a, f"{who} is not in {g}")
            else:
                self.news(g, f"{who} is thrown out of {g} by {me}: {m['reason']}", a)
                rooms[g].inside.remove(who)
                if a == "ban":
                    rooms[g].banned.append(who)
            self.ack(a, group=g)
        else:
            self.nack(a, "what?")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


Server(("127.0.0.1", int(sys.argv[1])), Student).serve_forever()
