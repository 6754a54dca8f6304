"""The quality report as one HTML file, without scripts or external resources."""

import html
from typing import Any

from posology.language.numbers import number

MAX_ROWS = 200
"""Most rows of a table on the page; quality.json has all rows (own choice)."""
WRAPPED = ("code", "source", "meaning", "reason", "gap", "field", "pattern")
"""Columns whose texts are broken anywhere, so that the page fits a screen."""
SECTIONS = (
    ("gaps", "What a study would miss", "Fix these first."),
    (
        "source_counts",
        "Sources before cleaning",
        "Events of each source by code family, how many of them have no number, and their units.",
    ),
    (
        "families",
        "Code families",
        "After cleaning; the family is the first part of the code. Without value: neither a "
        "number nor a text, such as a diagnosis.",
    ),
    (
        "rejected",
        "Rejected rows",
        "Each row is in rejected.parquet with its source, row, value and reason; only you can read "
        "that file. Of the first value, the table shows the pattern (a letter is a or A, a digit "
        "9) and the number of characters.",
    ),
    ("repaired", "Repaired rows", "Number of rows that each cleaning rule changed."),
    (
        "conflicts",
        "Several values at one time",
        "Different numbers for one patient, code, unit and time. All are kept.",
    ),
    (
        "codes",
        "Codes",
        "After cleaning, the most frequent first. Ends and quantiles are those of the numbers, in "
        "the units listed: a slip, such as a point that was left out, stands at an end.",
    ),
    ("sources", "Ingested sources", "A source with the same content is not read twice."),
)
"""Key, heading and explanation of each section."""


def quality_page(report: dict[str, Any], described: dict[str, str | None], name: str) -> str:
    """The report of `quality_report` as HTML. described: code descriptions; name: the folder's."""
    tables = {
        **report,
        "gaps": [{"gap": gap} for gap in report["gaps"]],
        "repaired": report["repairs"],
        "codes": [_code(row, described) for row in report["codes"]],
        "sources": [{"source": s["name"], "rows": s["rows"]} for s in report["sources"]],
    }
    body = "".join(
        f"<h2>{heading}</h2><p>{text}</p>{_table(tables[key])}" for key, heading, text in SECTIONS
    )
    title = html.escape(name)
    return PAGE.format(title=title, totals=html.escape(_totals(report)), body=body)


def _totals(report: dict[str, Any]) -> str:
    totals, each = report["totals"], report["events_per_patient"]
    span = ""
    if totals["first"]:
        span = f", from {_day(totals['first'])} to {_day(totals['last'])}"
    spread = ""
    if each["median"] is not None:
        spread = (
            f" Events per patient: median {each['median']:,}, quartiles {each['q25']:,} to "
            f"{each['q75']:,}, from {each['low']:,} to {each['high']:,}."
        )
    return (
        f"{totals['events']:,} events of {totals['subjects']:,} patients with "
        f"{totals['codes']:,} codes{span}.{spread} {totals['rejected']:,} rows are rejected; "
        f"{totals['merged']:,} exact duplicates were merged."
    )


def _code(row: dict[str, Any], described: dict[str, str | None]) -> dict[str, Any]:
    """A row of the table of codes."""
    quantiles, ends = row["quantiles"] or (), (row["low"], row["high"])
    return {
        "code": row["code"],
        "meaning": described.get(row["code"]) or "",
        "events": row["events"],
        "patients": row["subjects"],
        "numbers": row["numbers"],
        "without value": row["events"] - max(row["numbers"], row["texts"]),
        "units": sorted(row["units"] or ()),
        "lowest to highest": " to ".join(number(f"{x:.6g}") for x in ends if x is not None),
        "1 / 25 / 50 / 75 / 99 %": " / ".join(number(f"{x:.4g}") for x in quantiles),
        "first": row["first"],
        "last": row["last"],
    }


def _table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "<p>None.</p>"
    names = list(rows[0])
    head = "".join(f"<th scope=col>{html.escape(n.replace('_', ' '))}</th>" for n in names)
    lines = "".join(
        "<tr>" + "".join(_cell(name, row[name]) for name in names) + "</tr>"
        for row in rows[:MAX_ROWS]
    )
    more = len(rows) - MAX_ROWS
    rest = f"<p>{more:,} more are in quality.json.</p>" if more > 0 else ""
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"
    return f"<div tabindex=0>{table}</div>{rest}"


def _cell(name: str, value: Any) -> str:
    if isinstance(value, int):
        return f"<td class=n>{value:,}</td>"
    if name in ("first", "last"):
        return f"<td class=t>{_day(value or '')}</td>"
    if isinstance(value, list):
        value = ", ".join(str(part) for part in value)
    wraps = " class=w" if name in WRAPPED else ""
    return f"<td{wraps}>{html.escape('' if value is None else str(value)[:200])}</td>"


def _day(time: str) -> str:
    return html.escape(time.removesuffix(" 00:00:00"))


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Quality of {title}</title>
<style>
:root {{ --paper: #fff; --ink: #1a1a1a; --line: #ccc; --head: #f2f2f2; }}
@media screen and (prefers-color-scheme: dark) {{
  :root {{ --paper: #11171d; --ink: #e6ebf0; --line: #33404c; --head: #19222b; }}
}}
body {{ font: 15px/1.4 system-ui, sans-serif; margin: clamp(1rem, 4vw, 2rem); color: var(--ink);
  background: var(--paper); }}
table {{ border-collapse: collapse; margin: .5rem 0 1.5rem; max-width: 100%; }}
th, td {{ border-bottom: 1px solid var(--line); padding: .2rem .5rem; text-align: left;
  vertical-align: top; }}
td {{ max-width: 24rem; }}
.w {{ overflow-wrap: anywhere; min-width: 8rem; }}
div {{ overflow-x: auto; }}
.n {{ text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }}
.t {{ white-space: nowrap; }}
th {{ background: var(--head); }}
</style></head>
<body><main><h1>Quality of {title}</h1><p>{totals}</p>{body}</main></body></html>
"""
