"""A client on a blocking socket: `python blocking.py HOST PORT NAME GROUP` greets whoever says hello."""

import secrets
import socket
import sys
import time

from libtchat import ClientConnection, Error, Heard, Join, NoAnswer, Notice, Said, Say, Welcome


def answer(me: ClientConnection, notice: Notice, group: str) -> bytes:
    match notice:
        case Heard(message=Welcome()):
            return me.send(Join(group=group))
        case Heard(message=Said(sender=who, msg="hello"), mine=False):
            return me.send(Say(group=group, msg=f"hello {who}"))
        case Heard(message=Said(sender=who, msg=text), missed=missed):
            print("missed: " * missed + f"{who}: {text}", flush=True)
        case Heard(message=Error(retry_after=seconds), quiet=True):
            time.sleep(seconds or 1)  # before what is `wanted` is asked again
        case NoAnswer(request=request):
            print(f"{request.action}: perhaps done, perhaps not", flush=True)
    return b""


me, group = ClientConnection(sys.argv[3], new_id=secrets.token_hex), sys.argv[4]
while True:
    try:
        with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as sock:
            sock.sendall(me.hello())
            while not me.broken and (data := sock.recv(65536)):
                for notice in me.receive(data):
                    sock.sendall(answer(me, notice, group))
                sock.sendall(me.wanted())
    except OSError as error:
        print(f"no connection: {error}", flush=True)
    for notice in me.closed():
        answer(me, notice, group)
    time.sleep(1)  # then again: what is missed meanwhile is fetched
