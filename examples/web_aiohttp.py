"""A web application whose users have a chat: aiohttp, a session cookie, one WebSocket for each tab."""

import os
import secrets
import sys

from aiohttp import web

from libtchat import Refused, check_user_name
from tchat_server import Chat

CHAT = web.AppKey("chat", Chat)
SESSIONS = web.AppKey("sessions", dict[str, str])


async def start_chat(app: web.Application) -> None:
    """Let the chat begin with the application."""
    await app[CHAT].start()


async def stop_chat(app: web.Application) -> None:
    """Let the chat end before the application does: it waits for its connections, and the chat closes them."""
    await app[CHAT].stop()


async def login(request: web.Request) -> web.Response:
    """Begin a session; a real application asks for a password here."""
    try:
        name = check_user_name(request.query.get("name", ""))
    except Refused as refused:
        raise web.HTTPBadRequest(text=str(refused)) from None
    session = secrets.token_urlsafe(16)
    request.app[SESSIONS][session] = name
    response = web.json_response({"user": name})
    response.set_cookie("session", session, httponly=True, samesite="Strict")  # no other site may use it
    return response


async def talk(request: web.Request) -> web.WebSocketResponse:
    """Carry the chat of one tab."""
    user = request.app[SESSIONS].get(request.cookies.get("session", ""))
    if user is None:
        raise web.HTTPForbidden(text="log in first")
    websocket = web.WebSocketResponse(protocols=["tchat.1"], max_msg_size=65536)
    await websocket.prepare(request)
    async with request.app[CHAT].peer(user) as peer:
        texts = (message.data async for message in websocket)
        await peer.pump(texts, websocket.send_str, lambda code: websocket.close(code=code))
    return websocket


async def online(request: web.Request) -> web.Response:
    """Show who is there."""
    return web.json_response({"online": request.app[CHAT].online()})


def make_app(chat: Chat) -> web.Application:
    """Return the application; *chat* runs as long as it does."""
    app = web.Application()
    app[CHAT], app[SESSIONS] = chat, {}
    app.on_startup.append(start_chat)
    app.on_shutdown.append(stop_chat)
    app.add_routes([web.post("/login", login), web.get("/chat", talk), web.get("/online", online)])
    return app


if __name__ == "__main__":
    chat = Chat(os.environ.get("CHAT_DB", ":memory:"))
    web.run_app(make_app(chat), host="127.0.0.1", port=int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
