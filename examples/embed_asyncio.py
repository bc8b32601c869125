"""tchat inside an asyncio program of your own: our server object, an in-memory log, your event loop."""

import asyncio

from libtchat import Hub
from tchat_server.server import Server
from tchat_server.store.memory import MemoryLog


async def serve(port: int = 0) -> Server:
    """Start serving beside whatever else the program does; `await server.stop(5)` ends it."""
    server = Server(Hub("asyncio example"), MemoryLog())
    host, port = await server.listen("127.0.0.1", port)
    print(f"chat on {host}:{port}", flush=True)
    return server


async def main() -> None:
    server = await serve()
    try:
        await asyncio.Event().wait()
    finally:
        await server.stop(5)


if __name__ == "__main__":
    asyncio.run(main())
