"""Predictions on the terminal."""

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from posology.domain.forecast import Forecast
from posology.domain.study import Study

SHOWN = 4
"""Points of a risk curve that are shown; the file has them all."""


def forecast_panel(outlook: Forecast, study: Study, digest: str) -> Panel:
    """One patient's predicted diagnoses, values and times to events."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for title in ("", "when", "expected", "members", "95 of 100"):
        table.add_column(title, overflow="fold")
    for risk in outlook.diagnosis:
        table.add_row(
            escape(risk.name), f"in {risk.within_days:g} days", f"{risk.probability:.1%}",
            f"{risk.low:.1%} to {risk.high:.1%}", "",
        )  # fmt: skip
    for course in outlook.progression:
        found = "not known"
        if course.found_low is not None:
            found = f"{course.found_low:.1f} to {course.found_high:.1f}"
        table.add_row(
            escape(course.name), f"day {course.from_days:g} to {course.within_days:g}",
            f"{course.expected:.1f} {escape(course.unit)}".strip(),
            f"{course.low:.1f} to {course.high:.1f}", found,
        )  # fmt: skip
    for curve in outlook.time_to_event:
        every = max(len(curve.days) // SHOWN, 1)
        for i in range(every - 1, len(curve.days), every):
            table.add_row(
                escape(curve.name) if i == every - 1 else "", f"by day {curve.days[i]:.0f}",
                f"{curve.risk[i]:.1%}", f"{curve.low[i]:.1%} to {curve.high[i]:.1%}", "",
            )  # fmt: skip
    notes = (
        "[dim]Under the care that was usual: these are predictions, not effects of a treatment. "
        "Members: the middle 95 % of the ensemble. They share the sum of what is known, so they "
        "differ by less than one can be wrong. 95 of 100: where so many of such patients' numbers "
        "were.\n"
        f"Not for: {escape(study.limits)}[/]"
    )
    return Panel(
        Group(table, notes),
        title=escape(study.title),
        subtitle=f"model {digest[:12]} · decision support, not a device",
    )


def totals_table(rows: list[tuple[str, float, float | None]], count: int) -> Table:
    """Mean prediction of many decisions next to the observed mean, where that is known."""
    table = Table("", "mean prediction", "mean observed", title=f"{count:,} decisions")
    for name, expected, observed in rows:
        observed_text = "-" if observed is None else f"{observed:.4g}"
        table.add_row(escape(name), f"{expected:.4g}", observed_text)
    return table
