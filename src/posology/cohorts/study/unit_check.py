"""Units that the records use, against the units that the study declares."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from posology.domain.codes import has_prefix
from posology.domain.study import Study
from posology.errors import StudyError
from posology.records.pipeline.units import unit_conversion

UnitCounts = Mapping[tuple[str, str], int]
"""Numbers in the records by code and unit; the unit is empty where the records give none."""


@dataclass(frozen=True, slots=True)
class DeclaredUnit:
    """A unit that the study file states for the numbers of some codes."""

    place: str
    """Table and key of the study file."""
    codes: tuple[str, ...]
    unit: str
    accepted: tuple[str, ...]
    """Units of the records that mean it: mg, or mg/d, for the dose per day mg/d."""


def declared_units(study: Study) -> Iterator[DeclaredUnit]:
    """Every unit that the study declares for numbers of the records."""
    outcome, kidney = study.outcome, study.profile.kidney
    if outcome.kind in ("value_in_range", "change", "dose_class") and outcome.unit:
        yield DeclaredUnit("[outcome] unit", outcome.codes, outcome.unit, (outcome.unit,))
    for target in study.progression:
        if target.unit:
            place = f"unit of target {target.name}"
            yield DeclaredUnit(place, target.codes, target.unit, (target.unit,))
    for option in study.formulary.treatments:
        dose = option.dose or study.dose
        if option.codes and dose is not None:
            place = f"dose of treatment {option.name}"
            accepted = _dose_units(dose.unit, study.assignment.dose_per)
            yield DeclaredUnit(place, option.codes, dose.unit, accepted)
    yield from _units_of_packs(study)
    if kidney is not None:
        yield DeclaredUnit("[profile] kidney unit", kidney.creatinine, kidney.unit, (kidney.unit,))
        yield DeclaredUnit("[profile] kidney weight", kidney.weight, "kg", ("kg",))


def _units_of_packs(study: Study) -> Iterator[DeclaredUnit]:
    """The units of the numbers that safety rules compare, each once."""
    numbers = {
        (rule.pack, fact.name): DeclaredUnit(
            f"unit of {fact.name} in safety pack {rule.pack}", fact.codes, fact.unit, (fact.unit,)
        )
        for rule in study.safety_packs.rules
        for fact in (*rule.all_of, *rule.any_of, *rule.unless)
        if fact.is_number and not fact.is_age
    }
    yield from numbers.values()


def _dose_units(unit: str, dose_per: str) -> tuple[str, ...]:
    """Units of a dose event: an amount, by the day or week if that is what its number means."""
    amount = unit.removesuffix("/d")
    if amount == unit:
        return (unit,)
    return {"day": (unit, amount), "week": (f"{amount}/wk", amount), "each": (amount,)}[dose_per]


def compare_units(counts: UnitCounts, study: Study) -> list[dict]:
    """As JSON, a row for each declared unit and each unit seen; `message`: how to mend a wrong one.

    Verdicts: `same`, `other spelling`, `not recorded`, `wrong`.
    """
    rows = []
    for declared in declared_units(study):
        for code in declared.codes:
            seen: dict[str, int] = {}
            for (name, unit), count in counts.items():
                if has_prefix(name, code):
                    seen[unit] = seen.get(unit, 0) + count
            for unit, count in sorted(seen.items(), key=lambda item: (-item[1], item[0])):
                rows.append(_compare(declared, code, unit, (count, sum(seen.values()))))
    return rows


def _compare(declared: DeclaredUnit, code: str, unit: str, numbers: tuple[int, int]) -> dict:
    found = [unit_conversion(code, unit, accepted) for accepted in declared.accepted]
    if not unit:
        verdict = "not recorded"
    elif unit in declared.accepted:
        verdict = "same"
    else:
        verdict = "other spelling" if (1.0, 0.0) in found else "wrong"
    row = {
        "place": declared.place,
        "code": code,
        "declared": declared.unit,
        "seen": unit,
        "numbers": numbers[0],
        "of": numbers[1],
        "verdict": verdict,
    }
    if verdict == "wrong":
        usable = [(u, f) for u, f in zip(declared.accepted, found, strict=True) if f is not None]
        row["message"] = _mend(row, usable)
    return row


def _mend(row: dict, usable: list[tuple[str, tuple[float, float]]]) -> str:
    start = (
        f"{row['place']} is `{row['declared']}`, but {row['numbers']:,} of the {row['of']:,} "
        f"numbers of `{row['code']}` are in `{row['seen']}`"
    )
    if not usable:
        return (
            f"{start}, which is no such quantity; if it is another spelling, write it in the study "
            "as the records do, else name other codes."
        )
    unit, (factor, shift) = usable[0]
    plus = f" {shift:+.4g}" if shift else ""
    return (
        f"{start} (number x {factor:.4g}{plus} is `{unit}`); give the code this unit in a file "
        "for `posology ingest --codebook` and ingest again, or state the study's unit, bounds and "
        f"doses in `{row['seen']}`."
    )


def check_units(rows: list[dict], study: Study) -> None:
    """Raise StudyError with every unit of the records that is not the declared one."""
    wrong = [row["message"] for row in rows if row["verdict"] == "wrong"]
    if wrong:
        raise StudyError(f"study {study.name}: " + "\n".join(wrong))
