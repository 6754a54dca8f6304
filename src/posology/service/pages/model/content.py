"""The model's page: what it is for, what it was shown to do, for whom, and what is not known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from posology.advice.evidence_words import KEPT_ASIDE
from posology.advice.form.unit_names import plain_unit
from posology.artifact import Artifact
from posology.domain.recommendation.evidence import DoseEvidence, GroupEvidence, StudyEvidence
from posology.domain.recommendation.option import Estimate
from posology.report.model_facts.attributes import GROUPS, NOT_PROVIDED, ModelFact
from posology.report.patient.content import BAD, GOOD, QUIET, REFERENCE, SAME, WARN, Tag
from posology.report.patient.marks import Axis, axis_svg, common_axis, interval_svg
from posology.report.patient.words import (
    capitalise,
    change_interval_words,
    change_words,
    interval_words,
    sentence,
    value_words,
    without_stop,
)
from posology.service.pages.model.calibration import Calibration, calibration
from posology.workflows.advice.patient_evidence import stored_evidence
from posology.workflows.facts.model_facts import model_facts

VERDICTS = {
    "gain": "Choosing by the patient is shown to gain",
    "none": "Choosing by the patient is not shown to gain over one option for all",
    "unjudged": "It could not be judged whether choosing by the patient gains",
}
"""By the verdict of the effect study."""
_WORDS = {GOOD: "better", BAD: "worse", SAME: "no clear difference", REFERENCE: ""}


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


@dataclass(frozen=True, slots=True)
class FactGroup:
    """Source attributes of one kind."""

    heading: str
    rows: tuple[tuple[str, str, bool], ...]
    """Attribute, value, and whether it is not provided."""


@dataclass(frozen=True, slots=True)
class ModelPage:
    """The variables of the template."""

    name: str
    kicker: str
    headline: str
    lead: str
    tags: tuple[Tag, ...]
    purpose: str
    not_for: str
    evidence: str
    compared: Compared | None
    not_judged: str
    calibration: Calibration | None
    groups: Compared | None
    facts: tuple[FactGroup, ...]
    facts_note: str
    limits: tuple[str, ...]
    learned: tuple[tuple[str, str, str], ...]
    """Fact, range in training, and share of patients in whom it had a date."""


def model_page(name: str, model: Artifact, kicker: str) -> ModelPage:
    """The page of a saved policy."""
    stored = stored_evidence(model)
    study, dose = stored.study, stored.dose
    facts = model_facts(model).facts
    titles = {t.name: t.title for t in model.study.formulary.treatments}
    rules = {rule.name: rule.words for rule in model.study.rules}
    if study is not None:
        compared = _options(study, titles)
    else:
        compared = None if dose is None else _rules(dose, rules)
    groups = None if study is None else _groups(study)
    return ModelPage(
        name=name,
        kicker=kicker,
        headline=_headline(model, study, dose),
        lead="" if study is None else sentence(study.sentence),
        tags=_tags(study, dose, groups),
        purpose=sentence(model.study.purpose) or "Not provided.",
        not_for=sentence(model.study.not_for) or "Not provided.",
        evidence=_evidence(model.evidence, study, dose),
        compared=compared,
        not_judged=stored.not_judged,
        calibration=calibration(dose.calibration, _calibration_note(dose)) if dose else None,
        groups=groups,
        facts=fact_groups(facts),
        facts_note=_facts_note(facts),
        limits=tuple(sentence(str(text)) for text in model.evidence.get("warnings", ())),
        learned=_learned(model),
    )


def fact_groups(facts: Sequence[ModelFact]) -> tuple[FactGroup, ...]:
    """The source attributes by their group; what is not provided is shown."""
    return tuple(
        FactGroup(
            heading,
            tuple(
                (f.attribute.title, f.value, f.value == NOT_PROVIDED)
                for f in facts
                if f.attribute.number.partition(".")[0] == str(number)
            ),
        )
        for number, heading in GROUPS.items()
    )


def _facts_note(facts: Sequence[ModelFact]) -> str:
    given = sum(fact.value != NOT_PROVIDED for fact in facts)
    return f"{given} of the {len(facts)} source attributes are given. Empty ones are shown."


def _headline(model: Artifact, study: StudyEvidence | None, dose: DoseEvidence | None) -> str:
    if study is not None:
        return without_stop(VERDICTS.get(study.verdict, VERDICTS["unjudged"]))
    if dose is None or dose.error is None:
        return f"{without_stop(model.study.title)}: what it is worth was not measured"
    words = f"The dose is off by {dose.error.value:.1f} {dose.unit} on average"
    rivals = [rule for rule in dose.rules if rule.difference.high < 0]
    if not dose.rules:
        return words
    best = min(dose.rules, key=lambda rule: rule.error.value)
    size = abs(best.difference.value)
    side = "less" if best.difference.value < 0 else "more"
    if best in rivals or best.difference.low > 0:
        return f"{words}, {size:.1f} {side} than the best rule"
    return f"{words}; no clear difference to the best rule"


def _tags(
    study: StudyEvidence | None, dose: DoseEvidence | None, groups: Compared | None
) -> tuple[Tag, ...]:
    shown = []
    if study is not None:
        gain = {"gain": Tag("Choosing by the patient gains", GOOD, "up")}
        none = Tag("No gain from choosing by the patient", QUIET, "same")
        shown.append(gain.get(study.verdict, none))
        shown.append(Tag(f"Checked on {study.patients:,} patients", QUIET, "check"))
    elif dose is not None:
        better = sum(rule.difference.high < 0 for rule in dose.rules)
        if better:
            rules = "all rules" if better == len(dose.rules) else f"{better} of {len(dose.rules)}"
            shown.append(Tag(f"Better dose than {rules}", GOOD, "up"))
        shown.append(Tag(f"Checked on {dose.patients:,} patients kept aside", QUIET, "check"))
    else:
        shown.append(Tag("Not measured", WARN, "warn"))
    worse = sum(row.kind == BAD for row in groups.rows) if groups else 0
    if worse:
        shown.append(Tag(f"Worse for {worse} {'group' if worse == 1 else 'groups'}", BAD, "down"))
    return tuple(shown)


def _evidence(
    evidence: Mapping[str, Any], study: StudyEvidence | None, dose: DoseEvidence | None
) -> str:
    parts = []
    if "train" in evidence:
        parts.append(f"Learned from {evidence['train']:,} decisions.")
    if study is not None:
        kind = "a trial" if study.is_randomised else "records of usual care: no trial has tested it"
        parts.append(f"Checked on {study.patients:,} patients of {kind}.")
    elif dose is not None:
        parts.append(f"Checked on {dose.patients:,} patients {KEPT_ASIDE}.")
    return " ".join(parts) or "Nothing was measured when it was fitted."


def _rules(dose: DoseEvidence, titles: Mapping[str, str]) -> Compared | None:
    """This model's error of the dose against each rule of the study, by the rule's title."""
    if dose.error is None:
        return None
    axis = common_axis([rule.difference for rule in dose.rules])
    own = ComparedRow(
        "This model",
        "",
        value_words(dose.error.value, dose.unit),
        interval_words(dose.error, dose.unit),
        "the reference",
        "",
        REFERENCE,
        "",
        "" if axis is None else interval_svg(axis, None, REFERENCE, "the reference"),
    )
    rows = [own]
    for rule in sorted(dose.rules, key=lambda rule: rule.error.value):
        kind = GOOD if rule.difference.high < 0 else BAD if rule.difference.low > 0 else SAME
        drawn = (kind, dose.unit, axis)
        name = titles.get(rule.name, rule.name)
        rows.append(_row(name, "", rule.error, rule.difference, drawn))
    return Compared(
        heading="Is it better than what we have?",
        note=f"{dose.patients:,} patients {KEPT_ASIDE}; no test patient is among them. Mean error "
        f"of the dose in {dose.unit}: lower is better. Under each figure its 95 % interval.",
        heads=("Model or rule", f"Error, {dose.unit}", "This model minus it"),
        sides=("model better", "rule better"),
        axis="" if axis is None else axis_svg(axis),
        rows=tuple(rows),
    )


def _options(study: StudyEvidence, titles: Mapping[str, str]) -> Compared:
    """Each option for all patients against the reference."""
    axis = common_axis([o.difference for o in study.options if o.difference is not None])
    rows = []
    reference = titles.get(study.reference, study.reference) or "usual care"
    if study.reference_value is not None:
        own = _row(reference, "", study.reference_value, None, (REFERENCE, study.unit, axis))
        rows.append(own)
    for option in study.options:
        if option.name == study.reference:
            continue
        note = f"given to {option.patients:,} patients" if option.patients >= 5 else ""
        kind = _standing(option.difference) if option.is_judged else SAME
        name = titles.get(option.name, option.name)
        row = _row(name, note, option.value, option.difference, (kind, study.unit, axis))
        rows.append(row)
    unit = study.unit or "of 100"
    return Compared(
        heading="What the options do",
        note=f"{study.decisions:,} decisions. Every patient given the same option, {unit}. Under "
        "each figure its 95 % interval. A difference whose interval holds 0 reads \u201cno clear "
        "difference\u201d.",
        heads=("Option", capitalise(unit), f"Against {reference.replace('_', ' ')}"),
        sides=("lower", "higher") if study.unit else ("fewer", "more"),
        axis="" if axis is None else axis_svg(axis),
        rows=tuple(rows),
    )


def _standing(difference: Estimate | None) -> str:
    """Direction is the goal's: options' values are counted so that more is better."""
    if difference is None or difference.low <= 0 <= difference.high:
        return SAME
    return GOOD if difference.low > 0 else BAD


def _groups(study: StudyEvidence) -> Compared | None:
    """Gain of choosing by the patient in each group."""
    known = [group for group in study.groups if group.gain is not None]
    if not known:
        return None
    axis = common_axis([group.gain for group in known if group.gain is not None])
    return Compared(
        heading="Is anybody served worse?",
        note="Gain of choosing by the patient over the best single option, by group of patients. "
        "Groups that are too small are not judged.",
        heads=("Group", "Patients", "Gain"),
        sides=("loss", "gain"),
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
        row.name, "", f"{group.patients:,}", "", row.change, row.change_interval, kind,
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
    span = "" if difference is None else change_interval_words(difference, unit)
    change = "the reference" if kind == REFERENCE else "not estimated"
    if difference is not None:
        change = change_words(difference.value, unit)
    title = f"{change}, 95 % interval {span}" if span else change
    return ComparedRow(
        name=capitalise(name.replace("_", " ")),
        note=note,
        value="not estimated" if value is None else value_words(value.value, unit),
        interval="" if value is None else interval_words(value, unit),
        change=change,
        change_interval=span,
        kind=kind,
        verdict=_WORDS[kind],
        mark=interval_svg(axis, difference, kind, title) if has_mark and axis else "",
    )


def _calibration_note(dose: DoseEvidence) -> str:
    return (
        "Probability that a class of dose is the right one: predicted (across) and observed (up), "
        f"of 100 patients, {dose.patients:,} in all. On the dashed line the two agree. Bars: 95 % "
        "intervals."
    )


def _learned(model: Artifact) -> tuple[tuple[str, str, str], ...]:
    """Range of each number in training."""
    from posology.workflows.patient import facts_of, form_of

    facts = facts_of(model)
    if facts is None:
        return ()
    row = {code: at for at, code in enumerate(model.policy.profile.codes)}
    rows = []
    for field in form_of(model).fields:
        at = row.get(field.stem)
        if at is None or field.kind not in ("number", "age") or facts.low[at] is None:
            continue
        low, high = facts.low[at], facts.high[at]
        scale = 10 if field.age_as == "decades" else 1
        top = scale * (high or 0) + (9 if scale == 10 else 0)
        unit = "years" if field.kind == "age" else plain_unit(field.unit)
        span = f"{scale * (low or 0):.4g} to {top:.4g} {unit}".strip()
        dated = f"{100 * facts.dated[at]:.0f} of 100"
        rows.append((capitalise(field.name), span, dated))
    return tuple(rows)
