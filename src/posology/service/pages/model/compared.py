"""Tables of the model's page: the model beside rules, options beside one another, groups."""

from collections.abc import Mapping
from dataclasses import dataclass

from posology.domain.recommendation.evidence import DoseEvidence, GroupEvidence, StudyEvidence
from posology.domain.recommendation.option import Estimate
from posology.language.catalogue import deferred, tr
from posology.language.numbers import number as written
from posology.report.patient.content import BAD, GOOD, REFERENCE, SAME
from posology.report.patient.marks import Axis, axis_svg, common_axis, interval_svg
from posology.report.patient.words import (
    capitalise,
    change_interval_words,
    change_words,
    interval_words,
    value_words,
)

_WORDS = {
    GOOD: deferred("better"),
    BAD: deferred("worse"),
    SAME: deferred("no clear difference"),
    REFERENCE: "",
}


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """This model, or a rival; an option, or the reference; a group of patients."""

    name: str
    note: str
    value: str
    interval: str
    change: str
    change_interval: str
    kind: str
    verdict: str
    mark: str
    """SVG."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A table on one axis."""

    heading: str
    note: str
    heads: tuple[str, str, str]
    """Of the name, the value and the difference."""
    sides: tuple[str, str]
    axis: str
    """SVG."""
    rows: tuple[ComparedRow, ...]


def count_words(patients: int) -> str:
    """`4,411`, or `4.411`."""
    return written(f"{patients:,}")


def compare_rules(dose: DoseEvidence, titles: Mapping[str, str]) -> Compared | None:
    """This model's error of the dose against each rule of the study, by the rule's title."""
    if dose.error is None:
        return None
    axis = common_axis([rule.difference for rule in dose.rules])
    own = ComparedRow(
        tr("This model"),
        "",
        value_words(dose.error.value, dose.unit),
        interval_words(dose.error, dose.unit),
        tr("the reference"),
        "",
        REFERENCE,
        "",
        "" if axis is None else interval_svg(axis, None, REFERENCE, tr("the reference")),
    )
    rows = [own]
    for rule in sorted(dose.rules, key=lambda rule: rule.error.value):
        kind = GOOD if rule.difference.high < 0 else BAD if rule.difference.low > 0 else SAME
        drawn = (kind, dose.unit, axis)
        name = titles.get(rule.name, rule.name)
        rows.append(_row(name, "", rule.error, rule.difference, drawn))
    return Compared(
        heading=tr("Is it better than what we have?"),
        note=tr(
            "{count} patients kept aside for choosing, not for learning; no test patient is among "
            "them. Mean error of the dose in {unit}: lower is better. Under each figure its 95 % "
            "interval."
        ).format(count=count_words(dose.patients), unit=dose.unit),
        heads=(
            tr("Model or rule"),
            tr("Error, {unit}").format(unit=dose.unit),
            tr("This model minus it"),
        ),
        sides=(tr("model better"), tr("rule better")),
        axis="" if axis is None else axis_svg(axis),
        rows=tuple(rows),
    )


def compare_options(study: StudyEvidence, titles: Mapping[str, str]) -> Compared:
    """Each option for all patients against the reference."""
    axis = common_axis([o.difference for o in study.options if o.difference is not None])
    rows = []
    reference = titles.get(study.reference, study.reference) or tr("usual care")
    if study.reference_value is not None:
        own = _row(reference, "", study.reference_value, None, (REFERENCE, study.unit, axis))
        rows.append(own)
    for option in study.options:
        if option.name == study.reference:
            continue
        given = tr("given to {count} patients").format(count=count_words(option.patients))
        note = given if option.patients >= 5 else ""
        kind = _standing(option.difference) if option.is_judged else SAME
        name = titles.get(option.name, option.name)
        row = _row(name, note, option.value, option.difference, (kind, study.unit, axis))
        rows.append(row)
    unit = study.unit or tr("of 100")
    return Compared(
        heading=tr("What the options do"),
        note=tr(
            "{count} decisions. Every patient given the same option, {unit}. Under each figure its "
            "95 % interval. A difference whose interval holds 0 reads “no clear difference”."
        ).format(count=count_words(study.decisions), unit=unit),
        heads=(
            tr("Option"),
            capitalise(unit),
            tr("Against {reference}").format(reference=reference.replace("_", " ")),
        ),
        sides=(tr("lower"), tr("higher")) if study.unit else (tr("fewer"), tr("more")),
        axis="" if axis is None else axis_svg(axis),
        rows=tuple(rows),
    )


def _standing(difference: Estimate | None) -> str:
    """Direction is the goal's: options' values are counted so that more is better."""
    if difference is None or difference.low <= 0 <= difference.high:
        return SAME
    return GOOD if difference.low > 0 else BAD


def compare_groups(study: StudyEvidence) -> Compared | None:
    """Gain of choosing by the patient in each group."""
    known = [group for group in study.groups if group.gain is not None]
    if not known:
        return None
    axis = common_axis([group.gain for group in known if group.gain is not None])
    return Compared(
        heading=tr("Is anybody served worse?"),
        note=tr(
            "Gain of choosing by the patient over the best single option, by group of patients. "
            "Groups that are too small are not judged."
        ),
        heads=(tr("Group"), tr("Patients"), tr("Gain")),
        sides=(tr("loss"), tr("gain")),
        axis="" if axis is None else axis_svg(axis),
        rows=tuple(_group(group, axis, study.unit) for group in known),
    )


def _group(group: GroupEvidence, axis: Axis | None, unit: str) -> ComparedRow:
    gain = group.gain
    assert gain is not None
    kind = GOOD if gain.low > 0 else BAD if gain.high < 0 else SAME
    name = capitalise(f"{group.family} {group.group}".replace("_", " "))
    row = _row(name, "", None, gain, (kind, unit, axis))
    return ComparedRow(
        row.name, "", count_words(group.patients), "", row.change, row.change_interval, kind,
        row.verdict, row.mark,
    )  # fmt: skip


def _row(
    name: str,
    note: str,
    value: Estimate | None,
    difference: Estimate | None,
    drawn: tuple[str, str, Axis | None],
) -> ComparedRow:
    kind, unit, axis = drawn
    has_mark = axis is not None and (difference is not None or kind == REFERENCE)
    reach = "" if difference is None else change_interval_words(difference, unit)
    change = tr("the reference") if kind == REFERENCE else tr("not estimated")
    if difference is not None:
        change = change_words(difference.value, unit, difference)
    title = change
    if reach:
        title = tr("{change}, 95 % interval {span}").format(change=change, span=reach)
    return ComparedRow(
        name=capitalise(name.replace("_", " ")),
        note=note,
        value=tr("not estimated") if value is None else value_words(value.value, unit),
        interval="" if value is None else interval_words(value, unit),
        change=change,
        change_interval=reach,
        kind=kind,
        verdict=tr(_WORDS[kind]) if _WORDS[kind] else "",
        mark=interval_svg(axis, difference, kind, title) if has_mark and axis else "",
    )
