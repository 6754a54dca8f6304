"""The table of options: benefit and each harm side by side, against one reference, on one axis."""

from collections.abc import Callable
from dataclasses import replace

from posology.advice.amounts import difference_as_written
from posology.advice.comparisons import OF_ALL, OF_ALL_BEFORE
from posology.advice.options import GIVES
from posology.domain.recommendation.option import (
    BETTER,
    FORBIDDEN,
    NO_CLEAR_DIFFERENCE,
    NOT_ESTIMATED,
    WORSE,
    Estimate,
    HarmAdvice,
    OptionAdvice,
)
from posology.domain.recommendation.option import REFERENCE as IS_REFERENCE
from posology.domain.recommendation.recommendation import (
    ABSTAINED,
    BETTER_FOR_PATIENT,
    Recommendation,
)
from posology.language.catalogue import deferred, tr
from posology.language.numbers import number
from posology.report.patient import words
from posology.report.patient.content import (
    BAD,
    GOOD,
    NONE,
    QUIET,
    REFERENCE,
    SAME,
    STOP,
    HarmCell,
    OptionRow,
    OptionTable,
    Tag,
)
from posology.report.patient.marks import Axis, axis_svg, common_axis, interval_svg

RANGES = deferred(
    "Each row is a range of doses, not a dose to give: the dose stands below. Figures: how many of "
    "100 patients with facts like these need a dose in that range, by the model, with the 95 % "
    "interval. What another dose would have done is not known, so no row is compared with usual "
    "care."
)
"""Of a study whose outcome is the right dose, and whose options are ranges of it."""
_SIMILAR = deferred(
    "Also: how many of the similar patients had such a dose. They share only a few facts with this "
    "patient, so the two may differ."
)
OF_100 = deferred("of 100")
MOST_HARMS = 5
"""Columns of harms that fit beside the benefit; further ones stand in words under the row."""
_KINDS = {
    BETTER: GOOD,
    WORSE: BAD,
    NO_CLEAR_DIFFERENCE: SAME,
    IS_REFERENCE: REFERENCE,
}
_VERDICTS = {
    GOOD: deferred("better"),
    BAD: deferred("worse"),
    SAME: deferred("no clear difference"),
}
_REFERENCE = deferred("the reference")
_NOT_ESTIMATED = deferred("not estimated")


def option_table(advice: Recommendation) -> OptionTable | None:
    """The table; None where the study has no options to compare."""
    if not advice.options:
        return None
    all_harms = _harm_columns(advice.options)
    columns = all_harms[:MOST_HARMS]
    axis = common_axis([o.difference for o in advice.options if o.difference is not None])
    if all(_says_nothing(option) for option in advice.options):
        return _nothing_estimated(advice)
    rows = tuple(
        _quiet_row(_with_one_usual_care(advice, option), advice.state in ABSTAINED)
        if _is_quiet(option)
        else _row(advice, option, axis, all_harms)
        for option in advice.options
    )
    is_equal = not advice.is_ranked and any(row.kind == SAME for row in rows)
    heading = tr("Options, in no order of merit") if is_equal else tr("Options")
    if is_of_ranges(advice):
        heading = tr("In which range this patient's dose lies")
    return OptionTable(
        heading=heading,
        note=_note(advice, rows),
        goal=words.capitalise(advice.goal),
        goal_unit=advice.unit or tr(OF_100),
        reference=words.inside(advice.reference),
        axis="" if axis is None else axis_svg(axis),
        sides=_sides(advice),
        harms=tuple((words.capitalise(name), unit) for name, unit in columns),
        rows=rows,
    )


def has_figures(advice: Recommendation) -> bool:
    """Whether the benefit or a harm of any option is estimated."""
    return any(
        option.outcome is not None or any(harm.value is not None for harm in option.harms)
        for option in advice.options
        if option.standing != FORBIDDEN
    )


def _sides(advice: Recommendation) -> tuple[str, str]:
    if advice.unit:
        return tr("lower"), tr("higher")
    return tr("fewer"), tr("more")


def is_of_ranges(advice: Recommendation) -> bool:
    """Whether the options are ranges of the one dose that is advised: none is compared."""
    return advice.dose is not None and not any(
        option.difference is not None or option.harms for option in advice.options
    )


def _says_nothing(option: OptionAdvice) -> bool:
    return option.standing == NOT_ESTIMATED and _is_quiet(option) and not option.remarks


