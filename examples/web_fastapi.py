"""A web application whose users have a chat: FastAPI, a session cookie, one WebSocket for each tab."""

import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import uvicorn
from fastapi import Cookie, FastAPI, HTTPException, Response, WebSocket

from libtchat import Create, Event, Refused, Request, Said, check_user_name
from tchat_server import Chat

chat = Chat(os.environ.get("CHAT_DB", ":memory:"))
sessions: dict[str, str] = {}  # a real application has a table of them
heard: list[str] = []


@chat.may
def may(user: str, request: Request) -> bool:
    """Let the staff make groups, and nobody else."""
    return not isinstance(request, Create) or user == "staff"


@chat.on_event
def seen(event: Event) -> None:
    """Keep what was said for the front page."""
    if isinstance(event, Said):
        heard.append(f"{event.sender}: {event.msg}")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Let the chat begin and end with the application."""
    async with chat:
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/login")
async def login(name: str, response: Response) -> dict[str, str]:
    """Begin a session; a real application asks for a password here."""
    try:
        check_user_name(name)
    except Refused as refused:
        raise HTTPException(400, str(refused)) from None
    session = secrets.token_urlsafe(16)
    sessions[session] = name
    response.set_cookie("session", session, httponly=True, samesite="strict")  # no other site may use it
    return {"user": name}


@app.websocket("/chat")
async def talk(websocket: WebSocket, session: Annotated[str, Cookie()] = "") -> None:
    """Carry the chat of one tab."""
    if session not in sessions:
        await websocket.close(1008)
        return
    await websocket.accept("tchat.1")
    async with chat.peer(sessions[session]) as peer:
        await peer.pump(websocket.iter_text(), websocket.send_text, websocket.close)


@app.get("/online")
async def online() -> dict[str, object]:
    """Show who is there and what was said last."""
    return {"online": chat.online(), "heard": heard[-10:]}


@app.post("/deploy")
async def deploy(group: str) -> dict[str, int]:
    """Have the program itself say something."""
    try:
        said = await chat.say_as("robot", group, "deployed")
    except Refused as refused:
        raise HTTPException(404, str(refused)) from None
    return {"seq": said.seq}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]) if len(sys.argv) > 1 else 8000)
