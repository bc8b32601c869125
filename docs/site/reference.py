"""The pages of the site that are made of the packages: the reference of public names, the commands, the metrics."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import click

from tchat_client.cli import tchat
from tchat_server import Chat
from tchat_server.cli import cli as tchat_server

__all__ = ["made"]

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = ROOT / "docs" / "public.md"

# Where another page begins within the table of `libtchat`: the first name there, the page, its title.
BEGINS = {
    "ServerEnd": ("hub", "A server"),
    "Effect": ("effects", "Effects, questions, answers"),
    "ClientConnection": ("client", "A client"),
    "Group": ("groups", "The rules of a group"),
    "Request": ("messages", "Messages"),
    "ErrorCode": ("values", "Errors, names, limits"),
}


def made() -> dict[str, str]:
    """Return the Markdown of each page, by its place on the site."""
    return {**names(), "commands.md": commands(), "metrics.md": metrics()}


def names() -> dict[str, str]:
    """Return a page for each package in docs/public.md, several for `libtchat`, with each name under what it is for."""
    pages: dict[str, str] = {}
    text = PUBLIC.read_text("utf-8")
    for package, section in re.findall(r"^## The names of `([\w.]+)`\n(.*?)(?=^## )", text, re.MULTILINE | re.DOTALL):
        page, title = f"api/{package}.md", package
        for purpose, cell in re.findall(r"^\| ([^|`]*(?:`[^`]+`[^|`]*)*) \| (`[^|]+) \|$", section, re.MULTILINE):
            listed = re.findall(r"`([^`]+)`", cell)
            if package == "libtchat" and listed[0] in BEGINS:
                name, what = BEGINS[listed[0]]
                page, title = f"api/{name}.md", f"{what}: `libtchat`"
            pages.setdefault(page, f"# {title}\n")
            pages[page] += f"\n## {purpose[0].upper()}{purpose[1:]}\n\n"
            pages[page] += "".join(f"::: {package}.{name}\n\n" for name in listed)
    return pages


def commands() -> str:
    parts = ["# Commands\n\nWhat `--help` says.\n"]
    for name, command in (("tchat", tchat), ("tchat-server", tchat_server)):
        parts += helps(name, command, None)
    return "\n".join(parts)


def helps(name: str, command: click.Command, above: click.Context | None) -> Iterator[str]:
    context = click.Context(
        command, info_name=name.split()[-1], parent=above, terminal_width=86, **command.context_settings
    )
    yield f"{'##' if above is None else '###'} {name}\n\n```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None and not found.hidden:
                yield from helps(f"{name} {inner}", found, context)


async def counted() -> str:
    async with Chat() as chat:
        return chat.metrics()


def metrics() -> str:
    rows = re.findall(r"^# HELP (\S+) (.*)\n# TYPE \S+ (\w+)$", asyncio.run(counted()), re.MULTILINE)
    table = "".join(f"| `{name}` | {kind} | {text} |\n" for name, text, kind in rows)
    about = "What `/metrics` of `--admin-listen` has, and `Chat.metrics()`, in the text format of Prometheus."
    return f"# Metrics\n\n{about}\n\n| name | type | what |\n|---|---|---|\n{table}"
