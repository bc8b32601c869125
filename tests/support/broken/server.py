"""A small correct server on threads, and the mistakes it can be told to make.

It exists to test the tester (`server.py PORT FAULT ...` runs it): with no fault it passes every case, with one it must
fail exactly the cases that name the fault. It shares no code with the library or with the tester.
"""

from __future__ import annotations

import json
import math
import os
import queue
import re
import secrets
import socket
import sys
import threading
import time
import unicodedata
from datetime import UTC, datetime

__all__ = ["Server"]

PACE_SECONDS = 0.022
MAX_FRAME, MAX_MSG, MAX_REASON, MAX_ID, MAX_PAGE = 65536, 8192, 390, 64, 16384
WHO = ("sender", "from", "name", "user")
OTHER_SPELLINGS = {
    "dest": ("to",),
    "to": ("dest",),
    "group": ("groupe",),
    "msg": ("message", "content", "text", "description"),
}
OTHER_ACTIONS = {
    "cgroup": "cgroupe",
    "create-group": "cgroupe",
    "messages": "msgs",
    "client-connection": "client-hello",
    "connection": "client-hello",
}
PRIVACY = ("private", "isPublic", "public", "type", "groupType", "typeg")
ON_GROUP = {"group": (str, True)}
ON_TARGET = {"group": (str, True), "dest": (str, True)}
PAGE = {"group": (str, True), "limit": (int, False), "before": (int, False), "after": (int, False)}
FIELDS = {
    "client-hello": {"token": (str, False), "password": (str, False)},
    "client-send": {"to": (str, True), "msg": (str, True)},
    "client-broadcast": {"msg": (str, True)},
    "client-list-clients": {"after": (str, False)},
    "client-quit": {},
    "client-error": {},
    "ping": {},
    "register": {"password": (str, True)},
    "cgroupe": ON_GROUP,
    "join": ON_GROUP,
    "leave": ON_GROUP,
    "invite": ON_TARGET,
    "kick": {**ON_TARGET, "reason": (str, False)},
    "ban": {**ON_TARGET, "reason": (str, False)},
    "unban": ON_TARGET,
    "gbroadcast": {"group": (str, True), "msg": (str, True)},
    "members": {"group": (str, True), "after": (str, False)},
    "msgs": PAGE,
    "states": {**PAGE, "all": (bool, False)},
    "groups": {"after": (str, False)},
}
MARK, REST_OF_TEXT = re.compile(rb'[{}"]'), re.compile(rb'(?:[^"\\]|\\.)*+"', re.DOTALL)
EVENTS = ("cgroupe", "join", "leave", "invite", "kick", "ban", "unban", "gbroadcast")
TALK = ("client-hello", "client-list-clients", "client-send", "client-broadcast", "client-quit")
NAMELESS = ("ping", "client-quit", "client-error")


class Refused(Exception):
    def __init__(self, code, **about):
        super().__init__(code)
        self.about = {"code": code, **about}


class BadJson(Exception):
    pass


def shown(name):
    return unicodedata.normalize("NFC", name.strip())


def key_of(name):
    while True:
        key = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).lower())
        if key == name:
            return key
        name = key


UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]")


def is_name(name, limit):
    def obeys(text):
        return 1 <= len(text) <= limit and all(
            char in "_-." or (unicodedata.category(char).startswith(("L", "M", "Nd")) and not UNSEEN.match(char))
            for char in text
        )

    return obeys(name) and obeys(key_of(name))


def is_chosen_user(name):
    key = key_of(name)
    is_guest = key.startswith("guest-") and key[6:].isdecimal()
    return is_name(name, 32) and key != "server" and not is_guest


def size(text):
    return len(text.encode("utf-8"))


