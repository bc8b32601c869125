"""Make docs/page-*.png: the page in a real browser, in a real, short session.

`python docs/pictures.py` starts a server, lets a few people talk on plain sockets, opens the page as one of them and
takes the pictures: on a desktop, in the dark, in French on a phone, and with the wire. Needs Chromium and Playwright.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent / "tests" / "support"))

from browser import Person, browsing  # noqa: E402
from live import Client, Server, serving  # noqa: E402

__all__ = ["PICTURES", "take"]

PICTURES: Mapping[str, Mapping[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "wire": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 360, "height": 740}, "locale": "fr-FR", "is_mobile": True, "has_touch": True},
}
"""name -> how the browser is set up."""

TALK = {
    "en": (
        ("bob", "hi everybody, has anyone got the framing right?"),
        ("léa", "@camille had it working yesterday"),
        ("bob", "ours stops at a quote inside a string :("),
        ("camille", "count the braces, but not those inside strings; the rule is in the text"),
        (
            "camille",
            'a string ends at the first " that has no \\ before it\nso one flag is enough, and one for the escape',
        ),
        ("bob", "ah. so simple. see https://www.rfc-editor.org/rfc/rfc8259#section-7"),
        ("dora", "thanks, camille! ours passes 84 of 84 now"),
        ("léa", "next: what happens when the server is killed?"),
    ),
    "fr": (
        ("bob", "salut ! quelqu'un a réussi le découpage des trames ?"),
        ("léa", "@camille, chez toi ça marchait hier"),
        ("bob", "le nôtre s'arrête à un guillemet dans une chaîne :("),
        ("camille", "compte les accolades, mais pas celles des chaînes ; la règle est dans le texte"),
        ("bob", "ah. tout simple. voir https://www.rfc-editor.org/rfc/rfc8259#section-7"),
        ("dora", "merci camille ! le nôtre passe tous les cas"),
    ),
}
"""language -> who says what in the group."""


def take(directory: Path) -> None:
    """Play the session once for each picture and write page-NAME.png into *directory*."""
    with browsing() as browser:
        for name, options in PICTURES.items():
            with (
                tempfile.TemporaryDirectory(prefix="tchat-", ignore_cleanup_errors=True) as made,
                serving(Path(made)) as server,
            ):
                person = Person(browser, server, **options)
                _play(person, server, "fr" if options.get("locale") == "fr-FR" else "en")
                if name == "wire":
                    person.page.click("#show-wire")
                    person.type("it keeps everything that was acknowledged")
                    person.sees("it keeps everything")
                    person.type("invite;;nobody")
                person.page.wait_for_timeout(300)
                person.page.screenshot(path=directory / f"page-{name}.png")
                person.close()


def _play(person: Person, server: Server, language: str = "en") -> None:
    others = {name: server.client(name) for name in ("bob", "léa", "dora")}
    bob, lea, dora = others.values()
    lea.ask(action="cgroupe", group="cinema")
    lea.ask(action="cgroupe", group="projet-5", private=True)
    person.enter("camille")
    person.type("cg;wob")
    person.is_in("wob")
    for name, client in others.items():
        client.ask(action="join", group="wob")
        person.sees(f"{name} ")
    lea.send(action="invite", group="projet-5", dest="camille")
    for name, text in TALK[language]:
        if name == "camille":
            person.type(text)
        else:
            others[name].send(action="gbroadcast", group="wob", msg=text)
        person.sees(text.splitlines()[0])
    _quiet(bob, dora)
    person.type("j;cinema")
    person.is_in("cinema")
    for text in ("tonight at eight?", "camille, you bring the popcorn"):
        lea.send(action="gbroadcast", group="cinema", msg=text)
        person.sees(text)
    person.opens("wob")
    for text in ("who else comes tonight?", "not me, sorry", "camille?"):
        lea.send(action="gbroadcast", group="cinema", msg=text)
    bob.send(action="client-send", to="camille", msg="may I see your tests?")
    person.page.locator("#list .badge").nth(2).wait_for(state="attached")


def _quiet(*clients: Client) -> None:
    for client in clients:
        client.sync()


if __name__ == "__main__":
    take(DOCS)
