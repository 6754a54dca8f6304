"""The facts of a safety rule in words, for one patient."""

from posology.advice.form.unit_names import plain_unit, unit_words
from posology.advice.wording.lists import both
from posology.domain.codes import Names, display_names
from posology.domain.safety_rules.facts import (
    MET,
    UNKNOWN,
    VisibleFacts,
    fact_status,
    fact_value,
    is_stale,
)
from posology.domain.safety_rules.rule import DoseLimit, Fact, SafetyRule
from posology.language.catalogue import tr
from posology.language.numbers import number

_MONTH = 30.4375
"""Days."""


def met_words(facts: VisibleFacts, rule: SafetyRule, names: Names) -> str:
    """The facts by which a rule applies: `heart failure recorded, eGFR 28 mL/min/1.73 m²`."""
    met = [f for f in (*rule.all_of, *rule.any_of) if fact_status(facts, f)[0] == MET]
    return ", ".join(dict.fromkeys(_known(facts, fact, names) for fact in met)) or tr(
        "every patient"
    )


def unknown_words(facts: VisibleFacts, rule: SafetyRule, names: Names) -> str:
    """What a rule would need to know: `eGFR not recorded`, `eGFR is 14 months old`."""
    unknown = [
        _unknown(facts, fact, names)
        for fact in (*rule.all_of, *rule.any_of, *rule.unless)
        if fact_status(facts, fact)[0] == UNKNOWN
    ]
    if not unknown and rule.dose is not None and rule.dose.per:
        unknown = [tr("{fact} not recorded").format(fact=rule.dose.per_name)]
    return ", ".join(dict.fromkeys(unknown))


def dose_words(dose: DoseLimit, factor: float) -> str:
    """The doses that a limit leaves: `at most 50 mg/d`."""
    bounds = ((tr("at least {bound}"), dose.at_least), (tr("at most {bound}"), dose.at_most))
    words = [text.format(bound=number(f"{b * factor:.4g}")) for text, b in bounds if b is not None]
    return f"{both(words)} {unit_words(dose.unit)}"


def _name(fact: Fact, names: Names) -> str:
    return fact.name or display_names(fact.codes, names).partition(", ")[0]


def _known(facts: VisibleFacts, fact: Fact, names: Names) -> str:
    name = _name(fact, names)
    if not fact.is_number:
        is_drug = fact.codes[0].startswith("DRUG")
        return (tr("{fact} taken") if is_drug else tr("{fact} recorded")).format(fact=name)
    value = float(fact_value(facts, fact)[0])
    if fact.is_age:
        return f"{name} {int(value)}"
    unit = fact.unit or display_names(fact.codes, names).partition(", ")[2]
    return f"{name} {number(f'{value:.4g}')} {plain_unit(unit)}".strip()


def _unknown(facts: VisibleFacts, fact: Fact, names: Names) -> str:
    name = _name(fact, names)
    if not is_stale(facts, fact)[0]:
        return tr("{fact} not recorded").format(fact=name)
    days = float(facts.days_since(fact.codes, fact.is_number)[0])
    months = round(days / _MONTH)
    if months > 1:
        return tr("{fact} is {count} months old").format(fact=name, count=months)
    return tr("{fact} is {count} days old").format(fact=name, count=f"{days:.0f}")