class Cutter:
    """Cuts requests out of the bytes; yields (kind, bytes, whether LF follows)."""

    def __init__(self):
        self.data = b""
        self.skipping = False

    def feed(self, data):
        self.data += data
        while True:
            if self.skipping:
                _, found, rest = self.data.partition(b"\n")
                self.data = rest
                if not found:
                    return
                self.skipping = False
            self.data = self.data.lstrip(b" \t\r\n")
            if not self.data:
                return
            if not self.data.startswith(b"{"):
                self.skipping = True
                yield "garbage", b"", False
                continue
            end = self.end()
            if end > MAX_FRAME or (end < 0 and len(self.data) > MAX_FRAME):
                yield "too-large", b"", False
                return
            if end < 0:
                return
            frame, self.data = self.data[:end], self.data[end:]
            yield "frame", frame, self.data.lstrip(b" \t\r").startswith(b"\n")

    def end(self):
        depth, at = 0, 0
        while mark := MARK.search(self.data, at):
            at = mark.end()
            if mark[0] == b"{":
                depth += 1
            elif mark[0] == b"}":
                depth -= 1
                if depth == 0:
                    return at
            elif not (text := REST_OF_TEXT.match(self.data, at)):
                return -1
            else:
                at = text.end()
        return -1


def read_json(raw, faults):
    """One frame -> one object, strictly."""
    count = 0

    def unique(pairs):
        nonlocal count
        count += len(pairs)
        if len(dict(pairs)) != len(pairs) and "last-duplicate-wins" not in faults:
            raise BadJson
        return dict(pairs)

    def finite(text):
        if not math.isfinite(float(text)):
            raise BadJson
        return float(text)

    def no_constant(text):
        if "takes-nan" not in faults:
            raise BadJson

    try:
        text = raw.decode("utf-8")
        depth, deepest, quoted, escaped = 0, 0, False, False
        for char in text:
            if quoted:
                quoted = char != '"' or escaped
                escaped = char == "\\" and not escaped
            elif char == '"':
                quoted = True
            else:
                depth += (char in "{[") - (char in "}]")
                deepest = max(deepest, depth)
        if deepest > (8 if "any-depth" not in faults else 500):
            raise BadJson
        value = json.loads(text, object_pairs_hook=unique, parse_float=finite, parse_constant=no_constant)
    except (ValueError, RecursionError):
        raise BadJson from None
    if not isinstance(value, dict) or count > 64:
        raise BadJson
    return value


def is_clean(text):
    return not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)


def told_cgroup(message):
    """Return a message as it is told to who says cgroup, an event in a page too."""
    if message["action"] == "cgroupe":
        return {**message, "action": "cgroup"}
    if message["action"] == "states":
        return {**message, "list": [told_cgroup(event) for event in message["list"]]}
    return message


class Peer:
    def __init__(self, server, sock):
        self.server, self.sock = server, sock
        self.name = self.key = None
        self.is_guest = False
        self.paced = True
        self.says_cgroup = False
        self.garbage = 0
        self.out = queue.Queue()
        self.writer = threading.Thread(target=self.write, daemon=True)
        self.writer.start()

    def end(self):
        self.out.put(None)
        self.writer.join()
        self.sock.close()

    def send(self, message):
        if self.says_cgroup:
            message = told_cgroup(message)
        end = b"" if "forgets-newline" in self.server.faults else b"\r\n"
        indent = 1 if "indents" in self.server.faults else None
        self.out.put(json.dumps(message, ensure_ascii=False, indent=indent).encode() + end)

    def write(self):
        last = 0.0
        while True:
            data = self.out.get()
            try:
                if data is None:
                    self.sock.shutdown(socket.SHUT_RDWR)
                    return
                if self.paced and "no-pacing" not in self.server.faults:
                    time.sleep(max(0.0, last + PACE_SECONDS - time.monotonic()))
                self.sock.sendall(data)
                last = time.monotonic()
            except OSError:
                return


class Group:
    def __init__(self, name, private):
        self.name, self.private = name, private
        self.log = []
        self.members, self.invited, self.banned = {}, {}, {}
        self.owner = None
        self.skipped = 0


