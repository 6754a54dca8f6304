"""Sections on the question and on who is analysed: protocol, flow, Table 1."""

import math

from posology.domain.codes import Names, display_names
from posology.domain.study import Outcome, Study
from posology.evaluation.arms.baseline import MEAN, SHARE, ArmCell, BaselineRow
from posology.evaluation.effects.effect_study import EffectStudy
from posology.report.effects.content import EffectContent, Fold, Section, SectionTable
from posology.report.text import format_number

MAX_BASELINE = 12
"""Rows of Table 1 that are not folded; our choice."""
_DECISIONS = {
    "first": "the first",
    "every": "every",
    "interval": "from the first on, at even intervals:",
    "sequential": "a sequence of trials of those who used no option yet, one at each",
}
_OUTCOMES = {
    "occurs": "good if it occurs",
    "does_not_occur": "good if it does not occur",
    "value_in_range": "good if its first value is in range",
    "change": "good if its first value has changed as required",
    "time_to_event": "time without it",
}
_DEMOGRAPHIC = ("age", "sex", "female", "male", "race", "ethnicity")


def question(content: EffectContent, comparator: str) -> Section:
    """The protocol of the trial, as the study file states it, and the flow to the analysis."""
    study = content.study
    return Section(
        id="trial",
        short_title="Question",
        title="Which question, in whom?",
        paragraphs=(),
        flow=content.flow,
        folds=(
            Fold(
                "The protocol, from the study file",
                tables=(SectionTable("", (), _protocol(study, content.unit, comparator)),),
            ),
        ),
    )


def _protocol(study: Study, unit: str, comparator: str) -> tuple[tuple[str, str], ...]:
    assignment, decision, names = study.assignment, study.decision, study.names
    eligibility = [
        *([display_names(decision.eligible, names)] if decision.eligible else []),
        *([f"no {display_names(decision.excluded, names)}"] if decision.excluded else []),
        *(f"{display_names(r.codes, names)} in range" for r in decision.ranges),
    ]
    assigned = "randomised" if assignment.randomised else "chosen by clinicians"
    return (
        ("Eligibility", "; ".join(eligibility) or "every patient with a time zero"),
        ("Time zero", f"{_DECISIONS[decision.which]} {display_names(decision.codes, names)}"),
        ("Options", "; ".join(t.title for t in study.formulary.treatments)),
        ("Treatment", f"started within {assignment.grace_days:g} days of time zero; {assigned}"),
        *_landmark(study),
        ("Reference", comparator),
        ("Rules compared", "; ".join(rule.name for rule in study.rules) or "none"),
        ("Outcome", _outcome(study.outcome, names)),
        ("Measure", f"difference in means over the analysis population, in {unit}"),
        ("Intended use", study.purpose),
        ("Not intended for", study.not_for),
    )


def _landmark(study: Study) -> tuple[tuple[str, str], ...]:
    days = study.assignment.landmark_days
    return (("Landmark", f"outcomes count from day {days:g} on"),) if days else ()


def _outcome(outcome: Outcome, names: Names) -> str:
    window = f"day {outcome.from_days:g} to {outcome.within_days:g}"
    unless = f"; not good after {display_names(outcome.unless, names)}" if outcome.unless else ""
    kind = _OUTCOMES.get(outcome.kind, outcome.kind)
    return f"{display_names(outcome.codes, names)}, {window}: {kind}{unless}"


def baseline(content: EffectContent) -> Section:
    """Table 1 by arm."""
    raw, results = content.raw, content.results
    options = [option.name for option in results.verdict.overlap.options]
    after = _largest_after(results)
    rows = sorted(raw.baseline, key=_importance)
    arms = [
        _unbroken(f"{name}, n = {cell.total:,}")
        for name, cell in zip(options, rows[0].cells if rows else (), strict=False)
    ]
    heads = ("", *arms, "Difference", *(("weighted",) if after else ()))
    caption = (
        f"Table 1. The analysis population at time zero: {_population(content)}. n/N (%), mean "
        "(SD), or median (quartiles) where skewed; how many are known, if not all. Difference: "
        "largest standardised mean difference between two options; below 0.1 is usually called "
        "balanced (Austin 2009)" + ("; weighted by inverse propensity beside it." if after else ".")
    )
    shown, others = rows[:MAX_BASELINE], rows[MAX_BASELINE:]

    def table(part: list[BaselineRow], text: str) -> SectionTable:
        lines = tuple(_baseline_row(row, after) for row in part)
        return SectionTable(text, heads, lines, wraps=True)

    folds = ()
    if others:
        summary = f"The other {len(others):,} covariates, largest differences first"
        folds = (Fold(summary, tables=(table(others, "Table 1, continued."),)),)
    return Section(
        id="patients",
        short_title="Patients",
        title="Who received which option?",
        paragraphs=(_describe_balance(results, after, content.study.assignment.randomised),),
        tables=(table(shown, caption),),
        folds=folds,
    )


