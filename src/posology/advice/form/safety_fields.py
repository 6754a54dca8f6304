"""Fields for facts that safety rules need and the model does not know."""

from collections.abc import Iterable, Iterator

from posology.advice.form.field import DATED, EITHER, Field, Limits
from posology.advice.form.limits import AGE, number_limits
from posology.domain.codes import display_name, has_prefix
from posology.domain.safety_rules.check import safety_rules
from posology.domain.safety_rules.rule import Fact
from posology.domain.study import Study

DRUGS = ("DRUG", "DRUG_PER_DAY", "DRUG_RATE")
"""Families of drugs; one that is taken is an event of any of them."""


def safety_codes(study: Study) -> tuple[str, ...]:
    """Prefixes of every code that a safety rule reads."""
    codes = [code for fact in _facts(study) for code in (*fact.codes, *fact.known_by)]
    for rule in safety_rules(study):
        codes += rule.dose.per if rule.dose is not None else ()
    return tuple(dict.fromkeys(codes))


def safety_fields(study: Study, known: Iterable[str]) -> list[Field]:
    """A field for each fact of the rules that none of the known codes is about."""
    known = tuple(known)
    fields: dict[str, Field] = {}
    for fact in _facts(study):
        if not fact.codes or _is_known(fact, known):
            continue
        field = _field(fact, study)
        fields.setdefault(field.name, field)
    return list(fields.values())


def _facts(study: Study) -> Iterator[Fact]:
    for rule in safety_rules(study):
        yield from (*rule.all_of, *rule.any_of, *rule.unless)
        if rule.dose is not None and rule.dose.per:
            yield Fact(rule.dose.per, rule.dose.per_name, above=0.0)


def _is_known(fact: Fact, known: tuple[str, ...]) -> bool:
    """Whether the form has the fact: one of its codes if it is a number, else each of them."""
    found: dict[str, bool] = {}
    for code in fact.codes:
        family, _, rest = code.partition("//")
        key = rest if family in DRUGS else code
        is_found = any(has_prefix(own, code) for own in known)
        found[key] = found.get(key, False) or is_found
    return any(found.values()) if fact.is_number else all(found.values())


def _field(fact: Fact, study: Study) -> Field:
    code = fact.codes[0]
    name, _, unit = (fact.name or display_name(code, study.names)).partition(", ")
    if fact.is_age:
        return Field(name, code, "age", limits=AGE, timing=DATED, age_as="birth")
    if fact.is_number:
        unit = fact.unit or unit
        limits = number_limits(study, code, unit, Limits())
        return Field(name, code, "number", unit=unit, limits=limits, timing=EITHER)
    no = fact.known_by[0] if fact.known_by else ""
    return Field(name, code, "yes_no", (("yes", code), ("no", no)), timing=EITHER)
