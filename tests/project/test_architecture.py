"""The walls of the house, read from the source: who imports whom, what stays out of the library, how modules look.

`faults` names what is wrong with one module's source. It is asked about every module we have (and must find
nothing), and about the offending sources below (and must find just that).
"""

from __future__ import annotations

import ast
import asyncio
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import fields

from libtchat.message import limits
from libtchat.message.limits import ServerLimits

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
ROOT = Path(__file__).parents[2]
PACKAGES = ("libtchat", "tchat_server", "tchat_client")
CONFORMANCE = "spec/conformance"

# Who stands on whom, from the ground: a room imports rooms of storeys below its own. No exception.
STOREYS: dict[str, tuple[str, ...]] = {
    "libtchat": (
        "guess language message sorted_map usage",
        "cluster direct commands paging rate",
        "group",
        "rules stored",
        "effect wire",
        "ruling",
        "hub mirror",
        "client dialect",
        "__init__",
    ),
    "tchat_server": (
        *("french", "clock fair_pool misuse ops roster sentences supervisor", "password", "net store"),
        *("failures greeting hooks lifetime peer retention", "arguments settings"),
        *("errands foreign neighbours storage usage", "server"),
        *("operator watchdog", "running", "chat", "__init__ cli"),
        *("__main__ testing",),
    ),
    "tchat_client": (
        *(
            "measure port private reading sanitise",
            "language",
            "errors",
            "address answer_lines history input_lines introduction patience",
            "page_words sentences settings",
            "render",
            "bridge completion learn report",
            "link",
            "arguments inbox joining options requesting script search session",
        ),
        *("client keys lasting reader usage", "piped prompt", "cli", "__main__"),
    ),
    # and inside a room
    "libtchat.message": ("value", "errors limits request", "names", "direct", "event", "reply"),
    "libtchat.wire": (
        "framing redaction spelling strict_json wording",
        "fields lenient manner",
        "codec snapshot",
        "glance",
        "connection",
    ),
    "libtchat.commands": ("action", "row", "table", "mistyped", "checks", "parser secret", "cursor"),
    "libtchat.hub": (
        *("clock line refusal retries texts throttle work", "bars gate user", "interest peer"),
        *("entry presence", "ledger lookup newcomer", "guest quota", "claim direct", "identity", "decider login query"),
        *("courier leaving operator revision", "router", "elsewhere follower hub", "node"),
    ),
    "libtchat.mirror": ("names notice pending view", "members", "mirror"),
    "libtchat.dialect": (
        *(
            "effect french menu prose vocabulary",
            "probe template",
            "dialect generalise waiting",
            "answers canonical detect questions request_names spread",
        ),
        *("asking completion guards interview partner reading showing telling", "finding greeting"),
        *("trials", "naming"),
        "client server translate",
    ),
    "tchat_client.cli": ("typed wiring", "root", "dialects scripts session", "run"),
    "tchat_client.language": ("english french", "choice"),
    "tchat_client.learn": ("french program slowness source", "client_lab", "client server_lab", "report", "run"),
    "tchat_client.bridge": ("child copying journal", "pipe", "inside", "serve"),
    "tchat_client.link": ("answers opening watcher", "outgoing trace", "connected", "link"),
    "tchat_server.net": (
        *(
            "channel ending frames gone http linger rota tls",
            "flow",
            "admission secured site spacing toll",
            "listener websocket work",
            "outbox",
            "patience",
            "peer",
        ),
        *("delivery insider web",),
    ),
    "tchat_server.operator": ("desk", "groups users", "operator", "command"),
    "tchat_server.roster": ("port",),
    "tchat_server.ops": ("admin control descriptor metrics outlet", "logs"),
    "tchat_server.testing": ("book", "contract live", "plugin"),
    "tchat_server.testing.contract": ("place", "appending kept pages removal users"),
    "tchat_server.store": ("event_log change", "lines memory sqlite", "answers nats pages"),
    "tchat_server.store.nats": (
        *(
            "errors heads record subject url",
            "connection",
            "calls fetch stream",
            "follower intake lease",
            "publisher seats",
            "accounts proof",
        ),
        *("health log maintenance roster syncing", "node"),
    ),
    "tchat_server.store.sqlite": (
        *("checksum lock worker", "entry inspection", "schema copier reader watch"),
        *("accounts removal rows users", "cache_file writer", "log", "cache maintenance"),
    ),
}
STOREY = {
    f"{place}.{room}": number
    for place, storeys in STOREYS.items()
    for number, rooms in enumerate(storeys)
    for room in rooms.split()
}

