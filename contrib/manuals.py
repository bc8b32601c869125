"""Writes the manual pages and the shells' completions from the commands themselves: `make manuals`.

A test holds the files equal to what is made here; the wheel puts them where `man` and the shells look.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from tchat_client.cli.run import tchat
from tchat_server.cli import cli

HERE = Path(__file__).parent
COMMANDS: Mapping[str, click.Group] = {"tchat": tchat, "tchat-server": cli}
SHELLS = ("bash", "fish", "zsh")
SEE_ALSO = {"tchat": "tchat-server", "tchat-server": "tchat"}


def files() -> Mapping[str, str]:
    """Return the text of every file, by its name in this directory."""
    pages = {f"man/{name}.1": manual(name, command) for name, command in COMMANDS.items()}
    scripts = {f"completions/{name}.{shell}": completion(name, shell) for name in COMMANDS for shell in SHELLS}
    return {**pages, **scripts}


def completion(name: str, shell: str) -> str:
    """Return the script that has *shell* complete the command *name*."""
    kind = get_completion_class(shell)
    assert kind is not None
    variable = f"_{name.replace('-', '_').upper()}_COMPLETE"
    made = kind(COMMANDS[name], {}, name, variable)
    return str(made.source_template % made.source_vars()).strip() + "\n"


def manual(name: str, command: click.Group) -> str:
    """Return the manual page of a command and of all its subcommands."""
    head, _, more = text(command.help).partition("\n\n")
    lines = [
        f'.TH {name.upper()} 1 "" "tchat" "User Commands"',
        ".SH NAME",
        f"{escape(name)} \\- {escape(head.rstrip('.').lower())}",
        ".SH SYNOPSIS",
        f".B {escape(name)}",
        "[OPTIONS] [COMMAND] [ARGUMENTS]",
        *([".SH DESCRIPTION", escape(more)] if more else []),
        ".SH OPTIONS",
        *options(command),
        ".SH COMMANDS",
    ]
    for title, each in sorted(command.commands.items()):
        lines += [f".SS {escape(' '.join([title, *arguments(each)]))}", escape(text(each.help)), *options(each)]
    return "\n".join([*lines, ".SH SEE ALSO", f".BR {escape(SEE_ALSO[name])} (1)", ""])


def arguments(command: click.Command) -> Iterator[str]:
    """Yield what stands for the arguments of a command."""
    for param in command.params:
        if isinstance(param, click.Argument):
            yield param.metavar or (param.name or "").upper()


def options(command: click.Command) -> Iterator[str]:
    """Yield the lines for the options of a command."""
    for param in command.params:
        if isinstance(param, click.Option) and not param.hidden:
            names = ", ".join([*param.opts, *param.secondary_opts])
            value = "" if param.is_flag else f" {param.metavar or value_of(param.type)}"
            yield from (".TP", f"\\fB{escape(names)}\\fR{escape(value)}", escape(text(param.help)) or ".br")


def value_of(kind: click.ParamType) -> str:  # type: ignore[type-arg]
    """Return what stands for a value."""
    if isinstance(kind, click.Choice):
        return "|".join(map(str, kind.choices))
    return "NUMBER" if isinstance(kind, click.INT.__class__ | click.FLOAT.__class__) else kind.name.upper()


def text(help: str | None) -> str:
    """Return help as plain paragraphs."""
    paragraphs = (help or "").replace("\b", "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs).strip()


def escape(plain: str) -> str:
    """Return text as troff takes it."""
    lines = plain.replace("\\", "\\e").replace("-", "\\-").replace("\n\n", "\n.PP\n").split("\n")
    return "\n".join(f"\\&{line}" if line[:1] in (".", "'") and line != ".PP" else line for line in lines)


def main() -> None:
    """Write the files."""
    for name, content in files().items():
        path = HERE / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, "utf-8")
        print(path.relative_to(HERE.parent))


if __name__ == "__main__":
    sys.exit(main())
