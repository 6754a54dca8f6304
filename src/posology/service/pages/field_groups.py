"""Where a fact stands on a form: its clinical group, what comes first there, what is folded."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from posology.advice.form.field import FOLDED, Field
from posology.advice.form.training_facts import EVIDENCE
from posology.advice.wording.fact_names import fact_name
from posology.artifact import Artifact
from posology.domain.codes import has_prefix
from posology.language.catalogue import deferred
from posology.service.pages.needed_facts import (
    REQUIRED,
    REQUIRED_OR_TICKED,
    Needs,
    needed_facts,
    why_needed,
)

PERSON, MEDICINES = deferred("Person"), deferred("Medicines")
LABORATORY = deferred("Laboratory and other measurements")
GENES, HISTORY = deferred("Genes"), deferred("History")
GROUPS = (PERSON, MEDICINES, LABORATORY, GENES, HISTORY)
"""In the order of the form."""
_FAMILIES = {
    **dict.fromkeys(
        ("SEX", "RACE", "RACE_REPORTED", "ETHNICITY", "AGE", "AGE_DECADE", "MEDS_BIRTH"), PERSON
    ),
    **dict.fromkeys(("HEIGHT", "WEIGHT", "BMI", "SMOKER", "LIFESTYLE"), PERSON),
    **dict.fromkeys(("DRUG", "DRUG_PER_DAY", "DRUG_RATE", "HERBAL", "ALLERGY"), MEDICINES),
    **dict.fromkeys(("MEDICATION", "MEDICATION_ABSENT", "IMMUNIZATION"), MEDICINES),
    **dict.fromkeys(("GENOTYPE", "GENOTYPE_IMPUTED", "PHENOTYPE", "ACTIVITY_SCORE"), GENES),
    **dict.fromkeys(("MEASUREMENT", "TARGET_INR", "TARGET_INR_RANGE", "WEARABLE"), LABORATORY),
    **dict.fromkeys(("OBSERVATION", "EMBEDDING", "ENVIRONMENT"), LABORATORY),
}
"""Families of docs/meds-profile.md, and of the datasets that ship. Of others numbers stand with the
laboratory, and the rest with the history."""
_OF_PERSON = ("sex", "age", "height", "weight", "body mass index", "bmi")
"""Names of facts that open the first group, whatever their code."""
USUALLY_RECORDED = 0.5
"""Share of training patients of whom a fact was recorded from which it is not folded. Our
choice."""
MOST_SHOWN = 6
"""Fields of a group that are not folded, beside those that must be seen. Our choice."""


@dataclass(frozen=True, slots=True)
class FieldOrder:
    """What is known of the importance of a model's facts."""

    named: frozenset[str] = frozenset()
    """Codes that the study's guidelines, formulas, rules or subgroups name."""
    shares: Mapping[str, float] | None = None
    """Of each code, the share of training patients who had it; None if that was not kept."""
    needs: Needs = ()
    """Facts that an answer needs, and why."""

    def why_needed(self, field: Field) -> str:
        """Why an answer needs the fact; empty if it does not."""
        why = why_needed(self.needs, (field.stem, *_codes(field)))
        return REQUIRED_OR_TICKED if why == REQUIRED and field.may_be_unknown else why

    def is_named(self, field: Field) -> bool:
        """Whether a guideline, rule or subgroup of the study reads the fact."""
        return any(
            has_prefix(code, own) or has_prefix(own, code)
            for own in _codes(field)
            for code in self.named
        )

    def is_usual(self, field: Field) -> bool:
        """Whether the fact was recorded of most training patients, in a word that fits a list."""
        if len(field.choices) > FOLDED or _is_denial(field):
            return False
        if self.shares is None:
            return True
        return sum(self.shares.get(code, 0.0) for code in _codes(field)) >= USUALLY_RECORDED


def field_order(model: Artifact) -> FieldOrder:
    """What the study names, and how often each fact was recorded in training."""
    study, kept = model.study, model.evidence.get(EVIDENCE, {}).get("share") or ()
    formulas = [*study.profile.refit, *(r.formula for r in study.rules if r.formula is not None)]
    found: list[str] = [*study.profile.required_for_advice]
    found += [code for formula in formulas for term in formula.terms for code in term.codes]
    found += [code for rule in study.safety for code in _read_by(rule.visible, rule.ranges)]
    found += [
        code for rule in study.rules for line in rule.order for code in _read_by((), line.ranges)
    ]
    codes = model.policy.profile.codes
    shares = dict(zip(codes, kept, strict=True)) if len(kept) == len(codes) else None
    return FieldOrder(frozenset(found), shares, needed_facts(model))


def group_of(field: Field) -> str:
    """The clinical group of a fact."""
    if field.kind == "age" or field.role == "sex" or field.name.casefold() in _OF_PERSON:
        return PERSON
    family = field.stem.partition("//")[0]
    return _FAMILIES.get(family, LABORATORY if field.kind == "number" else HISTORY)


def place_in_group(field: Field) -> int:
    """Sex, age, height and weight first, as they are read out; the others after them."""
    name = "age" if field.kind == "age" else field.role or field.name.casefold()
    return _OF_PERSON.index(name) if name in _OF_PERSON else len(_OF_PERSON)


def plain_label(field: Field) -> str:
    """The fact's name under the heading of its group: without the word of its family."""
    family = field.stem.partition("//")[0].replace("_", " ").casefold()
    start = f"{family} "
    name = field.name
    return name[len(start) :] if name.casefold().startswith(start) else fact_name(name)


def _codes(field: Field) -> tuple[str, ...]:
    return tuple(code for _, code in field.choices if code) or (field.stem,)


def _is_denial(field: Field) -> bool:
    """Whether the fact says that something is absent, or was worked out from another one."""
    return field.stem.partition("//")[0].endswith(("_ABSENT", "_IMPUTED"))


def _read_by(visible: Iterable[str], ranges: Iterable) -> list[str]:
    return [*visible, *(code for one in ranges for code in one.codes)]
