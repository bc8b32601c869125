"""asyncio; every answer is a "reply" that names the request under "re", everything else a "push".  PORT"""

import asyncio
import json
import sys

people, rooms = {}, {}


def out(writer, **m):
    writer.write(json.dumps(m).encode() + b"\r\n")


def push(names, what, **m):
    for name in names:
        if name in people:
            out(people[name], type="push", what=what, **m)


def ask(writer, m):
    what = m["action"]
    me = next((n for n, w in people.items() if w is writer), None)
    room = rooms.get(m.get("group"))

    def reply(ok=True, **more):
        out(writer, type="reply", re=what, ok=ok, **more)

    def no(detail):
        reply(ok=False, detail=detail)

    if what == "client-hello":
        name = m.get("from") or m.get("sender")
        if name in people:
            return no("name taken")
        people[name] = writer
        reply(detail=f"welcome {name}")
        push([n for n in people if n != name], "arrival", nick=name)
    elif what == "client-send":
        if m["to"] not in people:
            return no("nobody of that name")
        push([m["to"]], "whisper", nick=me, line=m["msg"])
        reply()
    elif what == "client-broadcast":
        push([n for n in people if n != me], "shout", nick=me, line=m["msg"])
        reply()
    elif what == "client-list-clients":
        reply(items=sorted(people))
    elif what == "client-quit":
        reply()
        writer.close()
    elif what in ("cgroupe", "cgroup"):
        if room is not None:
            return no("that room exists")
        rooms[m["group"]] = {"boss": me, "in": [me], "out": [], "lines": [], "log": [f"{me} opened it"]}
        reply(detail=f"room {m['group']} opened")
    elif what == "groups":
        reply(items=sorted(rooms))
    elif room is None:
        no("no such room")
    elif what == "join":
        if me in room["out"]:
            return no("you are not welcome there")
        if me not in room["in"]:
            room["in"].append(me)
            room["log"].append(f"{me} came")
        push([n for n in room["in"] if n != me], "entered", nick=me, room=m["group"])
        reply(room=m["group"])
    elif me not in room["in"]:
        no("you are not in that room")
    elif what == "gbroadcast":
        room["lines"].append({"nick": me, "line": m["msg"]})
        push([n for n in room["in"] if n != me], "line", nick=me, room=m["group"], line=m["msg"])
        reply()
    elif what == "members":
        reply(room=m["group"], items=room["in"])
    elif what == "msgs":
        reply(room=m["group"], items=room["lines"])
    elif what == "states":
        reply(room=m["group"], items=room["log"])
    elif what == "leave":
        room["in"].remove(me)
        push(room["in"], "left", nick=me, room=m["group"])
        reply(room=m["group"])
    elif what == "invite":
        push([m["dest"]], "invitation", nick=me, room=m["group"])
        reply()
    elif me != room["boss"]:
        no("you are not its boss")
    elif what in ("kick", "ban"):
        if m["dest"] not in room["in"]:
            return no("not in that room")
        push([n for n in room["in"] if n != me], "out", nick=me, room=m["group"], target=m["dest"], because=m["reason"])
        room["in"].remove(m["dest"])
        room["out"] += [m["dest"]] if what == "ban" else []
        room["log"].append(f"{m['dest']} was put out by {me}")
        reply(target=m["dest"], room=m["group"])
    elif what == "unban":
        room["out"] = [n for n in room["out"] if n != m["dest"]]
        push([m["dest"]], "pardon", nick=me, room=m["group"])
        reply(target=m["dest"], room=m["group"])
    else:
        no("what?")


async def serve(reader, writer):
    try:
        while line := await reader.readline():
            try:
                ask(writer, json.loads(line))
            except (KeyError, ValueError) as error:
                out(writer, type="reply", re="?", ok=False, detail=f"cannot read that: {error}")
    except ConnectionError:
        pass
    for name in [n for n, w in people.items() if w is writer]:
        del people[name]
        push(people, "departure", nick=name)
    writer.close()


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
