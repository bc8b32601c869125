"""docs/client.md is true: its programs are the examples, its pieces run and print what is shown."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import re
from pathlib import Path
from typing import Any

from serving import ROOT, Server, serving

from tchat_client import Client

PAGE = (ROOT / "docs" / "client.md").read_text("utf-8")
BLOCKS = re.findall(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL)


def test_every_block_is_a_program_a_piece_or_what_a_piece_prints() -> None:
    assert PAGE.count("\n```") == 2 * len(BLOCKS)
    before = ""
    for language, title, text in BLOCKS:
        assert language == "python" or (language == "text" and before == "piece"), text
        before = "output" if language == "text" else "program" if title else "piece"


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", PAGE)
    assert [link for link in links if not (ROOT / "docs" / link).exists()] == []
    assert len(links) >= 5


def test_its_programs_are_the_examples() -> None:
    programs = [(title, text) for _, title, text in BLOCKS if title]
    assert len(programs) == 3
    for title, text in programs:
        assert (ROOT / title).read_text("utf-8") == text, title


def test_its_pieces_print_what_is_shown(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        asyncio.run(asyncio.wait_for(pieces(server), 60))


async def pieces(server: Server) -> None:
    names: dict[str, Any] = {"address": server.address}
    async with Client(server.address, "robot") as names["chat"], Client(server.address, "alice") as names["alice"]:
        await names["chat"].create("wob")
        await names["alice"].join("wob")
        count = 0
        for at, (language, title, text) in enumerate(BLOCKS):
            if language != "python" or title:
                continue
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                code = compile(text, f"piece {at}", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                doing = eval(code, names)
                if inspect.iscoroutine(doing):
                    await doing
            following = BLOCKS[at + 1]
            assert printed.getvalue() == (following[2] if following[0] == "text" else ""), text
            count += 1
        assert count > 8


def test_it_names_every_method_and_every_exception() -> None:
    methods = {name for name, _ in inspect.getmembers(Client, inspect.isfunction) if name[0] != "_"} - {"quit"}
    assert [name for name in methods if not re.search(rf"`(chat\.)?{name}\(", PAGE)] == []
    options = {*inspect.signature(Client).parameters} - {"address", "name"}
    assert [name for name in options if not re.search(rf"\b{name}\b", PAGE)] == []
