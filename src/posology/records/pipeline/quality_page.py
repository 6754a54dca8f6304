"""The quality report as one HTML file, without scripts or outside parts."""

import html
from typing import Any

SHOWN = 200
"""Rows of a table on the page, the most frequent first; quality.json has them all (own choice)."""
SECTIONS = (
    ("gaps", "What a study would miss", "Mend these first."),
    ("told", "What each source told", "Before cleaning: events by source and family; how many of "
     "them have no number, and the units they were told in."),
    ("families", "Families", "After cleaning, by the first part of the code. Without value: "
     "neither a number nor a text, as of a diagnosis."),
    ("refused", "Refused", "Rows that are no events, each in refused.parquet with its source, row "
     "and reason; here with the first row and one value."),
    ("repaired", "Repaired", "How many rows each rule of cleaning touched."),
    ("conflicts", "Several values at one moment", "One patient, code, unit and moment with "
     "different numbers: all are kept."),
    ("codes", "Codes", "After cleaning, the most frequent first; quantiles of the numbers in the "
     "units beside them."),
    ("sources", "Ingested", "What lies in the folder; the same content is not read twice."),
)  # fmt: skip
"""Key, heading, and what the reader is looking at."""


def quality_page(report: dict[str, Any], described: dict[str, str | None], name: str) -> str:
    """The report of `quality` as a page. described: what codes mean; name: the folder's."""
    tables = {
        **report,
        "gaps": [{"gap": gap} for gap in report["gaps"]],
        "repaired": report["repairs"],
        "codes": [_code(row, described) for row in report["codes"]],
        "sources": [{"source": s["name"], "rows": s["rows"]} for s in report["sources"]],
    }
    body = "".join(
        f"<h2>{heading}</h2><p>{said}</p>{_table(tables[key])}" for key, heading, said in SECTIONS
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
        f"{totals['codes']:,} codes{span}.{spread} {totals['refused']:,} rows are refused; "
        f"{totals['merged']:,} exact repetitions were merged."
    )


def _code(row: dict[str, Any], described: dict[str, str | None]) -> dict[str, Any]:
    """A code's row with its quantiles in words."""
    quantiles = row["quantiles"]
    return {
        "code": row["code"],
        "meaning": described.get(row["code"]) or "",
        "events": row["events"],
        "patients": row["subjects"],
        "numbers": row["numbers"],
        "without value": row["events"] - max(row["numbers"], row["texts"]),
        "units": sorted(row["units"] or ()),
        "1 / 25 / 50 / 75 / 99 %": " / ".join(f"{value:.4g}" for value in quantiles or ()),
        "first": row["first"],
        "last": row["last"],
    }


def _table(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return "<p>None.</p>"
    names = list(rows[0])
    head = "".join(f"<th scope=col>{html.escape(n.replace('_', ' '))}</th>" for n in names)
    lines = "".join(
        "<tr>" + "".join(_cell(name, row[name]) for name in names) + "</tr>" for row in rows[:SHOWN]
    )
    more = len(rows) - SHOWN
    rest = f"<p>{more:,} more are in quality.json.</p>" if more > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>{rest}"


def _cell(name: str, value: Any) -> str:
    if isinstance(value, int):
        return f"<td class=n>{value:,}</td>"
    if name in ("first", "last"):
        return f"<td class=t>{_day(value or '')}</td>"
    if isinstance(value, list):
        value = ", ".join(str(part) for part in value)
    return f"<td>{html.escape('' if value is None else str(value)[:200])}</td>"


def _day(time: str) -> str:
    return html.escape(time.removesuffix(" 00:00:00"))


PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Quality of {title}</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 2rem; color: #1a1a1a; background: #fff; }}
table {{ border-collapse: collapse; margin: .5rem 0 1.5rem; }}
th, td {{ border-bottom: 1px solid #ccc; padding: .2rem .6rem; text-align: left;
  vertical-align: top; overflow-wrap: break-word; }}
td {{ max-width: 40rem; }}
.n {{ text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }}
.t {{ white-space: nowrap; }}
th {{ background: #f2f2f2; }}
</style></head>
<body><h1>Quality of {title}</h1><p>{totals}</p>{body}</body></html>
"""
