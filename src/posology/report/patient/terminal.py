"""A recommendation or a forecast on the terminal."""

from rich import box
from rich.console import Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from posology.advice.form.patient_reading import PatientReading
from posology.domain.codes import display_name
from posology.domain.forecast import Forecast, TimeToEventForecast
from posology.domain.recommendation.ranking import DoseAdvice, Recommendation
from posology.domain.study import Study

CURVE_POINTS = 4
"""Days of a risk curve that are printed; the JSON file has all of them."""


def recommendation_panel(advice: Recommendation, study: Study, digest: str) -> Panel:
    """Options, dose, reasons, unknown facts and the intended use; `digest`: of the model."""
    return _panel(Group(*_recommendation_parts(advice, study)), study, digest)


def reading_lines(reading: PatientReading) -> list[str]:
    """What must be said before the answer: facts not used first, then doubts and assumptions."""
    return [
        *(f"[bold red]{escape(text)}[/]" for text in reading.not_used),
        *(f"[yellow]{escape(text)}[/]" for text in (*reading.beyond, *reading.assumed)),
    ]


def forecast_panel(forecast: Forecast, study: Study, digest: str) -> Panel:
    """One patient's predicted diagnoses, measurements and event times; `digest`: of the model."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
    for title in ("", "when", "expected", "members", "95 % interval"):
        table.add_column(title, overflow="fold")
    for risk in forecast.diagnosis:
        table.add_row(
            escape(risk.name),
            f"in {risk.within_days:g} days",
            f"{risk.probability:.1%}",
            f"{risk.low:.1%} to {risk.high:.1%}",
            "",
        )
    for value in forecast.progression:
        interval = "not known"
        if value.found_low is not None:
            interval = f"{value.found_low:.1f} to {value.found_high:.1f}"
        table.add_row(
            escape(value.name),
            f"day {value.from_days:g} to {value.within_days:g}",
            f"{value.expected:.1f} {escape(value.unit)}".strip(),
            f"{value.low:.1f} to {value.high:.1f}",
            interval,
        )
    for curve in forecast.time_to_event:
        _add_curve(table, curve)
    notes = (
        "[dim]Predictions under usual care, not effects of a treatment. Members: middle 95 % of "
        "the ensemble, whose members share most of the network and so disagree by less than the "
        "prediction error. 95 % interval: contains the value of 95 of 100 such patients.\n"
        f"Not for: {escape(study.not_for)}[/]"
    )
    return _panel(Group(table, notes), study, digest)


def totals_table(rows: list[tuple[str, float, float | None]], count: int) -> Table:
    """The mean prediction of many decisions next to the mean observed value, if it is known.

    Args:
        rows: (target, mean prediction, mean observed value) of each target.
    """
    table = Table("", "mean prediction", "mean observed", title=f"{count:,} decisions")
    for name, predicted, observed in rows:
        table.add_row(
            escape(name), f"{predicted:.4g}", "-" if observed is None else f"{observed:.4g}"
        )
    return table


def _panel(body: Group, study: Study, digest: str) -> Panel:
    return Panel(
        body,
        title=escape(study.title),
        subtitle=f"model {digest[:12]} · decision support, not a device",
    )


def _add_curve(table: Table, curve: TimeToEventForecast) -> None:
    every = max(len(curve.days) // CURVE_POINTS, 1)
    for i in range(every - 1, len(curve.days), every):
        table.add_row(
            escape(curve.name) if i == every - 1 else "",
            f"by day {curve.days[i]:.0f}",
            f"{curve.risk[i]:.1%}",
            f"{curve.low[i]:.1%} to {curve.high[i]:.1%}",
            "",
        )


def _recommendation_parts(advice: Recommendation, study: Study) -> list[str | Table]:
    parts: list[str | Table] = []
    if advice.abstain:
        parts.append(f"[bold yellow]No recommendation.[/] {escape(advice.abstain)}\n")
    parts.append(_options(advice))
    if advice.dose is not None:
        parts.extend(_dose(advice.dose))
    if advice.reasons:
        parts.append(_reasons(advice))
    if len(advice.attention) > 1:
        steps = ", ".join(f"{when} {share:.0%}" for when, share in advice.attention[-8:])
        parts.append(f"Attention: {steps}")
    elif advice.attention:
        parts.append("Attention: 100 % on the static facts, the patient's only step.")
    if advice.unknown:
        parts.append(f"[bold]Unknown for this patient:[/] {_names(advice.unknown, study)}")
    if advice.ignored:
        parts.append(f"[bold]Not known to the model, not used:[/] {_names(advice.ignored, study)}")
    parts.extend(f"[yellow]{escape(warning)}[/]" for warning in advice.warnings)
    parts.append(f"[dim]For: {escape(study.purpose)}\nNot for: {escape(study.not_for)}[/]")
    return parts


def _names(codes: tuple[str, ...], study: Study) -> str:
    return escape(", ".join(display_name(code, study.names) for code in codes))


def _dose(advice: DoseAdvice) -> list[str]:
    lines = [
        f"\n[bold]Dose: {advice.dose:g} {escape(advice.unit)}[/] (model {advice.exact:.1f}; "
        f"95 % of its members between {advice.low:.1f} and {advice.high:.1f})"
    ]
    if advice.needed is not None:
        low, high = advice.needed
        lines.append(
            f"90 % prediction interval of the correct dose: {low:.0f} to {high:.0f} "
            f"{escape(advice.unit)}"
        )
    return lines


def _options(advice: Recommendation) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("option")
    for name in ("P(effective)", "members' 95 %", "dose", "chosen"):
        table.add_column(name, justify="right")
    for option in advice.options:
        dose = "" if option.dose is None else f"{option.dose:g} {option.unit}"
        table.add_row(
            escape(option.title) + ("" if option.allowed else " [red](forbidden)[/]"),
            f"{option.probability:.0%}",
            f"{option.low:.0%} to {option.high:.0%}",
            escape(dose),
            f"{option.chosen:.0%}",
        )
    return table


def _reasons(advice: Recommendation) -> Table:
    first = advice.options[0].title
    table = Table(title="Largest contributions", title_justify="left", box=None, pad_edge=False)
    table.add_column("input")
    table.add_column(f"log-odds of “{escape(first.split(',')[0])}”", justify="right")
    table.add_column("dose", justify="right")
    for reason in advice.reasons:
        dose = "" if reason.dose is None else f"{reason.dose:+.1f}"
        table.add_row(escape(reason.label), f"{reason.log_odds:+.2f}", dose)
    return table
