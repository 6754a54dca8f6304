"""Which facts an answer needs, and why: as a form marks them."""

from collections.abc import Iterator

from posology.advice.uncertainty.distance import usual_families
from posology.artifact import Artifact
from posology.domain.codes import has_prefix
from posology.domain.safety_rules.check import safety_rules
from posology.domain.safety_rules.rule import BLOCK_UNKNOWN
from posology.domain.study import Study
from posology.language.catalogue import deferred
from posology.workflows.patient import uncertainty_of

REQUIRED = deferred("needed: no answer without it")
REQUIRED_OR_TICKED = deferred("needed: enter it, or tick “Not known”")
"""Where the study lets somebody state that nobody knows it (`may_be_unknown`)."""
FOR_STUDY = deferred("needed: it tells whether the study is for this patient")
BLOCKS = deferred("needed: without it a safety rule forbids options")
WARNS = deferred("needed by a safety rule")
USUAL = deferred("should be known: nearly all patients that the model learned from had it")

Needs = tuple[tuple[str, str], ...]
"""Prefixes of codes, and why the fact is needed; the first that fits counts."""


def needed_facts(model: Artifact) -> Needs:
    """The facts that the study, its safety rules or the model itself need."""
    study = model.study
    found = [(code, REQUIRED) for code in study.profile.required_for_advice]
    found += [(code, FOR_STUDY) for code in _for_study(study)]
    found += list(_for_safety(study))
    distance = uncertainty_of(model).distance
    if distance is not None:
        found += [(family, USUAL) for family in usual_families(distance)]
    return tuple(found)


def why_needed(needs: Needs, codes: tuple[str, ...]) -> str:
    """Why a field with these codes is needed; empty if it is not."""
    return next(
        (
            why
            for need, why in needs
            if any(has_prefix(code, need) or has_prefix(need, code) for code in codes)
        ),
        "",
    )


def _for_study(study: Study) -> Iterator[str]:
    """Codes of the criteria that a fact of the patient decides."""
    decision = study.decision
    if not any(has_prefix(code, own) for code in decision.eligible for own in decision.codes):
        yield from decision.eligible
    for one in decision.ranges:
        yield from one.codes
    if study.advice.min_age is not None or study.advice.max_age is not None:
        yield from ("AGE", "AGE_DECADE", "MEDS_BIRTH", *study.profile.age)


def _for_safety(study: Study) -> Iterator[tuple[str, str]]:
    """Facts that leave a rule unknown where they are not recorded."""
    why = BLOCKS if study.safety_packs.on_unknown == BLOCK_UNKNOWN else WARNS
    for rule in safety_rules(study):
        for fact in (*rule.all_of, *rule.any_of, *rule.unless):
            if fact.is_number or fact.known_by:
                yield from ((code, why) for code in fact.codes)
        if rule.dose is not None:
            yield from ((code, why) for code in rule.dose.per)