# The standard library as far as it computes: no I/O, clock, thread, random or log.
PURE = {
    *("__future__", "collections", "enum", "functools", "itertools", "math", "operator", "typing"),
    *(
        "array",
        "bisect",
        "datetime",
        "difflib",
        "hashlib",
        "hmac",
        "json",
        "re",
        "string",
        "tomllib",
        "unicodedata",
        "zlib",
    ),
}
LAZY = {("libtchat.__init__", "importlib")}  # its names are imported when they are first used
IMPURE_CALLS = {"open", "print", "input", "eval", "exec", "__import__", "now", "utcnow", "today"}
PURE_MODULES = ("libtchat", "tchat_client.render", "tchat_client.sentences", "tchat_client.language")

# What we did not write: where it may be imported. The longest entry that is a module's prefix counts.
OUTSIDE = {
    "libtchat": {"attrs"},
    "libtchat.wire.fields": {"attrs", "cattrs"},
    "libtchat.wire.strict_json": {"orjson"},
    "tchat_server": {"attrs"},
    "tchat_server.cli": {"attrs", "click", "platformdirs", "uvloop"},
    "tchat_server.failures": {"attrs", "click"},
    "tchat_server.net": {"attrs", "websockets"},
    "tchat_server.operator.command": {"attrs", "click"},
    "tchat_server.settings": {"attrs", "click", "platformdirs"},
    "tchat_server.usage": {"attrs", "click"},
    "tchat_server.testing.plugin": {"pytest"},
    "tchat_server.storage": {"attrs", "platformdirs"},
    "tchat_server.store.nats": {"attrs", "nats"},
    "tchat_client": {"attrs"},
    "tchat_client.cli": {"attrs", "click", "uvloop"},
    "tchat_client.history": {"attrs", "prompt_toolkit"},
    "tchat_client.keys": {"attrs", "prompt_toolkit"},
    "tchat_client.measure": {"attrs", "wcwidth"},
    "tchat_client.prompt": {"attrs", "prompt_toolkit"},
    "tchat_client.usage": {"attrs", "click"},
    "tchat_client.settings": {"attrs", "platformdirs"},
    CONFORMANCE: set(),
}
ONLY_IN = {"sqlite3": "tchat_server.store.sqlite", "argparse": CONFORMANCE}

ASYNCIO_CALLS = {name for name in dir(asyncio.Protocol) if not name.startswith("_")}

# Where anything at all may be caught: the shell's guards around one connection's items, and what is read for them.
CATCHES_ANYTHING = {
    ("tchat_server.errands", "_answered"),
    ("tchat_server.errands", "job"),
    ("tchat_server.hooks", "_ask"),
    ("tchat_server.hooks", "_run"),
    ("tchat_server.hooks", "_wait"),
    ("tchat_server.net.peer", "guard"),
    ("tchat_server.net.secured", "_open"),
    ("tchat_server.store.sqlite.reader", "_answer"),
}

MAX_LINES = 300
LONG: dict[str, str] = {}


def modules() -> Iterator[tuple[str, Path]]:
    """Go through all modules that are to be looked at: dotted name and file."""
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts), path
    for path in sorted((ROOT / CONFORMANCE).rglob("*.py")):
        parts = path.relative_to(ROOT / CONFORMANCE).with_suffix("").parts
        yield ".".join([CONFORMANCE, *(parts[:-1] if parts[-1] == "__init__" else parts)]), path


MODULES = dict(modules())
TOOLS = {name.split(".")[1] for name in MODULES if name.startswith(CONFORMANCE)}


def faults(module: str, source: str) -> list[str]:
    """Name what is wrong with *source* as the module of this name."""
    tree = ast.parse(source)
    checks = (bad_imports, impure_calls, broad_handlers, private_names, undocumented, length, old_syntax)
    return [fault for check in checks for fault in check(module, tree, source)]


