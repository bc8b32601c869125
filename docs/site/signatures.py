"""For the site's reference: the arguments of classes whose `__init__` is made at run time, by attrs or as a tuple."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

from griffe import Class, Extension, Function, Parameter, ParameterKind, Parameters

__all__ = ["Signatures"]

KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: ParameterKind.positional_only,
    inspect.Parameter.POSITIONAL_OR_KEYWORD: ParameterKind.positional_or_keyword,
    inspect.Parameter.VAR_POSITIONAL: ParameterKind.var_positional,
    inspect.Parameter.KEYWORD_ONLY: ParameterKind.keyword_only,
    inspect.Parameter.VAR_KEYWORD: ParameterKind.var_keyword,
}


class Signatures(Extension):
    """Give each class that has fields and no `__init__` in its source the one it has when it runs."""

    def on_class_members(self, *, cls: Class, **_: Any) -> None:
        if "__init__" in cls.members or not cls.decorators:
            return
        found = getattr(import_module(cls.module.path), cls.name, None)
        if found is None:
            return
        wanted = [Parameter("self", kind=ParameterKind.positional_or_keyword)]
        for it in inspect.signature(found).parameters.values():
            field = cls.members.get(it.name) or cls.members.get(f"_{it.name}")
            annotation = getattr(field, "annotation", None) or str(it.annotation)
            default = None if it.default is it.empty else shown(it.default)
            wanted.append(Parameter(it.name, annotation=annotation, kind=KINDS[it.kind], default=default))
        cls.set_member("__init__", Function("__init__", parameters=Parameters(*wanted), parent=cls))


def shown(default: object) -> str:
    """Return how a default is written; one that is made anew each time, or is long, is `...`."""
    text = repr(default)
    return text if len(text) < 40 and "<" not in text and "NOTHING" not in text else "..."
