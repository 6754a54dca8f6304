"""The report as one HTML file without script or network."""

from html import escape

from posology import __version__
from posology.conformance.examine import Examination
from posology.conformance.ledger import Finding
from posology.conformance.report.text import VERDICTS, verdict_of

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #17212b; --muted: #556270; --line: #d7dde3;
  --bad: #a8400a; }
@media screen and (prefers-color-scheme: dark) { :root { --paper: #11171d; --ink: #e6ebf0;
  --muted: #9fadba; --line: #33404c; --bad: #ff9a62; } }
body { max-width: 1120px; margin: 0 auto; padding: 28px; background: var(--paper);
  color: var(--ink); font: 16px/1.5 -apple-system, "Segoe UI", Roboto, "Noto Sans",
  "Liberation Sans", Arial, sans-serif; }
h1 { font-size: 27px; line-height: 1.25; text-wrap: balance; } h2 { font-size: 21px; }
p { color: var(--muted); } table { border-collapse: collapse; width: 100%; font-size: 15px; }
th, td { padding: 8px 12px 8px 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
thead th { border-bottom: 1.5px solid var(--ink); } small { color: var(--muted); font-size: 13px; }
.failed b { color: var(--bad); }
"""
_SHOWN = 10
"""Places of a fault on the page; the rest are counted."""


def report_page(examination: Examination) -> str:
    """The HTML of the report; every value is escaped."""
    title = verdict_of(examination)
    about = (
        f"{examination.url}, {examination.at:%Y-%m-%d %H:%M} UTC, {examination.requests} requests "
        f"in {examination.seconds:.1f} s, posology {__version__}, CDS Hooks 2.0. "
        f"Services: {'; '.join(examination.services) or 'none'}."
    )
    sections = "".join(_section(examination, verdict) for verdict in VERDICTS)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1><p>{escape(about)}</p>{sections}</main></body></html>"
    )


def _section(examination: Examination, verdict: str) -> str:
    found = [finding for finding in examination.findings if finding.verdict == verdict]
    if not found:
        return ""
    rows = "".join(_row(finding) for finding in found)
    head = "".join(
        f'<th scope="col">{name}</th>' for name in ("Id", "Level", "Statement", "Source")
    )
    return (
        f'<section class="{verdict.replace(" ", "-")}"><h2>{verdict.capitalize()}: {len(found)}'
        f"</h2><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></section>"
    )


def _row(finding: Finding) -> str:
    statement = finding.statement
    notes = [f"<b>{escape(f.where)}</b>: {escape(f.what)}" for f in finding.faults[:_SHOWN]]
    if len(finding.faults) > _SHOWN:
        notes.append(f"and {len(finding.faults) - _SHOWN} more of {finding.seen}")
    if finding.reason:
        notes.append(escape(finding.reason))
    note = "".join(f"<br><small>{text}</small>" for text in notes)
    return (
        f'<tr><th scope="row">{statement.id}</th><td>{statement.level}</td>'
        f"<td>{escape(statement.about)}{note}</td><td>{escape(statement.source)}</td></tr>"
    )