def _nothing_estimated(advice: Recommendation) -> OptionTable:
    """One row in place of many that all say the same."""
    names = "; ".join(words.inside(option.title) for option in advice.options)
    row = replace(
        _quiet_row(advice.options[0], True),
        title=tr("All options"),
        remarks=(words.sentence(names),),
    )
    return OptionTable(tr("Options"), "", "", "", "", "", ("", ""), (), (row,))


def _note(advice: Recommendation, rows: tuple[OptionRow, ...]) -> str:
    if not has_figures(advice):
        return ""
    if is_of_ranges(advice):
        is_counted = any(row.notes for row in rows if row.tag is None)
        return f"{tr(RANGES)} {tr(_SIMILAR)}" if is_counted else tr(RANGES)
    if advice.unit:
        text = tr(
            "Goal: {goal}. Figures: the mean in {unit}, with the 95 % interval. A difference "
            "whose interval holds 0 reads “no clear difference”."
        )
    elif is_of_all(_reference(advice)):
        text = tr(
            "Goal: {goal}. Figures: how many of 100 patients, with the 95 % interval. A "
            "difference whose interval holds 0 reads “no clear difference”."
        )
    else:
        text = tr(
            "Goal: {goal}. Figures: how many of 100 patients like this one, with the 95 % "
            "interval. A difference whose interval holds 0 reads “no clear difference”."
        )
    return text.format(goal=advice.goal, unit=advice.unit)


def is_of_all(reference: OptionAdvice | None) -> bool:
    """Whether figures count 100 of all patients: the level of the reference is theirs."""
    beginnings = tr(OF_ALL), tr(OF_ALL_BEFORE)
    return reference is not None and any(r.startswith(beginnings) for r in reference.remarks)


def _harm_columns(options: tuple[OptionAdvice, ...]) -> tuple[tuple[str, str], ...]:
    """Name and unit of every harm, those that are counted first."""
    names = dict.fromkeys((h.name, h.unit) for option in options for h in option.harms)
    return tuple(sorted(names, key=lambda column: bool(column[1])))


def _is_quiet(option: OptionAdvice) -> bool:
    if option.standing == FORBIDDEN:
        return True
    has_harms = any(h.value is not None for h in option.harms)
    return option.standing == NOT_ESTIMATED and option.outcome is None and not has_harms


def _with_one_usual_care(advice: Recommendation, option: OptionAdvice) -> OptionAdvice:
    """Without an answer, what similar patients were given stands above: no second figure of it."""
    if advice.state not in ABSTAINED or not any(s.patients for s in advice.why.similar):
        return option
    return replace(option, remarks=tuple(r for r in option.remarks if not r.startswith(tr(GIVES))))


def _quiet_row(option: OptionAdvice, is_abstained: bool) -> OptionRow:
    is_forbidden = option.standing == FORBIDDEN
    tag = Tag(tr("Not estimated"), QUIET, "minus")
    if is_forbidden:
        tag = Tag(tr("Not offered"), STOP, "stop")
    return OptionRow(
        title=words.capitalise(option.title),
        dose="",
        notes=() if is_forbidden or is_abstained else _dose_notes(option),
        value="",
        interval="",
        change="",
        change_interval="",
        verdict="",
        kind=NONE,
        mark="",
        harms=(),
        is_first=False,
        tag=tag,
        remarks=option.remarks,
    )


def _row(
    advice: Recommendation,
    option: OptionAdvice,
    axis: Axis | None,
    all_harms: tuple[tuple[str, str], ...],
) -> OptionRow:
    kind = _KINDS.get(option.standing, NONE)
    unit, outcome, difference = advice.unit, option.outcome, option.difference
    shown = _difference(advice, option)
    change = "" if shown is None else words.change_words(shown, unit, difference)
    if kind == REFERENCE:
        change = tr(_REFERENCE)
    by_name = {(h.name, h.unit): h for h in option.harms}
    of_reference = _harms_of_reference(advice)
    cells = tuple(_harm_cell(name, by_name.get(name), of_reference.get(name)) for name in all_harms)
    is_first = advice.state == BETTER_FOR_PATIENT and option == advice.options[0]
    is_range = is_of_ranges(advice)
    return OptionRow(
        title=words.capitalise(option.title),
        dose="" if option.dose is None or is_range else words.dose_words(option.dose),
        notes=(*(() if is_range else _dose_notes(option)), *_support(advice, option)),
        value=tr(_NOT_ESTIMATED) if outcome is None else words.value_words(outcome.value, unit),
        interval="" if outcome is None else words.interval_words(outcome, unit),
        change="" if is_range else change or tr(_NOT_ESTIMATED),
        change_interval=(
            "" if difference is None else words.change_interval_words(difference, unit)
        ),
        verdict=_verdict(kind),
        kind=kind,
        mark=_mark(axis, option, (kind, change, unit)),
        harms=cells[:MOST_HARMS],
        is_first=is_first,
        tag=None,
        remarks=(*(_in_words(c) for c in cells[MOST_HARMS:] if c.value), *option.remarks),
    )


