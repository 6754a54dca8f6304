"""The facts of a safety rule in words, for one patient."""

from posology.advice.form.unit_names import plain_unit, unit_words
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

_MONTH = 30.4375
"""Days."""


def met_words(facts: VisibleFacts, rule: SafetyRule, names: Names) -> str:
    """The facts by which a rule applies: `heart failure recorded, eGFR 28 mL/min/1.73 m²`."""
    met = [f for f in (*rule.all_of, *rule.any_of) if fact_status(facts, f)[0] == MET]
    return ", ".join(dict.fromkeys(_known(facts, fact, names) for fact in met)) or "every patient"


def unknown_words(facts: VisibleFacts, rule: SafetyRule, names: Names) -> str:
    """What a rule would need to know: `eGFR not recorded`, `eGFR is 14 months old`."""
    unknown = [
        _unknown(facts, fact, names)
        for fact in (*rule.all_of, *rule.any_of, *rule.unless)
        if fact_status(facts, fact)[0] == UNKNOWN
    ]
    if not unknown and rule.dose is not None and rule.dose.per:
        unknown = [f"{rule.dose.per_name} not recorded"]
    return ", ".join(dict.fromkeys(unknown))


def dose_words(dose: DoseLimit, factor: float) -> str:
    """The doses that a limit leaves: `at most 50 mg/d`."""
    bounds = (("at least", dose.at_least), ("at most", dose.at_most))
    words = [f"{word} {bound * factor:.4g}" for word, bound in bounds if bound is not None]
    return f"{' and '.join(words)} {unit_words(dose.unit)}"


def _name(fact: Fact, names: Names) -> str:
    return fact.name or display_names(fact.codes, names).partition(", ")[0]


def _known(facts: VisibleFacts, fact: Fact, names: Names) -> str:
    name = _name(fact, names)
    if not fact.is_number:
        return f"{name} {'taken' if fact.codes[0].startswith('DRUG') else 'recorded'}"
    value = float(fact_value(facts, fact)[0])
    if fact.is_age:
        return f"{name} {int(value)}"
    unit = fact.unit or display_names(fact.codes, names).partition(", ")[2]
    return f"{name} {value:.4g} {plain_unit(unit)}".strip()


def _unknown(facts: VisibleFacts, fact: Fact, names: Names) -> str:
    name = _name(fact, names)
    if not is_stale(facts, fact)[0]:
        return f"{name} not recorded"
    days = float(facts.days_since(fact.codes, fact.is_number)[0])
    months = round(days / _MONTH)
    return f"{name} is {months} months old" if months > 1 else f"{name} is {days:.0f} days old"
