"""A recommendation on the terminal."""

from rich.console import Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table

from posology.domain.recommendation import Recommendation
from posology.domain.study import Study


def recommendation_panel(advice: Recommendation, study: Study, digest: str) -> Panel:
    """The question, options, dose, reasons, what was unknown, what the policy is not for."""
    return Panel(
        Group(*_parts(advice, study)),
        title=escape(study.title),
        subtitle=f"model {digest[:12]} · decision support, not a device",
    )


def _parts(advice: Recommendation, study: Study) -> list[str | Table]:
    parts: list[str | Table] = []
    if advice.abstain:
        parts.append(f"[bold yellow]No recommendation.[/] {escape(advice.abstain)}\n")
    parts.append(_options(advice))
    if advice.dose is not None:
        d = advice.dose
        parts.append(
            f"\n[bold]Dose: {d.dose:g} {escape(d.unit)}[/] (model {d.exact:.1f}; "
            f"95 % of its members between {d.low:.1f} and {d.high:.1f})"
        )
        if d.needed is not None:
            low, high = d.needed
            said = f"{low:.0f} to {high:.0f}"
            parts.append(f"Nine in ten patients needed a dose this near to the model's: {said}.")
    if advice.reasons:
        parts.append(_reasons(advice))
    if len(advice.attention) > 1:
        looked = ", ".join(f"{when} {share:.0%}" for when, share in advice.attention[-8:])
        parts.append(f"Attention: {looked}")
    elif advice.attention:
        parts.append("Attention: 100 % on the static facts, the patient's only step.")
    if advice.unknown:
        parts.append(f"[bold]Unknown for this patient:[/] {escape(', '.join(advice.unknown))}")
    if advice.ignored:
        parts.append(
            f"[bold]Not known to the model, not used:[/] {escape(', '.join(advice.ignored))}"
        )
    parts.extend(f"[yellow]{escape(warning)}[/]" for warning in advice.warnings)
    parts.append(f"[dim]For: {escape(study.purpose)}\nNot for: {escape(study.limits)}[/]")
    return parts


def _options(advice: Recommendation) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("option")
    for name in ("P(right)", "members' 95 %", "dose", "chosen"):
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
    table = Table(title="What mattered most", title_justify="left", box=None, pad_edge=False)
    table.add_column("input")
    table.add_column(f"log-odds of “{escape(first.split(',')[0])}”", justify="right")
    table.add_column("dose", justify="right")
    for reason in advice.reasons:
        dose = "" if reason.dose is None else f"{reason.dose:+.1f}"
        table.add_row(escape(reason.label), f"{reason.log_odds:+.2f}", dose)
    return table
