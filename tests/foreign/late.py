"""A program that answers late: all it says, and all it is told, takes so long.  server|client SECONDS HOST:PORT CMD...

A server's command gets the port it is to listen on, a client's the one it is to connect to, in place of "PORT".
"""

import asyncio
import sys

side, seconds, (host, _, port), command = sys.argv[1], float(sys.argv[2]), sys.argv[3].partition(":"), sys.argv[4:]


async def carry(reader, writer, late):
    loop = asyncio.get_running_loop()
    while data := await reader.read(65_536):
        loop.call_later(late, writer.write, data)
    loop.call_later(late, writer.close)


async def between(reader, writer, to, late):
    for _ in range(100):
        try:
            there = await asyncio.open_connection("127.0.0.1", to)
            break
        except OSError:
            await asyncio.sleep(0.05)
    await asyncio.gather(carry(reader, there[1], late[0]), carry(there[0], writer, late[1]))


async def main():
    probe = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    inner = probe.sockets[0].getsockname()[1]
    listening = inner if side == "client" else int(port)
    to = int(port) if side == "client" else inner
    late = (seconds, seconds) if side == "client" else (0.0, seconds)
    probe.close()  # it was there to find a free port
    await asyncio.start_server(lambda r, w: between(r, w, to, late), "127.0.0.1", listening)
    child = await asyncio.create_subprocess_exec(*(word.replace("PORT", str(inner)) for word in command))
    await child.wait()
    await asyncio.sleep(seconds)


asyncio.run(main())
