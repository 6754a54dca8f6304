"""The model's page: what it is for, what it was shown to do, for whom, and what is not known."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from posology.advice.amounts import span
from posology.advice.evidence_words import describe_evidence
from posology.advice.form.unit_names import plain_unit
from posology.advice.wording.fact_names import fact_name
from posology.artifact import Artifact
from posology.domain.recommendation.evidence import DoseEvidence, StudyEvidence
from posology.language.catalogue import (
    ENGLISH,
    current_language,
    deferred,
    in_language,
    tr,
    tr_count,
)
from posology.language.numbers import number as written
from posology.report.model_facts.attributes import GROUPS, NOT_PROVIDED, ModelFact
from posology.report.patient.content import BAD, GOOD, QUIET, WARN, Tag
from posology.report.patient.words import (
    capitalise,
    sentence,
    without_stop,
)
from posology.service.pages.model.calibration import Calibration, calibration
from posology.service.pages.model.compared import (
    Compared,
    compare_groups,
    compare_options,
    compare_rules,
    count_words,
)
from posology.workflows.advice.patient_evidence import stored_evidence
from posology.workflows.facts.model_facts import model_facts

VERDICTS = {
    "gain": deferred("Choosing by the patient is shown to gain"),
    "none": deferred("Choosing by the patient is not shown to gain over one option for all"),
    "unjudged": deferred("It could not be judged whether choosing by the patient gains"),
}
"""By the verdict of the effect study."""


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
    with in_language(ENGLISH):  # the words of a regulation
        facts = model_facts(model).facts
    titles = {t.name: t.title for t in model.study.formulary.treatments}
    rules = {rule.name: rule.words for rule in model.study.rules}
    if study is not None:
        compared = compare_options(study, titles)
    else:
        compared = None if dose is None else compare_rules(dose, rules)
    groups = None if study is None else compare_groups(study)
    return ModelPage(
        name=name,
        kicker=kicker,
        headline=_headline(model, study, dose),
        lead="" if study is None else _lead(study),
        tags=_tags(study, dose, groups),
        purpose=sentence(model.study.purpose) or tr("Not provided."),
        not_for=sentence(model.study.not_for) or tr("Not provided."),
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
    text = tr("{given} of the {all} source attributes are given. Empty ones are shown.")
    return text.format(given=given, all=len(facts))


def _lead(study: StudyEvidence) -> str:
    """The study's own sentence, which was written in English; in other languages the basis."""
    if current_language() == ENGLISH:
        return sentence(study.sentence)
    return describe_evidence(study, None)


def _headline(model: Artifact, study: StudyEvidence | None, dose: DoseEvidence | None) -> str:
    if study is not None:
        return without_stop(tr(VERDICTS.get(study.verdict, VERDICTS["unjudged"])))
    if dose is None or dose.error is None:
        text = tr("{title}: what it is worth was not measured")
        return text.format(title=without_stop(model.study.title))
    off = f"{written(f'{dose.error.value:.1f}')} {dose.unit}"
    words = tr("The dose is off by {error} on average").format(error=off)
    rivals = [rule for rule in dose.rules if rule.difference.high < 0]
    if not dose.rules:
        return words
    best = min(dose.rules, key=lambda rule: rule.error.value)
    size = written(f"{abs(best.difference.value):.1f}")
    if best not in rivals and best.difference.low <= 0:
        return tr("{error}; no clear difference to the best rule").format(error=words)
    compared = tr("{error}, {size} more than the best rule")
    if best.difference.value < 0:
        compared = tr("{error}, {size} less than the best rule")
    return compared.format(error=words, size=size)


def _tags(
    study: StudyEvidence | None, dose: DoseEvidence | None, groups: Compared | None
) -> tuple[Tag, ...]:
    shown = []
    if study is not None:
        gain = {"gain": Tag(tr("Choosing by the patient gains"), GOOD, "up")}
        none = Tag(tr("No gain from choosing by the patient"), QUIET, "same")
        shown.append(gain.get(study.verdict, none))
        checked = tr("Checked on {count} patients").format(count=count_words(study.patients))
        shown.append(Tag(checked, QUIET, "check"))
    elif dose is not None:
        better = sum(rule.difference.high < 0 for rule in dose.rules)
        if better:
            words = tr("Better dose than {count} of {all}")
            if better == len(dose.rules):
                words = tr("Better dose than all rules")
            words = words.format(count=better, all=len(dose.rules))
            shown.append(Tag(words, GOOD, "up"))
        checked = tr("Checked on {count} patients kept aside")
        shown.append(Tag(checked.format(count=count_words(dose.patients)), QUIET, "check"))
    else:
        shown.append(Tag(tr("Not measured"), WARN, "warn"))
    worse = sum(row.kind == BAD for row in groups.rows) if groups else 0
    if worse:
        words = tr_count("Worse for {count} group", "Worse for {count} groups", worse)
        shown.append(Tag(words.format(count=worse), BAD, "down"))
    return tuple(shown)


def _evidence(
    evidence: Mapping[str, Any], study: StudyEvidence | None, dose: DoseEvidence | None
) -> str:
    parts = []
    if "train" in evidence:
        learned = tr("Learned from {count} decisions.")
        parts.append(learned.format(count=count_words(evidence["train"])))
    checked, patients = "", 0
    if study is not None:
        patients = study.patients
        checked = tr(
            "Checked on {count} patients of records of usual care: no trial has tested it."
        )
        if study.is_randomised:
            checked = tr("Checked on {count} patients of a trial.")
    elif dose is not None:
        patients = dose.patients
        checked = tr("Checked on {count} patients kept aside for choosing, not for learning.")
    parts += [checked.format(count=count_words(patients))] if checked else []
    return " ".join(parts) or tr("Nothing was measured when it was fitted.")


def _calibration_note(dose: DoseEvidence) -> str:
    return tr(
        "Probability that a class of dose is the right one: predicted (across) and observed (up), "
        "of 100 patients, {count} in all. On the dashed line the two agree. Bars: 95 % intervals."
    ).format(count=count_words(dose.patients))


def _learned(model: Artifact) -> tuple[tuple[str, str, str], ...]:
    """Bounds of each number in training."""
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
        unit = tr("years") if field.kind == "age" else plain_unit(field.unit)
        ends = (written(f"{end:.4g}") for end in (scale * (low or 0), top))
        dated = tr("{count} of 100").format(count=f"{100 * facts.dated[at]:.0f}")
        name = capitalise(fact_name(field.name))
        rows.append((name, f"{span(*ends)} {unit}".strip(), dated))
    return tuple(rows)
