"""The rules of knowledge packs for the options of one study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from posology.cohorts.study.packs.schema import ConditionSection, PackFile, PackRule
from posology.domain.codes import has_prefix
from posology.domain.formulary import DoseRange, Formulary, Treatment
from posology.domain.safety_rules.rule import DoseLimit, Fact, SafetyPack, SafetyRule
from posology.errors import StudyError

FAMILIES = ("DRUG", "DRUG_PER_DAY", "DRUG_RATE")
"""Families of events of drugs (docs/meds-profile.md); a pack names drugs without them."""
BIRTH = "MEDS_BIRTH"


@dataclass(frozen=True, slots=True)
class DrugNames:
    """Which drugs the options of a study are."""

    formulary: Formulary
    of_drug: Mapping[str, tuple[str, ...]]
    """Drugs of a pack by name or code, and the options that are this drug, where codes do not say
    so."""

    def codes(self, treatment: Treatment) -> list[tuple[str, ...]]:
        """Codes of drugs of an option, without their family: those of each part of it."""
        by_name = {t.name: t for t in self.formulary.treatments}
        parts = [by_name[name] for name in treatment.together] or [treatment]
        return [tuple(drug_code(code) for code in part.codes) for part in parts]


def describe_pack(pack: PackFile) -> SafetyPack:
    """Where a pack's rules are from, and until when they hold."""
    return SafetyPack(
        pack.name,
        pack.title,
        pack.version,
        pack.date.isoformat(),
        pack.expires.isoformat(),
        pack.licence,
        pack.source,
        pack.reviewed_by,
        pack.sha256,
    )


def resolve_rules(pack: PackFile, drugs: DrugNames) -> tuple[SafetyRule, ...]:
    """The rules of a pack that concern an option of the study; a duplicate's once an option."""
    rules = []
    for section in pack.rules:
        rule = _rule(section, pack)
        same: dict[SafetyRule, list[str]] = {}
        for treatment in drugs.formulary.treatments:
            if not _is_drug(treatment, section, pack, drugs):
                continue
            own = _for_option(rule, section, (pack, drugs), treatment)
            same.setdefault(own, []).append(treatment.name)
        rules += [replace(own, options=tuple(names)) for own, names in same.items()]
    return tuple(rules)


def drug_code(code: str) -> str:
    """The code of a drug without its family."""
    family, _, rest = code.partition("//")
    return rest if family in FAMILIES else code


def is_same_drug(a: str, b: str) -> bool:
    """Whether two codes without families are the same drug, or one is a form of the other."""
    return has_prefix(a, b) or has_prefix(b, a)


def drug_codes(pack: PackFile, names: Sequence[str]) -> tuple[str, ...]:
    """Codes of some of a pack's drugs, without families."""
    return tuple(dict.fromkeys(drug_code(code) for name in names for code in pack.drugs[name]))


def _is_drug(treatment: Treatment, rule: PackRule, pack: PackFile, drugs: DrugNames) -> bool:
    named = [*rule.drugs, *drug_codes(pack, rule.drugs)]
    if any(treatment.name in drugs.of_drug.get(name, ()) for name in named):
        return True
    wanted = drug_codes(pack, rule.drugs)
    own = [code for part in drugs.codes(treatment) for code in part]
    return any(is_same_drug(code, drug) for code in own for drug in wanted)


def _rule(section: PackRule, pack: PackFile) -> SafetyRule:
    dose = None
    if section.dose is not None:
        per = pack.facts[section.dose.per].codes if section.dose.per else []
        dose = DoseLimit(
            section.dose.at_most,
            section.dose.at_least,
            section.dose.unit,
            tuple(per),
            section.dose.per or "",
        )
    return SafetyRule(
        name=section.name,
        kind=section.kind,
        effect=section.effect,
        options=(),
        meaning=section.meaning,
        source=section.source,
        strength=section.strength,
        dose=dose,
        pack=pack.name,
        version=pack.version,
    )


def _for_option(
    rule: SafetyRule,
    section: PackRule,
    known: tuple[PackFile, DrugNames],
    treatment: Treatment,
) -> SafetyRule:
    """The rule with its conditions, as they are for one option.

    Who takes the option's own drug already takes no duplicate of it. A combination that holds both
    drugs of an interaction is one by itself.
    """
    pack, drugs = known
    parts = drugs.codes(treatment)
    own = tuple(code for part in parts for code in part) if rule.kind == "duplicate" else ()
    any_of = [_fact(c, pack, own) for c in section.any_of]
    all_of = [_fact(c, pack, own) for c in section.all_of]
    if rule.kind == "interaction" and len(parts) > 1:
        rest = [code for part in parts if not _touches(part, section, pack) for code in part]
        met = [c for c in (*section.any_of, *section.all_of) if _is_in(c, pack, rest)]
        any_of = [] if any(c in met for c in section.any_of) else any_of
        all_of = [_fact(c, pack, own) for c in section.all_of if c not in met]
    unless = tuple(_fact(c, pack, own) for c in section.unless)
    return replace(rule, any_of=tuple(any_of), all_of=tuple(all_of), unless=unless)


def _touches(part: tuple[str, ...], section: PackRule, pack: PackFile) -> bool:
    wanted = drug_codes(pack, section.drugs)
    return any(is_same_drug(code, drug) for code in part for drug in wanted)


def _is_in(condition: ConditionSection, pack: PackFile, codes: list[str]) -> bool:
    if condition.drug is None:
        return False
    wanted = drug_codes(pack, [condition.drug])
    return any(is_same_drug(code, drug) for code in codes for drug in wanted)


def _fact(condition: ConditionSection, pack: PackFile, own: tuple[str, ...]) -> Fact:
    """The condition as a fact. own: codes of drugs that do not count."""
    bounds = (condition.at_least, condition.above, condition.at_most, condition.below)
    if condition.drug is not None:
        taken = [
            code
            for code in drug_codes(pack, [condition.drug])
            if not any(is_same_drug(code, mine) for mine in own)
        ]
        codes = tuple(f"{family}//{code}" for code in taken for family in FAMILIES)
        return Fact(codes, condition.drug, within_days=condition.within_days)
    assert condition.fact is not None
    fact = pack.facts[condition.fact]
    days = condition.within_days if condition.within_days is not None else fact.within_days
    return Fact(
        (BIRTH,) if fact.age else tuple(fact.codes),
        condition.fact,
        *bounds,
        unit="a" if fact.age else fact.unit,
        is_age=fact.age,
        within_days=days,
        known_by=tuple(fact.known_by),
    )


def check_dose_units(rules: Sequence[SafetyRule], formulary: Formulary, where: str) -> None:
    """StudyError unless every limit is in the unit of its options' doses."""
    for rule in rules:
        for treatment in formulary.treatments:
            if rule.dose is not None and treatment.name in rule.options:
                allowed = treatment.dose or formulary.dose
                _check_unit(rule, (rule.dose.unit, allowed), treatment, where)


def _check_unit(
    rule: SafetyRule, units: tuple[str, DoseRange | None], treatment: Treatment, where: str
) -> None:
    unit, allowed = units
    if allowed is not None and allowed.unit == unit:
        return
    has = "has no dose" if allowed is None else f"has doses in {allowed.unit}"
    mend = (
        f"give treatment {treatment.name} a `dose` in the study file"
        if allowed is None
        else f"write the limit in {allowed.unit}"
    )
    raise StudyError(
        f"{where}: rule {rule.name}: `dose` is in {unit}, but the study's option "
        f"{treatment.name} {has}; {mend}, or make it a rule of effect warn."
    )