def imported(tree: ast.Module) -> Iterator[str]:
    """Go through the dotted names of everything imported, anywhere in a module, also for type checkers only."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(level=level) if level:
                yield "." * level
            case ast.ImportFrom(module=str(found), names=names):
                modules = [f"{found}.{alias.name}" for alias in names]
                yield from (name if name in MODULES or found in PACKAGES else found for name in modules)


def bad_imports(module: str, tree: ast.Module, _: str) -> Iterator[str]:
    package = next(top for top in (*PACKAGES, CONFORMANCE) if module.startswith(top))
    for name in dict.fromkeys(imported(tree)):
        top = name.partition(".")[0]
        if not top:
            yield "imports relatively"
        elif top in PACKAGES and (reason := bad_inside(module, package, name)):
            yield f"imports {name}: {reason}"
        elif package == CONFORMANCE and top in TOOLS:
            continue
        elif top in sys.stdlib_module_names:
            if is_pure(module) and top not in PURE and (module, top) not in LAZY:
                yield f"imports {name}: not pure"
            if not module.startswith(ONLY_IN.get(top, "")):
                yield f"imports {name}: belongs in {ONLY_IN[top]}"
        elif top not in PACKAGES:
            places = [place for place in OUTSIDE if f"{module}.".startswith(f"{place}.")]
            if top not in OUTSIDE[max(places, key=len)]:
                yield f"imports {name}: not allowed here"


def bad_inside(module: str, package: str, name: str) -> str | None:
    """Say why *module* may not import *name* of ours, a module or what is in one; None if it may."""
    top = name.partition(".")[0]
    if package == CONFORMANCE:
        return "the tester imports nothing of ours"
    if top != package:
        return None if top == "libtchat" else "above the library" if package == "libtchat" else "a sibling"
    here, there = (module if "." in module else f"{module}.__init__").split("."), name.split(".")
    shared = next((n for n, (a, b) in enumerate(zip(here, there, strict=False)) if a != b), len(there))
    if shared == len(there):
        return None  # the room it stands in
    mine, other = (".".join(path[: shared + 1]) for path in (here, there))
    for place in (mine, other):
        if place not in STOREY:
            return f"{place} has no storey: put it into STOREYS"
    if STOREY[other] < STOREY[mine]:
        return None
    return "a sibling" if STOREY[other] == STOREY[mine] else "above it"


def is_pure(module: str) -> bool:
    return any(f"{module}.".startswith(f"{pure}.") for pure in PURE_MODULES)


def impure_calls(module: str, tree: ast.Module, _: str) -> Iterator[str]:
    if not is_pure(module):
        return
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in IMPURE_CALLS:
                yield f"calls {name}"


def broad_handlers(module: str, tree: ast.Module, _: str) -> Iterator[str]:
    """Find `except Exception`, and whatever else catches all and does not raise it again."""
    for function, node in within_functions(tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        caught = {name.id for name in ast.walk(node.type or ast.Name("BaseException")) if isinstance(name, ast.Name)}
        match node.body[-1]:
            case ast.Raise(exc=None) if caught == {"BaseException"} and node.type is not None:
                continue  # puts something right on the way out, whatever the reason
        if caught & {"Exception", "BaseException"} and (module, function) not in CATCHES_ANYTHING:
            yield f"catches everything in {function}"


def within_functions(tree: ast.AST, function: str = "") -> Iterator[tuple[str, ast.AST]]:
    for node in ast.iter_child_nodes(tree):
        yield function, node
        inner = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else function
        yield from within_functions(node, inner)


def private_names(_: str, tree: ast.Module, __: str) -> Iterator[str]:
    """Find names that another module keeps to itself."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(found), names=names) if found != "__future__":
                yield from (f"imports {found}.{a.name}: private" for a in names if a.name.startswith("_"))


def undocumented(module: str, tree: ast.Module, _: str) -> Iterator[str]:
    """Find public names without docstring. The tester is a program and no library: its methods need none."""
    if not ast.get_docstring(tree):
        yield "has no docstring"
    for name, node in public(tree):
        if not ast.get_docstring(node) and not ("." in name and module.startswith(CONFORMANCE)):
            yield f"{name} has no docstring"


def public(tree: ast.Module | ast.ClassDef, inside: str = "") -> Iterator[tuple[str, Definition]]:
    """Go through public classes, functions and methods, but for what a Protocol leaves open and asyncio names."""
    for node in tree.body:
        if isinstance(node, Definition) and not node.name.startswith("_") and node.name not in ASYNCIO_CALLS:
            is_test = node.name.startswith("test_")  # the name is the sentence
            if not is_test and not (inside and ast.unparse(node.body[-1]) == "..."):
                yield inside + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node, f"{inside}{node.name}.")


