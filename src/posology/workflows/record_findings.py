"""What the records hold of a study, as text for a terminal of 80 columns."""

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text


def coverage_table(rows: list[dict[str, Any]]) -> Table:
    """Decisions by what is known of each outcome, harm and target, and why it is not."""
    columns = ("", "events", "seen", "known", "unknown", "day 0", "after end")
    table = Table(
        *columns,
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        title="Outcomes, harms and predictions: events in the records, then decisions",
    )
    reasons = {"left": "left early", "at_until": "cut at `until`", "unmeasured": "not measured"}
    for row in rows:
        unknown = [f"{row[key]:,} {reason}" for key, reason in reasons.items() if row[key]]
        numbers = (f"{row[key]:,}" for key in ("events", "seen", "known"))
        later = (f"{row[key]:,}" for key in ("day_zero", "after_end"))
        cells = (f"{row['kind']}: {row['name']}", *numbers, "\n".join(unknown) or "-", *later)
        table.add_row(*(Text(cell) for cell in cells))
    return table


def describe_findings(flow: dict[str, Any]) -> Iterator[RenderableType]:
    """Units declared and seen, and a warning of codes that no event has."""
    if flow.get("units"):
        yield Text("\n".join(_units(flow["units"])))
    if flow.get("missing_codes"):
        yield Text("\n".join(_missing_codes(flow["missing_codes"])))


def _missing_codes(rows: list[dict[str, Any]]) -> list[str]:
    """One line for each table and key of the study file."""
    by_place: dict[str, list[str]] = {}
    for row in rows:
        hint = f" (did you mean `{row['nearest']}`?)" if row["nearest"] else ""
        by_place.setdefault(row["place"], []).append(f"`{row['code']}`{hint}")
    lines = [f"  {place}: {', '.join(codes)}" for place, codes in by_place.items()]
    return ["Warning: no event has these codes of the study:", *lines]


def _units(rows: list[dict[str, Any]]) -> list[str]:
    """One line for all units as declared, and one for every other code."""
    distinct = {(row["code"], row["declared"], row["seen"]): row for row in rows}.values()
    others = [row for row in distinct if row["verdict"] != "same"]
    codes = {row["code"] for row in distinct}
    same = len(codes) - len({row["code"] for row in others})
    lines = [f"Units: {same} of {len(codes)} codes are in the unit that the study declares."]
    for row in others:
        seen = f"in `{row['seen']}`, its {row['verdict']}" if row["seen"] else "without a unit"
        lines.append(
            f"  {row['code']}: `{row['declared']}`; {row['numbers']:,} of {row['of']:,} numbers "
            f"are {seen}."
        )
    return lines
