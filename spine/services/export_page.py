"""An export as one page to read and print: no scripts, no requests, and every value escaped.

The page shows what the JSON holds, in the same words. Its policy forbids whatever would load or run, should a reader's
browser be asked to.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

STYLE: Final = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1f24; margin: 0 auto; max-width: 64rem; padding: 2rem 1.5rem; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .25rem; }
p.verdict { display: inline-block; border: 2px solid currentColor; border-radius: .4rem; padding: .1rem .6rem;
  font-weight: 700; color: #8a4b00; }
p.verdict.VERIFIED { color: #116329; } p.verdict.FAILED { color: #a40e26; }
table { border-collapse: collapse; width: 100%; margin: .25rem 0 1rem; font-size: .87rem; }
th, td { border-bottom: 1px solid #d5dae1; padding: .25rem .5rem .25rem 0; text-align: left; vertical-align: top; }
td { overflow-wrap: break-word; } td:last-child { overflow-wrap: anywhere; }
table.fields th { width: 14rem; font-weight: 500; color: #57606a; }
table.rows th { border-bottom: 2px solid #8c959f; }
pre { background: #f6f8fa; border: 1px solid #d5dae1; border-radius: .3rem; padding: .6rem; font-size: .72rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.none { color: #57606a; }
@media print { body { max-width: none; padding: 0; font-size: 11px; } details { display: none; }
  tr { break-inside: avoid; } h2, h3 { break-after: avoid; } }
"""

HEAD: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
"""

RUN_SECTIONS: Final = frozenset({"bundle", "bundleMissing", "evidence", "proof", "signals"})
EVIDENCE: Final = (
    (
        "Policies evaluated",
        "policies",
        ("policyName", "ruleVersion", "phase", "outcome", "count", "reason", "evaluatedAt"),
    ),
    ("Limits reached", "limits", ("limitName", "level", "breachedValue", "thresholdValue", "unit", "breachedAt")),
    ("Decisions", "decisions", ("decisionType", "outcome", "subjectName", "reason", "decidedAt")),
    ("Incidents", "incidents", ("severity", "category", "title", "triggerName", "createdAt")),
)
STEPS: Final = ("stepIndex", "kind", "skillName", "status", "startedAt", "durationMs", "costUsd", "stepHash")
SIGNALS: Final = ("type", "severity", "summary", "source", "createdAt", "feedback")


def page_of(document: Mapping[str, Any]) -> str:
    """The page of a run's or an incident's document."""
    run, incident = document["run"], document.get("incident")
    title = f"Run of {run['agentName']}" if incident is None else f"Incident: {incident['title']}"
    return "".join((HEAD.format(title=escape(title), style=STYLE), *_body(title, run, incident), "</body>\n</html>\n"))


def _body(title: str, run: Mapping[str, Any], incident: Mapping[str, Any] | None) -> Iterator[str]:
    proof = run["proof"]
    status = str(proof["integrity"]["verificationStatus"])
    yield f"<h1>{escape(title)}</h1>\n<p>Run <code>{escape(run['id'])}</code>, {escape(run['status'])}</p>\n"
    yield f'<p class="verdict {escape(status)}">Record {escape(status)}</p>\n'
    if incident is not None:
        yield f"<h2>Incident</h2>\n{_fields(incident)}"
    yield f"<h2>Run</h2>\n{_fields({name: run[name] for name in run if name not in RUN_SECTIONS})}"
    yield "<h2>Evidence</h2>\n"
    for heading, name, columns in EVIDENCE:
        yield f"<h3>{heading}</h3>\n{_rows(run['evidence'][name]['nodes'], columns)}"
    yield f"<h2>Signals</h2>\n{_rows([_with_feedback(one) for one in run['signals']], SIGNALS)}"
    yield f"<h2>Proof</h2>\n{_fields(proof['integrity'] | {'verifiedAt': proof['verifiedAt']})}"
    yield f"<h3>Steps</h3>\n{_rows(proof['steps'], STEPS)}"
    yield from _payloads(proof["rawLogs"] or ())
    yield _bundle(run["bundle"], run["bundleMissing"])


def _fields(values: Mapping[str, Any]) -> str:
    """A table with a name and a value on each line; objects within are lines of their own."""
    lines = "".join(
        f"<tr><th>{escape(_words(name))}</th><td>{_cell(value)}</td></tr>\n" for name, value in _flat(values)
    )
    return f'<table class="fields">\n{lines}</table>\n'


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name} ")
        else:
            yield above + name, value


def _rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    if not rows:
        return '<p class="none">None.</p>\n'
    heads = "".join(f"<th>{escape(_words(name))}</th>" for name in columns)
    lines = "".join(f"<tr>{''.join(f'<td>{_cell(row[name])}</td>' for name in columns)}</tr>\n" for row in rows)
    return f'<table class="rows">\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{lines}</tbody>\n</table>\n'


def _with_feedback(signal: Mapping[str, Any]) -> Mapping[str, Any]:
    """The signal, with what people did about it in one line for each."""
    done = [
        f"{one['kind']} by {one['actor']['name'] or one['actor']['id'] or one['actor']['kind']} at {one['at']}"
        + (f": {one['reason']}" if one["reason"] else "")
        for one in signal["feedback"]["history"]
    ]
    return {**signal, "feedback": "; ".join(done) or None}


def _payloads(logs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if logs:
        yield "<h3>Payloads</h3>\n"
    for one in logs:
        yield f"<h3>Step {escape(str(one['stepIndex']))}</h3>\n"
        yield _fields({name: one[name] for name in one if name != "stepIndex"})


def _bundle(text: str | None, missing: str | None) -> str:
    if text is None:
        return f"<h3>Proof bundle</h3>\n<p>There is none: {escape(missing or '')}</p>\n"
    said = "Save this text byte for byte as a file, and check it with <code>hoc verify FILE --vkey KEY</code>."
    shown = f"<details><summary>Show it</summary>\n<pre>\n{escape(text)}</pre></details>"
    return f"<h3>Proof bundle</h3>\n<p>{said}</p>\n{shown}\n"


def _words(name: str) -> str:
    """A name as people write it: `startedAt` is `started at`."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)


def _cell(value: object) -> str:
    if value is None or value == []:
        return '<span class="none">-</span>'
    if isinstance(value, bool):
        return "yes" if value else "no"
    return escape(str(value))