def _difference(advice: Recommendation, option: OptionAdvice) -> float | None:
    """The difference to the reference, which stands beside both numbers in the table."""
    reference = _reference(advice)
    if option.difference is None or option.outcome is None or reference is None:
        return None if option.difference is None else option.difference.value
    if reference.outcome is None:
        return option.difference.value
    pair = option.outcome.value, reference.outcome.value
    return difference_as_written(pair, option.difference, _writer(advice.unit))


def _writer(unit: str) -> Callable[[float], str]:
    return lambda x: words.value_words(x, unit)


def _reference(advice: Recommendation) -> OptionAdvice | None:
    return next((o for o in advice.options if o.standing == IS_REFERENCE), None)


def _harms_of_reference(advice: Recommendation) -> dict[tuple[str, str], Estimate | None]:
    reference = _reference(advice)
    return {} if reference is None else {(h.name, h.unit): h.value for h in reference.harms}


def _mark(axis: Axis | None, option: OptionAdvice, words_of: tuple[str, str, str]) -> str:
    """words_of: kind of the row, its change in words, and the unit."""
    kind, change, unit = words_of
    if axis is None or kind == NONE or (option.difference is None and kind != REFERENCE):
        return ""
    return interval_svg(
        axis,
        None if kind == REFERENCE else option.difference,
        kind,
        _picture_title(option.difference, kind, change, unit),
    )


def _picture_title(difference: Estimate | None, kind: str, change: str, unit: str) -> str:
    if difference is None or kind == REFERENCE:
        return tr(_REFERENCE)
    span = words.change_interval_words(difference, unit)
    text = tr("{change}, 95 % interval {span}: {verdict}")
    return text.format(change=change, span=span, verdict=_verdict(kind))


def _verdict(kind: str) -> str:
    return tr(_VERDICTS[kind]) if kind in _VERDICTS else ""


def _dose_notes(option: OptionAdvice) -> tuple[str, ...]:
    dose = option.dose
    if dose is None:
        return ()
    spans = ((tr("plan for {span}"), dose.plan_for), (tr("be ready for {span}"), dose.ready_for))
    text = ", ".join(text.format(span=words.dose_reach(span)) for text, span in spans if span)
    return (text,) if text else ()


def _support(advice: Recommendation, option: OptionAdvice) -> tuple[str, ...]:
    """How many similar patients were given it; of a range of doses, how many of all had one."""
    n, every = option.similar_patients, advice.certainty.similar_patients
    if n is None:
        return ()
    count = tr("under 5") if n < 5 else number(f"{n:,}")
    text = tr("given to {count} similar patients")
    if is_of_ranges(advice) and every is not None:
        text = tr("{count} of {all} similar patients had such a dose")
    return (text.format(count=count, all=number(f"{every or 0:,}")),)


def _harm_cell(
    column: tuple[str, str], harm: HarmAdvice | None, reference: Estimate | None
) -> HarmCell:
    name, unit = words.capitalise(column[0]), column[1]
    if harm is None or harm.value is None:
        return HarmCell(name, unit, "", "", tr(_NOT_ESTIMATED), NONE)
    kind = _KINDS.get(harm.standing, NONE)
    change = ""
    if kind in (GOOD, BAD) and harm.difference is not None:
        shown = harm.difference.value
        if reference is not None:
            pair = harm.value.value, reference.value
            shown = difference_as_written(pair, harm.difference, _writer(unit))
        change = words.change_words(shown, unit, harm.difference)
    elif kind == SAME:
        change = _verdict(SAME)
    return HarmCell(
        name,
        unit,
        words.value_words(harm.value.value, unit),
        words.interval_words(harm.value, unit),
        change,
        kind,
    )


def _in_words(cell: HarmCell) -> str:
    unit = cell.unit or tr(OF_100)
    change = f", {cell.change}" if cell.change else ""
    return f"{cell.name}: {cell.value} {unit} ({cell.interval}){change}."