def _population(content: EffectContent) -> str:
    raw, total = content.raw, content.results.verdict.overlap.total
    part = "" if raw.decisions == total.decisions else f" of {total.decisions:,}"
    if raw.decisions == raw.patients:
        return f"{raw.patients:,}{part} patients"
    return f"{raw.decisions:,}{part} decisions of {raw.patients:,} patients"


def _importance(row: BaselineRow) -> tuple[int, float]:
    """Age and sex first, then by difference; how often or whether something was recorded last."""
    name = row.covariate.lower()
    is_demographic = any(name.startswith(word) for word in _DEMOGRAPHIC)
    is_about_records = name.endswith((": ever recorded", ", times recorded"))
    difference = row.difference if not math.isnan(row.difference) else 0.0
    return (0 if is_demographic else 2 if is_about_records else 1, -difference)


def _largest_after(results: EffectStudy) -> dict[str, float]:
    """Largest absolute difference of each covariate after weighting."""
    after: dict[str, float] = {}
    for row in results.balance:
        if not math.isnan(row.after):
            after[row.covariate] = max(after.get(row.covariate, 0.0), abs(row.after))
    return after


def _baseline_row(row: BaselineRow, after: dict[str, float]) -> tuple[str, ...]:
    difference = f"{row.difference:.2f}" if not math.isnan(row.difference) else ""
    weighted = after.get(row.covariate)
    cells = (_unbroken(_cell(cell, row.kind)) for cell in row.cells)
    last = ("" if weighted is None else f"{weighted:.2f}",) if after else ()
    return (row.covariate, *cells, difference, *last)


def _unbroken(text: str) -> str:
    """A cell whose lines break only before a bracket or the number known."""
    for joined in (" %", " to ", " = "):
        text = text.replace(joined, joined.replace(" ", "\u00a0"))
    return text


def _cell(cell: ArmCell, kind: str) -> str:
    if not cell.known:
        return "not known" if cell.total else "none"
    if kind == SHARE:
        return f"{cell.mean * cell.known:,.0f}/{cell.known:,} ({100 * cell.mean:.1f} %)"
    if kind == MEAN:
        text = f"{format_number(cell.mean)} ({format_number(cell.deviation)})"
    else:
        quartiles = f"{format_number(cell.lower)} to {format_number(cell.upper)}"
        text = f"{format_number(cell.median)} ({quartiles})"
    return text if cell.known == cell.total else f"{text}, n = {cell.known:,}"


def _describe_balance(results: EffectStudy, after: dict[str, float], is_randomised: bool) -> str:
    if not results.balance:
        return "The analysis population holds patients of fewer than two options."
    before: dict[str, float] = {}
    for row in results.balance:
        if not math.isnan(row.before):
            before[row.covariate] = max(before.get(row.covariate, 0.0), abs(row.before))
    unbalanced = sum(value > 0.1 for value in before.values())
    noun = "covariate" if len(before) == 1 else "covariates"
    verb = "differs" if unbalanced == 1 else "differ"
    text = f"{unbalanced} of {len(before)} {noun} {verb} by more than 0.1 between two options"
    if is_randomised:
        return f"{text}; treatment was randomised, so these differences are due to chance."
    weighted = {name: value for name, value in after.items() if value > 0.1}
    if not weighted:
        return f"{text}; weighted by inverse propensity, none does."
    worst = max(weighted, key=lambda name: weighted[name])
    return (
        f"{text}; weighted by inverse propensity, {len(weighted)} still "
        f"{'does' if len(weighted) == 1 else 'do'}, most of all {worst} ({weighted[worst]:.2f})."
    )
