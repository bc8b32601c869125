"""The first half of the course and a little more: no list of groups, no history; an unknown action ends it.  PORT"""

import asyncio
import json
import sys

writers, teams = {}, {}


def put(name, **m):
    if name in writers:
        writers[name].write(json.dumps(m).encode() + b"\r\n")


async def serve(reader, writer):
    name = None
    while line := await reader.readline():
        m = json.loads(line)
        try:
            handler = HANDLERS[m["action"]]
        except KeyError:
            raise SystemExit("unknown action") from None
        if m["action"] == "client-hello":
            name = m["from"]
            writers[name] = writer
        handler(name, m)
    writers.pop(name, None)
    writer.close()


def hello(me, m):
    put(me, action="server-hello", tab=[*writers])


def create(me, m):
    teams[m["group"]] = {me}
    put(me, action="cgroupe", group=m["group"], result=True)


def join(me, m):
    if m["group"] in teams:
        teams[m["group"]].add(me)
    put(me, action="join", group=m["group"], result=m["group"] in teams)


def leave(me, m):
    teams.get(m["group"], set()).discard(me)
    put(me, action="leave", group=m["group"], result=True)


HANDLERS = {
    "client-hello": hello,
    "client-send": lambda me, m: put(m["to"], action="client-send", sender=me, message=m["msg"]),
    "client-broadcast": lambda me, m: [put(n, action="client-broadcast", sender=me, message=m["msg"]) for n in writers],
    "client-list-clients": lambda me, m: put(me, action="client-list-clients", tab=[*writers]),
    "client-quit": lambda me, m: writers[me].close(),
    "cgroupe": create,
    "join": join,
    "leave": leave,
    "gbroadcast": lambda me, m: [
        put(n, action="gbroadcast", sender=me, groupe=m["group"], message=m["msg"]) for n in teams.get(m["group"], ())
    ],
    "members": lambda me, m: put(me, action="members", group=m["group"], tab=sorted(teams.get(m["group"], ()))),
    "invite": lambda me, m: put(m["dest"], action="invite", sender=me, group=m["group"]),
}


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
