"""A forecast on the terminal."""

from rich import box
from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from posology.advice.amounts import decimals_of
from posology.advice.form.patient_reading import PatientReading
from posology.domain.forecast import Forecast, TimeToEventForecast
from posology.domain.study import Study

CURVE_POINTS = 4
"""Days of a risk curve that are printed; the JSON file has all of them."""


def reading_lines(reading: PatientReading) -> list[Text]:
    """What must be said before a forecast: facts not used first, then doubts and assumptions."""
    return [
        *(Text(text, "bold red") for text in reading.not_used),
        *(Text(text, "yellow") for text in (*reading.beyond, *reading.assumed)),
    ]


def forecast_panel(forecast: Forecast, study: Study, digest: str) -> Panel:
    """One patient's predicted diagnoses, measurements and event times; `digest`: of the model."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for title in ("", "when", "expected", "95 % interval"):
        table.add_column(title, overflow="fold")
    for risk in forecast.diagnosis:
        table.add_row(
            risk.name,
            f"in {risk.within_days:g} days",
            f"{risk.probability:.1%}",
            "",
        )
    for value in forecast.progression:
        interval, digits = "not known", max(1, decimals_of(abs(value.expected)))
        if value.low is not None and value.high is not None:
            digits = max(1, decimals_of(value.high - value.low))
            interval = f"{value.low:.{digits}f} to {value.high:.{digits}f}"
        table.add_row(
            value.name,
            f"day {value.from_days:g} to {value.within_days:g}",
            f"{value.expected:.{digits}f} {value.unit}".strip(),
            interval,
        )
    for curve in forecast.time_to_event:
        _add_curve(table, curve)
    notes = Text(
        "Predictions under usual care, not effects of a treatment. 95 % interval: contains "
        "the value of 95 of 100 such patients.\n"
        f"Not for: {study.not_for}",
        "dim",
    )
    return _panel(Group(table, notes), study.title, digest)


def totals_table(rows: list[tuple[str, float, float | None]], count: int) -> Table:
    """The mean prediction of many decisions next to the mean observed value, if it is known.

    Args:
        rows: (target, mean prediction, mean observed value) of each target.
    """
    table = Table("", "mean prediction", "mean observed", title=f"{count:,} decisions")
    for name, predicted, observed in rows:
        table.add_row(name, f"{predicted:.4g}", "-" if observed is None else f"{observed:.4g}")
    return table


def _panel(body: Group, title: str, digest: str) -> Panel:
    return Panel(
        body,
        title=Text(title),
        subtitle=f"model {digest[:12]} · decision support, not a device",
    )


def _add_curve(table: Table, curve: TimeToEventForecast) -> None:
    every = max(len(curve.days) // CURVE_POINTS, 1)
    for i in range(every - 1, len(curve.days), every):
        table.add_row(
            curve.name if i == every - 1 else "",
            f"by day {curve.days[i]:.0f}",
            f"{curve.risk[i]:.1%}",
            "",
        )