def length(module: str, _: ast.Module, source: str) -> Iterator[str]:
    lines = source.count("\n")
    if lines > MAX_LINES and module not in LONG:
        yield f"has {lines} lines: which second room moved in? If none did, name it in LONG with the reason"
    if lines <= MAX_LINES and module in LONG:
        yield "is not long any more: take it out of LONG"


def old_syntax(module: str, tree: ast.Module, source: str) -> Iterator[str]:
    """The tester runs on Python 3.9."""
    if not module.startswith(CONFORMANCE):
        return
    try:
        ast.parse(source, feature_version=(3, 9))
    except SyntaxError as error:
        yield f"is too new: {error.msg}"
    if "from __future__ import annotations" not in source:
        yield "evaluates its annotations"


@pytest.mark.parametrize("module", MODULES)
def test_the_walls_stand(module: str) -> None:
    assert faults(module, MODULES[module].read_text("utf-8")) == []


def test_every_module_is_looked_at() -> None:
    rooms = {".".join(path[: n + 1]) for path in (name.split(".") for name in MODULES) for n in range(1, len(path))}
    ours = {room for room in rooms if not room.startswith(CONFORMANCE) and not room.endswith("__init__")}
    assert set(STOREY) - {"libtchat.__init__", "tchat_server.__init__"} == ours
    assert set(LONG) <= set(MODULES)
    for package in PACKAGES:
        assert len([name for name in MODULES if name.startswith(package)]) > 1
        assert (ROOT / package / "py.typed").exists()


def test_the_tester_is_a_directory_and_no_package() -> None:
    assert not (ROOT / CONFORMANCE / "__init__.py").exists()
    assert {"__main__"} < TOOLS
    others = {path.stem for path in (ROOT / "tests" / "support").glob("*.py")} | sys.stdlib_module_names
    assert not (TOOLS - {"__main__"}) & others


LONG_SOURCE = '"""Long."""\n' + "X = 1\n" * MAX_LINES

OFFENDERS = [
    # the library
    (
        "libtchat.message.names",
        "from libtchat.message.reply import Error",
        "imports libtchat.message.reply: above it",
    ),
    ("libtchat.message.limits", "import libtchat.message.request", "imports libtchat.message.request: a sibling"),
    ("libtchat.effect", "from libtchat.hub import hub", "imports libtchat.hub.hub: above it"),
    ("libtchat.hub.hub", "from libtchat.mirror import Mirror", "imports libtchat.mirror: a sibling"),
    (
        "libtchat.mirror",
        "from libtchat.hub.hub import Hub",
        "imports libtchat.hub.hub: a sibling",
    ),
    (
        "libtchat.wire.connection",
        "def f():\n    'F.'\n    from libtchat.hub import hub",
        "imports libtchat.hub.hub: above it",
    ),
    (
        "libtchat.group",
        "if x:\n    from libtchat.wire.wording import describe",
        "imports libtchat.wire.wording: above it",
    ),
    ("libtchat.message.event", "from libtchat.message.reply import Error", "imports libtchat.message.reply: above it"),
    (
        "libtchat.group",
        "from libtchat.utils import x",
        "imports libtchat.utils: libtchat.utils has no storey: put it into STOREYS",
    ),
    (
        "libtchat.wire.codec",
        "from tchat_server.store.event_log import Page",
        "imports tchat_server.store.event_log: above the library",
    ),
    ("libtchat.wire.codec", "from . import names", "imports relatively"),
    ("libtchat.hub.hub", "from libtchat.rules import _ACTOR", "imports libtchat.rules._ACTOR: private"),
    *(
        ("libtchat.hub.hub", f"import {name}", f"imports {name}: not pure")
        for name in ("asyncio", "socket", "ssl", "sqlite3", "time", "random", "secrets", "logging", "threading", "os")
    ),
    ("libtchat.hub.hub", "from time import monotonic", "imports time: not pure"),
    ("libtchat.hub.hub", "import cattrs", "imports cattrs: not allowed here"),
    ("libtchat.wire.codec", "import orjson", "imports orjson: not allowed here"),
    ("libtchat.hub.hub", "import click", "imports click: not allowed here"),
    ("libtchat.hub.hub", "T = datetime.now()", "calls now"),
    ("libtchat.hub.hub", "print(1)", "calls print"),
    ("libtchat.hub.hub", "M = __import__('os')", "calls __import__"),
    # the shells
    ("tchat_server.server", "import tchat_client.link", "imports tchat_client.link: a sibling"),
    ("tchat_client.link", "from tchat_server import cli", "imports tchat_server.cli: a sibling"),
    ("tchat_server.server", "import sqlite3", "imports sqlite3: belongs in tchat_server.store.sqlite"),
    ("tchat_server.server", "import click", "imports click: not allowed here"),
    ("tchat_client.cli", "import argparse", "imports argparse: belongs in spec/conformance"),
    ("tchat_client.link", "from prompt_toolkit import PromptSession", "imports prompt_toolkit: not allowed here"),
    ("tchat_client.render", "import os", "imports os: not pure"),
    # the tester
    (f"{CONFORMANCE}.wire", "import attrs", "imports attrs: not allowed here"),
    (
        f"{CONFORMANCE}.wire",
        "from libtchat.wire import codec",
        "imports libtchat.wire.codec: the tester imports nothing of ours",
    ),
    (f"{CONFORMANCE}.wire", "import tests.harness", "imports tests.harness: not allowed here"),
    (
        f"{CONFORMANCE}.wire",
        "match x:\n    case 1: pass",
        "is too new: Pattern matching is only supported in Python 3.10 and greater",
    ),
    (f"{CONFORMANCE}.wire", "X = 1", "evaluates its annotations"),
    # every module
    ("libtchat.hub.hub", "def f():\n    'F.'\n    try: g()\n    except Exception: pass", "catches everything in f"),
    ("libtchat.hub.hub", "try: g()\nexcept (ValueError, Exception): raise", "catches everything in "),
    ("libtchat.hub.hub", "try: g()\nexcept: pass", "catches everything in "),
    ("libtchat.hub.hub", "try: g()\nexcept BaseException: h()", "catches everything in "),
    (
        "tchat_server.server",
        "def lost():\n    'L.'\n    try: g()\n    except Exception: pass",
        "catches everything in lost",
    ),
    ("libtchat.hub.hub", "def f(): pass", "f has no docstring"),
    ("libtchat.hub.hub", "async def f(): pass", "f has no docstring"),
    ("libtchat.hub.hub", "class C: 'C.'\nclass D:\n    'D.'\n    def m(self): pass", "D.m has no docstring"),
    ("libtchat.hub.hub", "class C: pass", "C has no docstring"),
]


