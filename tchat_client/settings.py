"""What a person configured, and what is kept between runs: the config file, the tokens, the history's place.

Nothing here is worth failing for but a broken config file: a state directory that cannot be written costs a warning.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from attrs import define

from libtchat.message.names import user_key
from tchat_client.address import Address
from tchat_client.errors import Misused
from tchat_client.private import own_directory, own_file, read_own, write_own

__all__ = ["NOTIFY", "State", "parse_duration", "read_config"]

_CONFIG_KEYS: Mapping[str, type] = {
    "server": str,
    "name": str,
    "lang": str,
    "tls": bool,
    "ca": str,
    "password_file": str,
    "plain": bool,
    "all": bool,
    "notify": str,
    "join": list,
}
_TYPES: Mapping[type, str] = {str: '"..."', bool: "true | false", list: '["...", ...]'}
NOTIFY = ("bell", "desktop")
"""How somebody may be told of a mention."""
_MAX_BYTES = 1024 * 1024
_TOKEN = re.compile("[!-~]{1,512}")  # what any server may reasonably give
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def parse_duration(text: str) -> float:
    """Return the seconds of `30`, `30s`, `5m` or `1h`.

    Raises:
        Misused: it is none of these.
    """
    number = text.rstrip("smh")
    try:
        seconds = float(number) * _UNITS[text[len(number) :]]
    except (ValueError, KeyError):
        seconds = -1.0
    if not 0 < seconds < 1e9:
        raise Misused("bad-duration", value=text)
    return seconds


def read_config(path: Path | None) -> dict[str, object]:
    """Return what the TOML file at *path* says; by default the user's own, which need not exist.

    Raises:
        Misused: it cannot be read, is no TOML, or says what this program does not know.
    """
    chosen = path
    if chosen is None:
        from platformdirs import user_config_path

        chosen = user_config_path("tchat") / "config.toml"
        if not chosen.exists():
            return {}
    import tomllib

    try:
        found = tomllib.loads(chosen.read_text("utf-8"))
    except OSError as error:
        raise Misused("bad-config", path=chosen, detail=error.strerror or error) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misused("bad-config", path=chosen, detail=error) from None
    for key, value in found.items():
        kind = _CONFIG_KEYS.get(key)
        if kind is None:
            raise Misused("bad-config.key", path=chosen, setting=key, known=", ".join(_CONFIG_KEYS))
        if type(value) is not kind or (isinstance(value, list) and not all(isinstance(item, str) for item in value)):
            raise Misused("bad-config.type", path=chosen, setting=key, type=_TYPES[kind])
        if key == "notify" and value not in NOTIFY:
            raise Misused("bad-config.type", path=chosen, setting=key, type=" | ".join(map('"{}"'.format, NOTIFY)))
    return found


@define
class State:
    """The state directory: tokens, what was read, and the history, for the owner's eyes only.

    Attributes:
        failure: what went wrong with the last write, None if nothing did.
    """

    directory: Path
    failure: OSError | None = None

    @classmethod
    def of_user(cls) -> State:
        """Return the user's own."""
        from platformdirs import user_state_path

        return cls(user_state_path("tchat"))

    @property
    def tokens_path(self) -> Path:
        """Where tokens are kept."""
        return self.directory / "tokens.json"

    def token(self, name: str, *places: Address) -> str | None:
        """Return the token that *name* was last given at the first of *places*, which are one server, that gave one."""
        content = _content(self.tokens_path)
        for place in places:
            token = _in(content, str(place)).get(user_key(name))
            if isinstance(token, str) and _TOKEN.fullmatch(token):
                return token
        return None

    def keep_token(self, name: str, token: str, *places: Address) -> None:
        """Remember the token for another run, or for one beside this, which may name another one of *places* first."""
        for place in places:
            self._put(self.tokens_path, place, name, token)

    def recall(self, address: Address, name: str) -> Mapping[str, object]:
        """Return what *name* had read at *address*, empty if nothing is known."""
        found = _in(_content(self._reading_path), str(address)).get(user_key(name))
        return found if isinstance(found, dict) else {}

    def remember(self, address: Address, name: str, reading: Mapping[str, object]) -> None:
        """Keep what *name* has read at *address*."""
        self._put(self._reading_path, address, name, reading)

    def _put(self, path: Path, address: Address, name: str, value: object) -> None:
        content = _content(path)
        of_server = _in(content, str(address))
        if of_server.get(user_key(name)) == value:
            return
        content[str(address)] = {**of_server, user_key(name): value}
        try:
            write_own(path, json.dumps(content).encode())
        except OSError as error:
            self.failure = error

    @property
    def _reading_path(self) -> Path:
        return self.directory / "reading.json"

    def history_path(self) -> Path | None:
        """Return the file that typed lines are kept in, made for the owner alone; None if it cannot be written."""
        path = self.directory / "history"
        try:
            own_directory(self.directory)
            os.close(own_file(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND))
        except OSError as error:
            self.failure = error
            return None
        return path


def _content(path: Path) -> dict[str, object]:
    """Return the object in a file; an empty one if there is none."""
    try:
        found = json.loads(read_own(path, _MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _in(content: Mapping[str, object], key: str) -> Mapping[str, object]:
    found = content.get(key)
    return found if isinstance(found, dict) else {}
