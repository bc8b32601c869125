"""The documentation site: it is built without a warning, every page and every public name has its place in it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import zlib
from collections.abc import Iterator
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("libtchat", "tchat_client", "tchat_server", "tchat_server.testing")

# Who runs the blocks of a page, or holds them equal to what is run.
RUN_BY = {
    "index.md": "project/test_readme.py",
    "accueil.md": "project/test_readme.py",
    "contributing.md": "project/test_tutorials.py",
    "first-chat.md": "project/test_tutorials.py",
    "first-client.md": "project/test_tutorials.py",
    "premier-client.md": "project/test_tutorials.py",
    "deploy.md": "project/test_tutorials.py",
    "sans-io.md": "project/test_tutorials.py",
    "testing-elsewhere.md": "project/test_tutorials.py",
    "client.md": "project/test_client_page.py",
    "embed.md": "project/test_embedding_docs.py",
    "testing.md": "project/test_embedding_docs.py",
    "json.md": "project/test_docs.py",
    "cluster.md": "project/test_cluster_page.py",
    "dialects.md": "project/test_tutorials.py",
    "dialectes.md": "project/test_tutorials.py",
    "teaching.md": "spec/test_conformance_desk.py",
    "enseigner.md": "spec/test_conformance_desk.py",
    "page.md": "page/test_page.py",
}

# What a signature shows that no program need know: of several nodes, of our own programs, or said in the docstring.
INSIDE = {
    *(f"libtchat.cluster.{name}" for name in ("Clustered", "News", "Record", "Relay", "Seat")),
    *("libtchat.hub.operator.Operator", "tchat_server.ops.control.Control"),
    *("tchat_server.net.insider.Insider", "tchat_server.server.Server", "tchat_server.store.sqlite.rows.RowWriter"),
    *("tchat_server.retention.ALL", "tchat_server.store.memory.MEMORY", "tchat_server.store.sqlite.lock.Durability"),
    *("tchat_server.store.sqlite.lock.Lock", "tchat_server.testing.contract.place.Place"),
}


@pytest.fixture(scope="module")
def stage() -> Iterator[Any]:
    sys.path.insert(0, str(ROOT / "docs" / "site"))
    yield import_module("stage")
    sys.path.remove(str(ROOT / "docs" / "site"))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it as `make docs` does, where no other build is."""
    directory = tmp_path_factory.mktemp("site")
    for name in ("docs", "libtchat", "tchat_client", "tchat_server"):
        (directory / name).symlink_to(ROOT / name)
    (directory / "zensical.toml").write_bytes((ROOT / "zensical.toml").read_bytes())
    for command in (
        ["docs/site/stage.py", str(directory / "build" / "pages")],
        ["-m", "zensical", "build", "--strict"],
    ):
        done = subprocess.run(
            [sys.executable, *command], cwd=directory, capture_output=True, text=True, timeout=120, env=os.environ
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stderr
    assert "griffe" not in done.stdout + done.stderr  # a docstring and its signature do not agree
    return directory / "site"


class Links(HTMLParser):
    """What a page links to or loads, and the anchors in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.anchors = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            elif name in ("href", "src") and value:
                (self.links if tag == "a" else self.loaded).add(value)


def test_every_text_is_in_the_navigation(stage: Any) -> None:
    listed = stage.navigation()
    assert len(listed) == len(set(listed))
    pages = {name for name, path in stage.texts().items() if path.parent in (ROOT, ROOT / "docs")}
    assert {"client.md", "security.md", "first-chat.md"} <= pages
    assert sorted(pages - set(listed)) == [], "give it a line in zensical.toml"


def test_what_is_named_and_is_not_there_is_told(stage: Any) -> None:
    with pytest.raises(stage.Missing, match="links to nowhere"):
        stage.linked(ROOT / "README.md", "[here](nowhere.md)")
    assert stage.linked(ROOT / "README.md", "`[here](nowhere.md)`\n\n```md\n[here](nowhere.md)\n```\n")[1] == []


def test_the_blocks_of_every_page_are_run_or_are_output(stage: Any) -> None:
    pages = {name: path for name, path in stage.texts().items() if path.parent in (ROOT, ROOT / "docs")}
    is_code = re.compile(r"^ *```(?!text$)\w", re.MULTILINE)
    with_code = {
        name: path for name, path in pages.items() if path.suffix == ".md" and is_code.search(path.read_text("utf-8"))
    }
    assert sorted(with_code) == sorted(RUN_BY)
    for name, path in with_code.items():
        test = (ROOT / "tests" / RUN_BY[name]).read_text("utf-8")
        assert re.search(rf"\b{path.stem}\b", test), (name, RUN_BY[name])


def test_what_is_indented_is_within_its_list_for_every_reader(stage: Any) -> None:
    """By fewer than four blanks a block is in the list on a forge, and ends it on the site."""
    for name, path in stage.texts().items():
        if path.suffix == ".md":
            assert re.findall(r"^ {1,3}(?:```|- |\d+\. ).*", path.read_text("utf-8"), re.MULTILINE) == [], name


def test_every_public_name_has_its_place_in_the_reference(site: Path) -> None:
    inventory = (site / "objects.inv").read_bytes()
    found = zlib.decompress(inventory.split(b"\n", 4)[4]).decode()
    places = {line.split(" ")[0]: line.split(" ")[3] for line in found.splitlines()}
    for package in PACKAGES:
        names = set(import_module(package).__all__) - {"__version__"}
        assert len(names) > 3
        assert sorted(f"{package}.{name}" for name in names if f"{package}.{name}" not in places) == []


def test_what_a_signature_names_can_be_looked_up(site: Path) -> None:
    """What is on no page has a title and no link; what begins with an underscore is a type variable."""
    text = "".join(path.read_text("utf-8") for path in (site / "api").rglob("*.html"))
    titles = set(re.findall(r'<span title="((?:libtchat|tchat_client|tchat_server)\.[\w.]+)">', text))
    public = {f"{package}.{name}." for package in PACKAGES for name in import_module(package).__all__}
    ours = {title for title in titles if not title.startswith(tuple(public))}  # a field stands with its class
    assert {title for title in ours if title.rpartition(".")[2][0] != "_"} - INSIDE == set()


def test_nothing_is_loaded_from_elsewhere_and_every_link_leads_somewhere(site: Path) -> None:
    pages = {f"/{path.relative_to(site)}": Links(path.read_text("utf-8")) for path in site.rglob("*.html")}
    assert len(pages) > 50
    wrong: list[str] = []
    for name, page in pages.items():
        for link in page.links | page.loaded:
            parts = urlsplit(urljoin(f"http://site{name}", link))
            if parts.netloc != "site":
                wrong += [f"{name}: {link}"] if link in page.loaded else []
                continue
            path = unquote(parts.path) + ("index.html" if parts.path.endswith("/") else "")
            anchors = pages[path].anchors if path in pages else {""}
            if not (site / path[1:]).is_file() or unquote(parts.fragment) not in anchors:
                wrong.append(f"{name}: {link}")
    assert wrong == []