@pytest.mark.parametrize(("module", "source", "fault"), OFFENDERS)
def test_a_broken_wall_is_seen(module: str, source: str, fault: str) -> None:
    future = "from __future__ import annotations\n" if module.startswith(CONFORMANCE) and source != "X = 1" else ""
    found = faults(module, f'"""A module."""\n{future}{source}\n')
    assert [one for one in found if "LONG" not in one][:1] == [fault]


def test_a_module_without_docstring_is_seen() -> None:
    assert faults("libtchat.message.names", "X = 1\n") == ["has no docstring"]


def test_a_long_module_is_seen_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert faults("libtchat.message.names", LONG_SOURCE)[0].startswith(f"has {MAX_LINES + 1} lines")
    monkeypatch.setitem(LONG, "libtchat.message.names", "a reason")
    assert faults("libtchat.message.names", LONG_SOURCE) == []
    assert faults("libtchat.message.names", '"""Short."""\n') == ["is not long any more: take it out of LONG"]


def test_what_raises_again_may_catch_everything() -> None:
    source = '"""A module."""\ntry:\n    g()\nexcept BaseException:\n    h()\n    raise\n'
    assert faults("libtchat.message.names", source) == []


def test_no_limit_is_one_that_nothing_reads() -> None:
    others = dict(MODULES)
    defaults = others.pop("libtchat.message.limits").read_text("utf-8").partition("class ServerLimits")[2]
    sources = "".join([defaults, *(path.read_text("utf-8") for path in others.values())])
    assert [it.name for it in fields(ServerLimits) if not re.search(rf"limits\.{it.name}\b", sources)] == []
    constants = [name for name in limits.__all__ if name.startswith("MAX_")]
    assert [name for name in constants if not re.search(rf"\b{name}\b", sources)] == []


def test_limits_are_shown_as_far_as_they_differ() -> None:
    assert repr(limits.DEFAULT_LIMITS) == "ServerLimits()"
    assert repr(ServerLimits(max_members=3, requests_per_second=0.0)) == (
        "ServerLimits(max_members=3, requests_per_second=0.0)"
    )
