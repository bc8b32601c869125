"""Verdicts as one self-contained HTML page: no script, no font, no image from elsewhere."""

from __future__ import annotations

import html

from cases.path import part_of
from cases.rules import Text
from words import language, say

from report.cause import group
from report.outcome import Outcome, Verdict
from report.score import Part, conforms, next_step, parts, summary
from report.text import plain, title

__all__ = ["document", "of_verdict"]

_ORDER = ("failed", "waiting", "skipped", "passed")
_CLASSES = {"failed": "fail", "waiting": "skip", "skipped": "skip", "passed": "pass"}
STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --paper: #f6f7f9; --card: #fff; --line: #dde2e8;
  --good: #1a7f4b; --bad: #b3261e; --warn: #8a6100; --code: #eef1f5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e5e9ef; --soft: #9aa6b5; --paper: #14181e; --card: #1c222a;
  --line: #313a46; --good: #54c98a; --bad: #ff8a80; --warn: #e6b450; --code: #12161b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p.about { color: var(--soft); margin: 0 0 1.5rem; }
.verdict { border-left: .4rem solid var(--good); background: var(--card); padding: 1rem 1.25rem; border-radius: .4rem; }
.verdict.bad { border-color: var(--bad); } .verdict strong { font-size: 1.2rem; }
.topics { display: grid; grid-template-columns: repeat(auto-fill, minmax(10rem, 1fr)); gap: .6rem; margin: 1.25rem 0; }
.topics a { background: var(--card); border: 1px solid var(--line); border-radius: .4rem; padding: .6rem .8rem;
  color: inherit; text-decoration: none; }
.topics b { display: block; } .bar { height: .35rem; border-radius: 1rem; background: var(--bad); margin-top: .4rem; }
.bar i { display: block; height: 100%; border-radius: 1rem; background: var(--good); }
details { background: var(--card); border: 1px solid var(--line); border-radius: .4rem; margin: .35rem 0; }
summary { cursor: pointer; padding: .45rem .8rem; } details > div { padding: 0 .8rem .8rem; }
.tag { display: inline-block; min-width: 4.2rem; font-size: .75rem; font-weight: 700; }
.pass .tag { color: var(--good); } .fail .tag { color: var(--bad); } .should .tag, .skip .tag { color: var(--warn); }
code, pre { font: .85rem/1.45 ui-monospace, monospace; } .id { color: var(--soft); font-size: .85rem; }
pre { background: var(--code); padding: .7rem; border-radius: .3rem; overflow-x: auto; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.wrong { color: var(--bad); font-weight: 600; } blockquote { margin: .4rem 0; color: var(--soft); }
table { border-collapse: collapse; background: var(--card); }
th, td { border: 1px solid var(--line); padding: .5rem .8rem; text-align: left; }
td.full { color: var(--good); font-weight: 700; } td.part { color: var(--warn); font-weight: 700; }
td.none { color: var(--bad); font-weight: 700; }
"""


def document(heading: str, about: str, body: str, style: str = "", refresh_seconds: int = 0) -> str:
    """Return a whole page; *heading* and *about* are escaped here, *body* is not."""
    refresh = '<meta http-equiv="refresh" content="%d">' % refresh_seconds if refresh_seconds else ""
    return (
        '<!doctype html>\n<html lang="%s"><head><meta charset="utf-8">%s'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<title>%s</title><style>%s</style></head>\n<body><main><h1>%s</h1><p class="about">%s</p>\n%s\n'
        "</main></body></html>\n"
    ) % (language(), refresh, html.escape(heading), STYLE + style, html.escape(heading), html.escape(about), body)


def of_verdict(subject: str, verdict: Verdict, text: Text, strict: bool) -> str:
    """Return the page of a verdict; *subject* says what was tested."""
    head, _, counts = summary(verdict, strict).partition(" (")
    bad = "" if conforms(verdict, strict) else " bad"
    out = ['<div class="verdict%s"><strong>%s</strong><br>%s' % (bad, head, counts.rstrip(")"))]
    if verdict.trouble:
        out.append('<br><span class="wrong">%s</span>' % html.escape(plain(verdict.trouble, 800)))
    out += ["<br>%s" % html.escape(plain(remark, 400)) for remark in verdict.remarks]
    step = next_step(verdict, group(verdict.outcomes), text)
    out.append("<br>%s</div>" % html.escape(say("next", what=step)) if step else "</div>")
    found = parts(verdict.outcomes)
    out.append('<div class="topics">%s</div>' % "".join(map(_card, found)))
    for part in found:
        some = [one for one in verdict.outcomes if part_of(one.case) == part.number]
        out.append('<h2 id="part-%d">%s</h2>' % (part.number, html.escape(_name(part))))
        out += [_case(outcome, text) for outcome in sorted(some, key=lambda one: _ORDER.index(one.state))]
    about = say("about", n=len(verdict.outcomes), seconds="%.1f" % verdict.seconds)
    return document(say("page-title", subject=subject), about, "\n".join(out))


def _name(part: Part) -> str:
    return say("part", number=part.number, title=say("part-%d" % part.number))


def _card(part: Part) -> str:
    cell = '<a href="#part-%d"><b>%s</b>%d %% · %d/20<div class="bar"><i style="width:%d%%"></i></div></a>'
    return cell % (part.number, html.escape(_name(part)), part.percent, part.grade, part.percent)


def _case(outcome: Outcome, text: Text) -> str:
    case, state = outcome.case, outcome.state
    kind = "should" if state == "failed" and case.level == "SHOULD" else _CLASSES[state]
    rules = [text.rules[cited] for cited in case.cites if cited in text.rules]
    quotes = "".join(
        "<blockquote><code>%s</code> %s <code>%s</code></blockquote>"
        % (rule.id, html.escape(rule.sentence), rule.place)
        for rule in rules
    )
    problem = '<p class="wrong">%s</p>' % html.escape(plain(outcome.problem, 1000)) if outcome.problem else ""
    lines = "\n".join("%-8s %s %s" % (line.peer, line.sign, plain(line.text, 2000)) for line in outcome.lines)
    talk = "<pre>%s</pre>" % html.escape(lines) if lines and outcome.problem else ""
    return (
        '<details class="%s"%s><summary><span class="tag">%s</span> %s <span class="id">%s</span></summary>'
        "<div>%s%s%s</div></details>"
    ) % (
        kind,
        " open" if kind == "fail" else "",
        html.escape(say("state-" + state)),
        html.escape(title(case, text)),
        html.escape(case.id),
        quotes,
        problem,
        talk,
    )
