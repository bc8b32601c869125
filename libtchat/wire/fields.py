"""How the fields of a class are read and written: JSON's types exactly, one shape per class, made by cattrs.

Nothing on this wire means anything but what it is: `true` is no 1, `1.0` and `"1"` are no integers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from operator import eq
from typing import Any, get_args, get_origin

from attrs import NOTHING, fields, has, resolve_types
from cattrs import Converter
from cattrs.fns import identity
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from libtchat.message.direct import KEPT, Sent
from libtchat.message.errors import ErrorCode, ProtocolError
from libtchat.message.event import EVENTS, LogEvent, Said
from libtchat.message.limits import MAX_ID_BYTES, MAX_INTEGER, MAX_MSG_BYTES, MAX_REASON_BYTES
from libtchat.message.reply import Error, Groups, Welcome
from libtchat.message.request import REQUESTS, Ban, Kick, ListMessages, ListStates
from libtchat.wire.spelling import FIELDS, read_fields

__all__ = ["FROM", "Shape", "is_text", "shape_of"]

FROM = (("sender", ("from",)),)
"""Where a server message has who caused it, for `read_fields`."""

# Fields that have a default but are always written.
_ALWAYS: Mapping[type[Any], tuple[str, ...]] = {
    Welcome: ("groups", "seqs"),
    Groups: ("private", "mine"),
    Kick: ("reason",),
    Ban: ("reason",),
}

_SIZES = (
    ("msg", MAX_MSG_BYTES, ErrorCode.TOO_LARGE),
    ("reason", MAX_REASON_BYTES, ErrorCode.TOO_LARGE),
    ("id", MAX_ID_BYTES, ErrorCode.BAD_REQUEST),
)

_LOGGED: Mapping[str, type[LogEvent]] = {**EVENTS, **KEPT}


class _Wrong(ValueError):
    """A value is not of the type of its field."""


def _exactly(*types: type) -> Callable[[Any, Any], Any]:
    def read(value: Any, _: Any) -> Any:
        if type(value) in types:
            return value
        raise _Wrong

    return read


def _text(value: Any, _: Any) -> str:
    if type(value) is str:
        return value
    raise _Wrong


def _optional_text(value: Any, _: Any) -> str | None:
    if type(value) is str or value is None:
        return value
    raise _Wrong


def _integer(value: Any, _: Any) -> int:
    if type(value) is int and -MAX_INTEGER <= value <= MAX_INTEGER:
        return value
    raise _Wrong


def _code(value: Any, _: Any) -> str | int:
    return value if type(value) is str else _integer(value, int)


def _event(value: Any, _: Any) -> LogEvent:
    action = value.get("action") if type(value) is dict else None
    kind = _LOGGED.get(action) if type(action) is str else None
    if kind is None:
        raise _Wrong
    read_fields(value, FROM)
    event: LogEvent = shape_of(kind).read(value, True)
    if event.seq < 1 and kind is Sent:
        raise _Wrong
    return event


def _text_event(value: Any, _: Any) -> Said | Sent:
    event = _event(value, None)
    if isinstance(event, Said | Sent):
        return event
    raise _Wrong


def _event_reader(kind: type[LogEvent]) -> Callable[[Any, Any], Any]:
    def read(value: Any, _: Any) -> LogEvent:
        event = _event(value, kind)
        if type(event) is kind:
            return event
        raise _Wrong

    return read


def _is_generic(kind: Any, origin: type[Any]) -> bool:
    return bool(get_origin(kind) is origin)


def _tuple_reader(kind: Any) -> Callable[[Any, Any], Any]:
    read = _converter.get_structure_hook(get_args(kind)[0])

    def read_all(value: Any, _: Any) -> Any:
        if type(value) is not list:
            raise _Wrong
        return tuple([read(item, None) for item in value])

    return read_all


def _mapping_reader(kind: Any) -> Callable[[Any, Any], Any]:
    read = _converter.get_structure_hook(get_args(kind)[1])

    def read_all(value: Any, _: Any) -> Any:
        if type(value) is not dict:
            raise _Wrong
        return {key: read(item, None) for key, item in value.items()}

    return read_all


_converter = Converter(detailed_validation=False)
_converter.register_unstructure_hook_func(lambda kind: not has(kind), identity)  # what no class of ours is, is JSON
_converter.register_structure_hook(str, _text)
_converter.register_structure_hook(bool, _exactly(bool))
_converter.register_structure_hook(int, _integer)
for _kind, _read in (
    (str | None, _optional_text),
    (int | None, _integer),
    (float | None, _exactly(int, float)),
    (str | int | None, _code),
    (LogEvent, _event),
    (Said | Sent, _text_event),
):
    _converter.register_structure_hook_func(partial(eq, _kind), _read)
_converter.register_structure_hook_factory(lambda kind: kind in EVENTS.values(), _event_reader)
_converter.register_structure_hook_factory(lambda kind: _is_generic(kind, tuple), _tuple_reader)
_converter.register_structure_hook_factory(lambda kind: _is_generic(kind, Mapping), _mapping_reader)


class Shape:
    """How one class is read and written; made by cattrs once, on first use."""

    def __init__(self, kind: type[Any]) -> None:
        resolve_types(kind)
        self._attributes = fields(kind)
        names = [attribute.name for attribute in self._attributes]
        self._texts = [a.name for a in self._attributes if str in (a.type, *get_args(a.type))]
        self._structure = make_dict_structure_fn(kind, _converter, _cattrs_detailed_validation=False)
        self.has_sender: bool = "sender" in names
        self.has_text: bool = "msg" in names and kind is not Error
        # fields where null means absent but is no value of the type
        self.has_options: bool = any(a.default is not NOTHING and a.type != str | None for a in self._attributes)
        self.is_page: bool = kind in (ListMessages, ListStates)
        self.spelled: tuple[str, ...] = tuple(name for name in FIELDS if name in names)
        self.spellings: tuple[tuple[str, tuple[str, ...]], ...] = tuple(
            (name, others) for name, others in FIELDS.items() if name in names
        )
        self.sizes: tuple[tuple[str, int, ErrorCode], ...] = tuple(size for size in _SIZES if size[0] in names)
        overrides: dict[str, Any] = {name: override(omit_if_default=False) for name in _ALWAYS.get(kind, ())}
        if self.has_sender and kind not in REQUESTS.values():
            overrides["sender"] = override(omit=True)
        if kind is Error:
            overrides["msg"] = override(omit=True)
        self.write: Callable[[Any], dict[str, Any]] = make_dict_unstructure_fn(
            kind, _converter, _cattrs_omit_if_default=True, **overrides
        )

    def read(self, found: Mapping[str, Any], has_escapes: bool) -> Any:
        """Make the value. *has_escapes*: its texts may hold what only an escape can write.

        Raises:
            ProtocolError: bad-request, with the first field that is missing or wrong.
        """
        if has_escapes:
            for name in self._texts:
                if isinstance(value := found.get(name), str) and not is_text(value):
                    raise ProtocolError(ErrorCode.BAD_REQUEST, f"{name} holds U+0000 or half a character", field=name)
        try:
            return self._structure(found, None)
        except (KeyError, _Wrong):
            raise self._complaint(found) from None

    def _complaint(self, found: Mapping[str, Any]) -> ProtocolError:
        for attribute in self._attributes:
            name = attribute.name
            try:
                _converter.get_structure_hook(attribute.type)(found[name], attribute.type)
            except KeyError:
                if name not in found and attribute.default is NOTHING:
                    return ProtocolError(ErrorCode.BAD_REQUEST, f"{name} is missing", field=name)
            except (_Wrong, ProtocolError):
                return ProtocolError(ErrorCode.BAD_REQUEST, f"{name} is not of the right type", field=name)
        raise AssertionError("a value that cattrs refused has no wrong field")


_shapes: dict[type[Any], Shape] = {}


def shape_of(kind: type[Any]) -> Shape:
    """Return the shape of a message class, made when it is first asked for."""
    shape = _shapes.get(kind)
    if shape is None:
        shape = _shapes[kind] = Shape(kind)
    return shape


def is_text(value: str) -> bool:
    """Tell whether *value* can be written to any peer and stored anywhere."""
    if "\0" in value:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
