"""What was learnt, for people and for programs: per command what is sent and seen, and what cannot be shown and why."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from libtchat.dialect.dialect import Dialect
from libtchat.dialect.finding import ServerFinding
from libtchat.dialect.vocabulary import COMMANDS, KINDS
from tchat_client.learn.client import Learnt
from tchat_client.learn.french import Words, english

__all__ = ["of_client", "of_server", "render"]

Report = dict[str, Any]

_WHOSE = {"own": "of who did it", "dest": "of whom it was done to", "": "of the others"}


def of_client(learnt: Learnt) -> Report:
    """Return the report on a client."""
    dialect, requests = learnt.dialect, learnt.requests
    found = {finding.kind: finding for finding in learnt.findings}
    rows = []
    for kind in ("hello", *COMMANDS, "error", "connect", "disconnect"):
        row: dict[str, Any] = {"command": kind}
        if kind in COMMANDS or kind == "hello":
            row["typed"] = requests.typed.get(kind)
            row["sends"] = requests.templates.get(kind)
        if kind != "quit":
            finding = found.get(kind)
            is_own = finding is not None and finding.template is not None and finding.is_specific
            row["shows"] = finding.like if is_own and finding else None
            if learnt.is_from_partner and any(rule.kind == kind for rule in dialect.answers):
                row["shows"] = "what its own server says"
            elif not is_own:
                row["why"] = _why(dialect, finding.deadly if finding else ())
            elif finding and finding.mute:
                whose = " and ".join(_WHOSE[copy] for copy in finding.mute)
                row["why"] = f"in the copy {whose} it shows nothing of it: a notice is shown"
        rows.append(row)
    remarks = [*requests.trouble]
    remarks += ["it needs a terminal"] if learnt.pty else []
    remarks += ["it dies of an action that it does not know"] if learnt.basics.control is None else []
    if dialect.rule("say") is None:
        remarks.append("nothing was found that shows just any text: what has no word of its own is not shown")
    elif learnt.basics.control_keys:
        remarks.append("what it has no word for it shows by its default branch")
    else:
        remarks.append("what it has no word for is a text of 'server', which a user of that name could type as well")
    return {"name": dialect.name, "side": "client", "rows": rows, "remarks": remarks, "fatal": list(dialect.fatal)}


def _why(dialect: Dialect, deadly: tuple[str, ...]) -> str:
    how = "a notice is shown" if dialect.rule("say") else "nothing is shown"
    return (
        f"it dies of {', '.join(deadly[:3])}: {how}"
        if deadly and "unknown" not in dialect.fatal
        else f"no word for it: {how}"
    )


def of_server(finding: ServerFinding) -> Report:
    """Return the report on a server."""
    dialect = finding.dialect
    rows = []
    for kind in ("hello", *COMMANDS, "error", "connect", "disconnect"):
        row: dict[str, Any] = {"command": kind}
        if kind in dialect.requests:
            row["sends"] = dialect.requests[kind]
        templates = {rule.copy or "all": rule.template for rule in dialect.answers if rule.kind == kind}
        row["answers"] = templates or None
        if kind in finding.lacks:
            row["why"] = finding.lacks[kind]
        elif kind in dialect.silent:
            row["why"] = "who asks is not told: an acknowledgement is made up, and says so"
        elif kind in dialect.typed:
            row["why"] = "known by its wording alone, which any user could type: it is shown, never acted on"
        elif not templates:
            row["why"] = "nobody is told"
        rows.append(row)
    remarks = [*finding.remarks, *(f"it dies: {word}" for word in dialect.fatal)]
    if dialect.invite_adds:
        remarks.append("whoever is invited is a member at once")
    return {"name": dialect.name, "side": "server", "rows": rows, "remarks": remarks, "fatal": list(dialect.fatal)}


def render(report: Mapping[str, Any], words: Words = english) -> str:
    """Return *report* as text, in the language of *words*."""
    lines = [f"{report['name']} ({report['side']})"]
    for row in report["rows"]:
        parts = []
        if "typed" in row:
            parts.append(
                f"typed {row['typed']}" if row["typed"] else "" if row["command"] == "hello" else "cannot be typed"
            )
        if row.get("sends"):
            parts.append(f"sends {_short(row['sends'])}" if report["side"] == "client" else "")
        if row.get("shows"):
            parts.append("shows " + row["shows"].replace("\n", " / "))
        if row.get("answers"):
            parts.append("; ".join(f"{copy}: {_short(template)}" for copy, template in row["answers"].items()))
        if row.get("why"):
            parts.append(row["why"])
        lines.append(f"  {row['command']:<10} " + " | ".join(words(part) for part in parts if part))
    lines += ["  " + words(f"note: {remark}") for remark in report["remarks"]]
    can = sum(
        bool(row.get("sends")) for row in report["rows"] if row["command"] in KINDS and KINDS[row["command"]].typed
    )
    lines.append("  " + words(f"{can} of {len(COMMANDS)} commands"))
    return "\n".join(lines)


def _short(template: Any) -> str:
    text = json.dumps(template, ensure_ascii=False)
    return text if len(text) < 160 else text[:157] + "..."