class Server:
    """Listens on 127.0.0.1 while used as a context manager; `port` is where."""

    def __init__(self, *faults, port=0):
        self.faults = frozenset(faults)
        self.lock = threading.RLock()
        self.peers, self.groups, self.users, self.tokens, self.passwords, self.retries = [], {}, {}, {}, {}, {}
        self.guests = 0
        self.listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            for peer in self.peers:
                peer.out.put(None)
        for thread in self.threads:
            thread.join(10)

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.threads.append(threading.Thread(target=self.serve, args=(Peer(self, sock),), daemon=True))
            self.threads[-1].start()

    def serve(self, peer):
        with self.lock:
            self.peers.append(peer)
        cutter, is_first = Cutter(), True
        try:
            # Chunks too small for the larger cases, whose writes might else come as one, or might not.
            size = 9_000 if self.has("parses-per-chunk") else 65_536
            while data := peer.sock.recv(size):
                if is_first and data.startswith((b"GET ", b"\x16\x03")) and not self.has("talks-http"):
                    break
                is_first = False
                with self.lock:
                    if not self.take(peer, cutter, data):
                        break
        except OSError:
            pass
        with self.lock:
            self.gone(peer)
        peer.end()

    def has(self, fault):
        return fault in self.faults

    def take(self, peer, cutter, data):
        """Handle what *data* completes; return whether the connection goes on."""
        if self.has("parses-per-chunk"):
            items = [("frame", data, data.endswith(b"\n"))]
        elif self.has("waits-for-newline"):
            cutter.data += data
            *lines, cutter.data = cutter.data.split(b"\n")
            items = [("frame", line, True) for line in lines if line.strip()]
        else:
            items = cutter.feed(data)
        for at, (kind, frame, is_line) in enumerate(items):
            if is_line:
                peer.paced = False
            if kind == "too-large":
                self.error(peer, {}, Refused("too-large", limit=MAX_FRAME))
                return False
            if at and self.has("drops-second-object"):
                continue
            try:
                if kind == "garbage":
                    peer.garbage += 1
                    raise BadJson
                request = read_json(frame, self.faults)
            except BadJson:
                self.error(peer, {}, Refused("bad-json"))
                if peer.garbage >= 3 and not self.has("endless-patience"):
                    return False
                continue
            if not self.handle(peer, request):
                return False
        return True

    def error(self, peer, request, refused):
        message = {"action": "error", **refused.about, "msg": "refused: " + refused.about["code"]}
        if self.has("wrong-error-action"):
            message["action"] = "server-error"
        if isinstance(request.get("action"), str):
            message["request"] = request["action"]
        for field, asked in (("id", "id"), ("group", "group"), ("dest", "to"), ("dest", "dest")):
            if isinstance(request.get(asked), str) and is_clean(request[asked]):
                message[field] = request[asked]
        peer.send(message)

    def handle(self, peer, request):
        """Do one request; return whether the connection goes on."""
        if isinstance(request.get("messageFormat"), dict):
            request = request["messageFormat"]
        try:
            return self.decide(peer, request) is not False
        except Refused as refused:
            self.error(peer, request, refused)
            return True

    def decide(self, peer, asked):
        action = asked.get("action")
        if not isinstance(action, str):
            raise Refused("bad-request", field="action")
        if action.startswith("ack-") and not self.has("answers-ack"):
            return None
        retry_id = asked.get("id") or ""
        if not isinstance(retry_id, str) or not is_clean(retry_id) or size(retry_id) > MAX_ID:
            raise Refused("bad-request", field="id")
        canonical = OTHER_ACTIONS.get(action, action)
        if canonical not in FIELDS:
            raise Refused("unknown-action")
        if self.has("talks-only") and canonical not in TALK:
            return None
        if self.has("exits-on-groups") and canonical == "groups":
            print("TypeError: 'NoneType' object is not iterable", file=sys.stderr, flush=True)
            os._exit(3)
        if action == "cgroup":
            peer.says_cgroup = True
        who = next((asked[word] for word in WHO if asked.get(word) is not None), None)
        if canonical not in NAMELESS and canonical != "client-hello":
            self.identify(peer, who, canonical)
        request = self.fields(canonical, asked)
        if canonical in EVENTS:
            return self.event(peer, request, asked)
        return getattr(self, "do_" + canonical.replace("-", "_"))(peer, request, who)

    def fields(self, action, asked):
        request = {"action": action, "id": asked.get("id")}
        for field, (kind, is_required) in FIELDS[action].items():
            spellings = (field, *OTHER_SPELLINGS.get(field, ()))
            value = next((asked[word] for word in spellings if asked.get(word) is not None), None)
            if value is None:
                if is_required:
                    raise Refused("bad-request", field=field)
                continue
            is_boolean = isinstance(value, bool) and not self.has("true-is-1")
            is_wrong = not isinstance(value, kind) or (kind is int and is_boolean)
            if is_wrong or (kind is int and abs(value) > 2**53):
                raise Refused("bad-request", field=field)
            if kind is str and not is_clean(value):
                if self.has("ends-at-surrogates"):
                    os._exit(4)
                if self.has("chokes-on-surrogates"):
                    raise OSError("the naive server dies here")
                raise Refused("bad-request", field=field)
            request[field] = value
        if "msg" in request and size(request["msg"]) > MAX_MSG:
            raise Refused("too-large", limit=MAX_MSG)
        if "reason" in request and size(request["reason"]) > MAX_REASON:
            raise Refused("too-large", limit=MAX_REASON)
        if action == "cgroupe":
            request["private"] = self.privacy(asked)
            request["group"] = shown(request["group"])
            if not is_name(request["group"], 64):
                raise Refused("bad-name", field="group")
        if action == "ban" and not is_name(shown(request["dest"]), 32):
            raise Refused("bad-name", field="dest")
        if action in ("msgs", "states"):
            if not 1 <= request.get("limit", 100) <= 1000:
                raise Refused("bad-request", field="limit")
            if "before" in request and "after" in request:
                raise Refused("bad-request", field="before")
        return request

    def privacy(self, asked):
        for word in PRIVACY:
            value = asked.get(word)
            if value is None:
                continue
            if word.startswith("type") or word == "groupType":
                if isinstance(value, str):
                    return "priv" in value.lower()
            elif isinstance(value, bool):
                return value == (word == "private")
            if not self.has("public-by-mistake"):
                raise Refused("bad-request", field="private")
        return False

    # who

    def identify(self, peer, who, action):
        if who is not None and not isinstance(who, str):
            raise Refused("bad-request", field="sender")
        if peer.name is None:
            if who is None or action == "register":
                raise Refused("bad-request", field="sender")
            self.welcome(peer, who, {})
        elif who is not None and self.key(shown(who)) != peer.key:
            if not self.has("believes-the-sender"):
                raise Refused("forbidden")
            peer.name, peer.key = shown(who), self.key(shown(who))

    def key(self, name):
        return name if self.has("compares-bytes") else key_of(name)

    def welcome(self, peer, name, proof):
        if not is_clean(name):
            raise Refused("bad-request", field="sender")
        name = shown(name)
        if not is_chosen_user(name):
            raise Refused("bad-name", field="sender")
        key = self.key(name)
        online = [other for other in self.peers if other.key == key]
        token, password = proof.get("token"), proof.get("password")
        is_known = token is not None and (token == self.tokens.get(key) or self.has("any-token-opens"))
        if not is_known:
            if key in self.passwords:
                if password is None:
                    raise Refused("auth-required" if token is None else "auth-failed")
                if password != self.passwords[key] and not self.has("any-password-opens"):
                    raise Refused("auth-failed")
            elif password is not None:
                raise Refused("auth-failed")
            elif online:
                raise Refused("name-in-use")
        if len(online) >= 8:
            raise Refused("limit-reached", limit=8)
        if not online and (token is None or token != self.tokens.get(key)):
            self.tokens[key] = secrets.token_urlsafe(16)
        self.enter(peer, name, key, bool(online))

    def enter(self, peer, name, key, is_further):
        peer.name, peer.key = name, key
        self.users[key] = name
        if not is_further:
            self.presence("connect", name, key)

    def presence(self, event, name, key):
        if self.has("no-presence"):
            return
        notice = {"action": "server-broadcast", "sender": "server", "from": "server", "event": event, "name": name}
        for other in self.peers:
            if other.key not in (None, key):
                other.send({**notice, "msg": f"{name}: {event}"})

    def gone(self, peer):
        self.peers.remove(peer)
        if peer.key is None or any(other.key == peer.key for other in self.peers):
            return
        self.presence("disconnect", peer.name, peer.key)
        for group in self.groups.values() if peer.is_guest or self.has("disconnecting-leaves") else ():
            if peer.key in group.members:
                self.leave(group, peer, {"action": "leave", "id": None})

    def reply(self, peer, request, message):
        if request.get("id") is not None:
            message = {**message, "id": request["id"]}
        peer.send(message)

    def do_client_hello(self, peer, request, who):
        if who is not None and not isinstance(who, str):
            raise Refused("bad-request", field="sender")
        if peer.name is not None:
            if who is not None and self.key(shown(who)) != peer.key:
                raise Refused("forbidden")
        elif who is None:
            self.guests += 1
            name = f"guest-{self.guests}"
            peer.is_guest = True
            self.tokens[name] = secrets.token_urlsafe(16)
            self.enter(peer, name, name, False)
        else:
            self.welcome(peer, who, request)
        mine = {group.name: len(group.log) for group in self.sorted(self.groups) if peer.key in group.members}
        hello = {"action": "server-hello", "sender": peer.name, "from": peer.name, "version": 1, "server": "broken"}
        hello |= {"token": self.tokens[peer.key], "groups": list(mine), "seqs": mine, "msg": f"welcome {peer.name}"}
        self.reply(peer, request, hello)
        for group in self.sorted(self.groups):
            if peer.key in group.invited and not self.has("forgets-invitations"):
                peer.send(group.invited[peer.key])

    def do_register(self, peer, request, who):
        if peer.is_guest or peer.key in self.passwords:
            raise Refused("forbidden")
        self.passwords[peer.key] = request["password"]
        self.reply(peer, request, {"action": "register", "sender": peer.name, "from": peer.name, "msg": "it is yours"})

    def do_client_send(self, peer, request, who):
        to = self.key(shown(request["to"]))
        receivers = [other for other in self.peers if other.key == to]
        if not receivers:
            raise Refused("user-not-found")
        text = {"action": "server-send", "sender": peer.name, "from": peer.name, "to": receivers[0].name}
        for other in self.peers:
            if other.key in (peer.key, to) and not (other is peer and self.has("no-copy-of-texts")):
                self.reply(other, request, {**text, "msg": self.text(request["msg"]), "ts": now()})

    def text(self, msg):
        return msg.replace("\n", " ") if self.has("cleans-texts") else msg

    def do_client_broadcast(self, peer, request, who):
        text = {
            "action": "server-broadcast",
            "sender": peer.name,
            "from": peer.name,
            "msg": request["msg"],
            "ts": now(),
        }
        for other in self.peers:
            if other.key is not None:
                self.reply(other, request, text)

    def do_client_list_clients(self, peer, request, who):
        names = self.names({other.key: other.name for other in self.peers if other.key}, request.get("after"))
        self.reply(
            peer, request, {"action": "server-list-clients", "list": names, "msg": "connected: " + ", ".join(names)}
        )

    def do_client_quit(self, peer, request, who):
        about = {"sender": peer.name, "from": peer.name} if peer.name else {}
        self.reply(peer, request, {"action": "server-quit", **about, "msg": "good bye"})
        return False

    do_client_error = do_client_quit

    def do_ping(self, peer, request, who):
        self.reply(peer, request, {"action": "ping", "ts": now(), "version": 1, "server": "broken", "msg": "pong"})

    # groups

    def names(self, by_key, after=None):
        least = "" if after is None else key_of(shown(after))
        keys = by_key if self.has("lists-by-arrival") else sorted(by_key)
        return [by_key[key] for key in keys if not after or key > least]

    def sorted(self, groups):
        return [groups[key] for key in sorted(groups)]

    def group(self, request):
        group = self.groups.get(self.key(shown(request["group"])))
        if group is None:
            raise Refused("group-not-found")
        return group

    def event(self, peer, request, asked):
        digest = {**request, "group": self.key(shown(request["group"]))}
        retry = self.retries.get((peer.key, request["id"])) if request["id"] is not None else None
        if retry and not self.has("forgets-ids"):
            if retry[0] != digest:
                raise Refused("bad-request", field="id")
            peer.send(retry[1])
            return
        stamped = self.new_group(peer, request) if request["action"] == "cgroupe" else self.change(peer, request)
        if stamped and request["id"] is not None:
            self.retries[peer.key, request["id"]] = (digest, stamped)

    def new_group(self, peer, request):
        key = self.key(request["group"])
        if key in self.groups and not (self.has("groups-end") and not self.groups[key].members):
            raise Refused("group-exists")
        group = self.groups[key] = Group(request["group"], request["private"])
        group.members[peer.key], group.owner = peer.name, peer.key
        about = {"owner": peer.name, **({"private": True} if group.private else {})}
        return self.stamp(group, peer, request, about, [peer.key])

    def stamp(self, group, peer, request, about, keys):
        """Write the event down and tell the users *keys* of it."""
        action = request["action"]
        event = {"action": action, "sender": peer.name, "from": peer.name, "group": group.name, **about}
        event |= {"seq": len(group.log) + 1 + group.skipped, "ts": now()}
        event["msg"] = self.text(request["msg"]) if action == "gbroadcast" else f"{peer.name} {action} {group.name}"
        if request["id"] is not None:
            event["id"] = request["id"]
        if self.has("forgets-ts"):
            del event["ts"]
        group.log.append(event)
        told = {*keys, *group.members}
        if self.has("kicked-still-receive"):
            told |= {self.key(old["dest"]) for old in group.log if old["action"] == "kick"}
        if self.has("leavers-still-receive"):
            told |= {self.key(old["sender"]) for old in group.log if old["action"] == "leave"}
        if self.has("no-echo") and action == "gbroadcast":
            told.discard(peer.key)
        for other in self.peers:
            if self.has("leaves-the-requester-out") and other is peer:
                continue
            if other.key is not None and other.key in told:
                other.send(event)
        return event

    def change(self, peer, request):
        action, me = request["action"], peer.key
        group = self.group(request)
        if me in group.banned and action in ("join", "gbroadcast") and not self.has("ban-is-a-kick"):
            raise Refused("banned")
        if action == "join":
            return self.join(group, peer, request)
        if action == "leave":
            if me not in group.members and me not in group.invited:
                raise Refused("not-member")
            return self.leave(group, peer, request)
        if me not in group.members and not (self.has("strangers-talk") and action == "gbroadcast"):
            if self.has("gap-in-seq"):
                group.skipped += 1
            raise Refused("not-member")
        if action == "gbroadcast":
            return self.stamp(group, peer, request, {}, [me])
        if action != "invite" and group.owner != me and not (self.has("members-kick") and action == "kick"):
            raise Refused("forbidden")
        return getattr(self, action)(group, peer, request, self.key(shown(request["dest"])))

    def join(self, group, peer, request):
        if peer.key in group.members:
            raise Refused("already-member")
        if group.private and peer.key not in group.invited:
            raise Refused("invite-required")
        if not self.has("keeps-invitations"):
            group.invited.pop(peer.key, None)
        about = {} if group.members else {"owner": peer.name}
        if not group.members:
            group.owner = peer.key
        group.members[peer.key] = peer.name
        return self.stamp(group, peer, request, about, [peer.key])

    def leave(self, group, peer, request):
        group.invited.pop(peer.key, None)
        group.members.pop(peer.key, None)
        about = {}
        if group.owner == peer.key and not self.has("no-succession"):
            group.owner = next(iter(group.members), None)
            about = {"owner": group.members[group.owner]} if group.owner else {}
        return self.stamp(group, peer, request, about, [peer.key])

    def invite(self, group, peer, request, target):
        if target == peer.key:
            raise Refused("self-target")
        if target in group.members:
            raise Refused("already-member")
        if target in group.banned:
            if not self.has("invite-lifts-ban"):
                raise Refused("target-banned")
            del group.banned[target]
        if target in group.invited and not self.has("invites-anew"):
            for other in self.peers:
                if other is peer or other.key == target:
                    other.send(group.invited[target])
            return None
        if not self.is_known(target):
            raise Refused("user-not-found")
        if self.has("invite-adds"):
            group.members[target] = self.users[target]
        stamped = self.stamp(group, peer, request, {"dest": self.users[target]}, [target])
        group.invited[target] = stamped
        return stamped

    def is_known(self, key):
        in_a_group = any(key in state for g in self.groups.values() for state in (g.members, g.invited, g.banned))
        return key in self.passwords or in_a_group or any(other.key == key for other in self.peers)

    def kick(self, group, peer, request, target):
        if target == peer.key:
            raise Refused("self-target")
        if target not in group.members and target not in group.invited:
            raise Refused("target-not-member")
        return self.remove(group, peer, request, target, [target])

    def ban(self, group, peer, request, target):
        if target == peer.key:
            raise Refused("self-target")
        if target in group.banned:
            raise Refused("target-banned")
        told = [target] if target in group.members or target in group.invited or self.has("tells-strangers") else []
        group.banned[target] = self.users.get(target, shown(request["dest"]))
        return self.remove(group, peer, request, target, told)

    def remove(self, group, peer, request, target, told):
        group.members.pop(target, None)
        group.invited.pop(target, None)
        about = {"dest": self.users.get(target, shown(request["dest"]))}
        if "reason" in request or not self.has("forgets-reason"):
            about["reason"] = request.get("reason", "")
        if group.owner == target:
            group.owner = next(iter(group.members), None)
        return self.stamp(group, peer, request, about, told)

    def unban(self, group, peer, request, target):
        if target not in group.banned:
            raise Refused("not-banned")
        name = group.banned.pop(target)
        if self.has("unban-adds"):
            group.members[target] = name
        return self.stamp(group, peer, request, {"dest": name}, [target])

    def do_members(self, peer, request, who):
        group = self.group(request)
        is_inside = peer.key in group.members
        if group.private and not is_inside:
            raise Refused("not-member")
        online = {other.key for other in self.peers}
        after = request.get("after")
        answer = {"action": "members", "group": group.name, "seq": len(group.log), "msg": "members"}
        answer["list"] = self.names(group.members, after)
        answer["online"] = self.names({key: name for key, name in group.members.items() if key in online}, after)
        if group.owner in group.members:
            answer["owner"] = group.members[group.owner]
        if is_inside or self.has("tells-who-is-banned"):
            invited = {key: event["dest"] for key, event in group.invited.items()}
            answer |= {"invited": self.names(invited, after), "banned": self.names(group.banned, after)}
        self.reply(peer, request, answer)

    def do_groups(self, peer, request, who):
        def is_visible(group):
            is_mine = peer.key in group.members or peer.key in group.invited
            is_public = not group.private and (group.members or self.has("lists-empty-groups"))
            return is_public or is_mine or self.has("lists-private-groups")

        visible = {key: group for key, group in self.groups.items() if is_visible(group)}

        def those(holds):
            return self.names({key: group.name for key, group in visible.items() if holds(group)}, request.get("after"))

        answer = {"action": "groups", "list": those(lambda group: True), "private": those(lambda group: group.private)}
        answer["mine"] = those(lambda group: peer.key in group.members)
        self.reply(peer, request, {**answer, "msg": "groups"})

    def do_msgs(self, peer, request, who):
        is_all = request.get("all", False)
        group = self.group(request)
        if not self.has("leaks-history"):
            if peer.key in group.banned:
                raise Refused("banned")
            if peer.key not in group.members:
                raise Refused("not-member")
        is_msgs = request["action"] == "msgs"
        log = [e for e in group.log if is_all or (e["action"] == "gbroadcast") == is_msgs]
        after, before, limit = request.get("after"), request.get("before"), request.get("limit", 100)
        if self.has("after-is-inclusive") and after is not None:
            after -= 1
        log = [e for e in log if (after is None or e["seq"] > after) and (before is None or e["seq"] < before)]
        page = log[:limit] if after is not None else log[-limit:]
        while len(page) > 1 and sum(size(json.dumps(e, ensure_ascii=False)) for e in page) > MAX_PAGE:
            if self.has("endless-pages"):
                break
            page = page[:-1] if after is not None else page[1:]
        answer = {"action": request["action"], "group": group.name, "list": page, "more": len(page) < len(log)}
        if self.has("newest-first"):
            answer["list"] = page[::-1]
        if self.has("no-more"):
            answer["more"] = False
        if page:
            answer |= {"first": page[0]["seq"], "last": page[-1]["seq"]}
        self.reply(peer, request, {**answer, "msg": "a page"})

    do_states = do_msgs


def now():
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


if __name__ == "__main__":
    number, *mistakes = sys.argv[1:] or ["0"]
    with Server(*mistakes, port=int(number)) as running:
        print(running.port, flush=True)
        threading.Event().wait()
