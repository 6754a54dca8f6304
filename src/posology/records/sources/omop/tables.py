"""What each table of the OMOP CDM tells, as Ibis expressions in one shape.

The codes follow the profile in docs/meds-profile.md, the same as FHIR's: the kind of fact, the
vocabulary, the code, then what qualifies it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir

from posology.records.sources.omop.concepts import (
    DRUG_KINDS,
    ETHNICITY,
    HOUR,
    OPERATORS,
    RACE,
    SEX,
    STAYS,
    VISITS,
)

LARGEST = 3.4028234e38
"""The largest number that a MEDS value (32 bits, IEEE 754) holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Cdm:
    """The tables that are there, by their lower-case names."""

    tables: dict[str, ir.Table]

    @property
    def concepts(self) -> ir.Table | None:
        """The vocabulary: concept_key, concept_told such as `SNOMED//22298006`, concept_name."""
        table = self.tables.get("concept")
        if table is None:
            return None
        family = _text(table, "vocabulary_id").upper().re_replace("[^A-Z0-9]+", "_")
        return table.select(
            concept_key=_whole(table, "concept_id"),
            concept_told=family + "//" + _part(_text(table, "concept_code")),
            concept_name=_text(table, "concept_name"),
        ).filter(lambda t: t.concept_key > 0)


def facts_of(cdm: Cdm, name: str) -> list[ir.Table]:
    """The table's facts: RAW without `source`, and field, value, reason where a row is none."""
    return list(TABLES[name](cdm, cdm.tables[name]))


def _person(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    year = _whole(table, "year_of_birth")
    month = _whole(table, "month_of_birth").fill_null(1)
    day = _whole(table, "day_of_birth").fill_null(1)
    real = year.between(1, 9999) & month.between(1, 12) & day.between(1, 28)
    made = ibis.ifelse(
        real,
        year.cast("string").lpad(4, "0")
        + "-"
        + month.cast("string").lpad(2, "0")
        + "-"
        + day.cast("string").lpad(2, "0"),
        ibis.null("string"),
    ).cast("timestamp")
    # not every month has them: the first of the month, and so many days on, if it is that month yet
    late = day.between(29, 31) & month.between(1, 12) & year.between(1, 9999)
    first = ibis.ifelse(
        late,
        year.cast("string").lpad(4, "0") + "-" + month.cast("string").lpad(2, "0") + "-01",
        ibis.null("string"),
    ).cast("timestamp")
    whole = first + ibis.ifelse(late, day - 1, 0).as_interval("D")
    whole = ibis.ifelse(whole.month() == month, whole, ibis.null("timestamp"))
    birth = ibis.coalesce(_moment(table, "birth_datetime"), made, whole)
    yield _facts(table, "MEDS_BIRTH", birth, told=("person_id", "year_of_birth"))
    for family, column, known in (
        ("SEX", "gender", SEX),
        ("RACE", "race", RACE),
        ("ETHNICITY", "ethnicity", ETHNICITY),
    ):
        concept = _whole(table, f"{column}_concept_id")
        source = _part(_text(table, f"{column}_source_value"))
        other = ibis.ifelse(concept > 0, "OMOP//" + concept.cast("string"), "SOURCE//" + source)
        name = concept.cases(*known.items(), else_=ibis.null("string"))
        yield _only(_facts(table, f"{family}//" + name.fill_null(other), None, told=("person_id",)))
    if "location" in cdm.tables:
        place = cdm.tables["location"]
        place = place.select(
            place_key=_whole(place, "location_id"),
            place_told=ibis.coalesce(
                "ZIP//" + _part(_text(place, "zip")),
                "STATE//" + _part(_text(place, "state")),
                "SOURCE//" + _part(_text(place, "location_source_value")),
            ),
        )
        table = table.mutate(place_id=_whole(table, "location_id"))
        table = table.left_join(place, table.place_id == place.place_key)
        yield _only(_facts(table, "LOCATION//" + table.place_told, None, told=("person_id",)))


def _visit(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    table = _with_code(cdm, table, "visit", "visit_concept_id", "visit_source_value")
    concept = _whole(table, "visit_concept_id")
    kind = concept.cases(*VISITS.items(), else_=ibis.null("string"))
    code = "VISIT//" + kind.fill_null(table.visit_told)
    told = ("visit_occurrence_id", "visit_start_date", "visit_concept_id")
    yield _facts(table, code + "//start", _dated(table, "visit_start"), told=told)
    yield _only(_facts(table, code + "//end", _dated(table, "visit_end"), told=told))


def _condition(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    name, known = "condition", _dated(table, "condition_start")
    if "visit_occurrence" in cdm.tables and "visit_occurrence_id" in table.columns:
        visits = cdm.tables["visit_occurrence"]
        stays = (
            visits.select(
                stay_key=_whole(visits, "visit_occurrence_id"),
                stay_kind=_whole(visits, "visit_concept_id"),
                stay_end=_dated(visits, "visit_end"),
            )
            .filter(lambda t: t.stay_kind.isin(STAYS) & t.stay_end.notnull())
            .group_by("stay_key")
            .agg(stay_end=lambda t: t.stay_end.max())
        )
        table = table.mutate(stay_id=_whole(table, "visit_occurrence_id"), begun=known)
        table = table.left_join(stays, table.stay_id == stays.stay_key)
        known = ibis.ifelse(table.stay_end > table.begun, table.stay_end, table.begun)
    table = table.mutate(known=known)
    table = _with_code(cdm, table, name, "condition_concept_id", "condition_source_value")
    told = ("condition_occurrence_id", "condition_start_date", "condition_concept_id")
    yield _facts(table, "CONDITION//" + table.condition_told, table.known, told=told)


def _drug(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    table = _with_code(cdm, table, "drug", "drug_concept_id", "drug_source_value")
    kind = _whole(table, "drug_type_concept_id").cases(*DRUG_KINDS.items(), else_="recorded")
    table = table.mutate(kind=kind, begun=_dated(table, "drug_exposure_start"))
    route = _text(table, "route_source_value")
    sig = _text(table, "sig").fill_null("route " + route)
    told = ("drug_exposure_id", "drug_exposure_start_date", "drug_concept_id")
    code = "DRUG//" + table.drug_told + "//" + table.kind
    yield _facts(table, code, table.begun, text=sig, told=told)
    if "drug_strength" in cdm.tables:
        yield from _daily_doses(cdm, table, told)


def _daily_doses(cdm: Cdm, table: ir.Table, told: tuple[str, ...]) -> Iterator[ir.Table]:
    """The dose per day of each ingredient: strength x quantity / days (Burkard et al. 2024,
    Pharmacoepidemiol Drug Saf 33:e5809); of a release per hour, 24 of them."""
    strength = cdm.tables["drug_strength"]
    parts = strength.select(
        strength_of=_whole(strength, "drug_concept_id"),
        ingredient=_whole(strength, "ingredient_concept_id"),
        amount=_number(strength, "amount_value"),
        numerator=_number(strength, "numerator_value"),
        denominator=_number(strength, "denominator_value").fill_null(1.0),
        per_hour=_whole(strength, "denominator_unit_concept_id").isin([HOUR]),
        dose_unit=ibis.coalesce(
            _positive(_whole(strength, "amount_unit_concept_id")),
            _whole(strength, "numerator_unit_concept_id"),
        ),
    ).distinct()
    start, end = table.begun.date(), _dated(table, "drug_exposure_end").date()
    length = _days_between(start, end) + 1
    days = _positive(_whole(table, "days_supply")).fill_null(_positive(length)).cast("float64")
    table = table.mutate(
        days=days,
        amount_taken=_positive(_number(table, "quantity")),
        drug_key=_whole(table, "drug_concept_id"),
    )
    table = table.join(parts, table.drug_key == parts.strength_of)
    table = _with_code(cdm, table, "ingredient", "ingredient", None)
    table = _with_unit(cdm, table, "dose_unit", None)
    rate = ibis.ifelse(table.denominator > 0, table.numerator / table.denominator, None)
    taken = table.amount_taken / table.days
    daily = ibis.coalesce(
        table.amount * taken, ibis.ifelse(table.per_hour, rate * 24.0, rate * taken)
    )
    code = "DRUG_PER_DAY//" + table.ingredient_told + "//" + table.kind
    facts = _facts(table, code, table.begun, (daily, table.unit_told + "/d"), told=told)
    yield _only(facts).filter(lambda t: t.numeric_value.notnull())


def _procedure(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    table = _with_code(cdm, table, "procedure", "procedure_concept_id", "procedure_source_value")
    told = ("procedure_occurrence_id", "procedure_date", "procedure_concept_id")
    yield _facts(table, "PROCEDURE//" + table.procedure_told, _dated(table, "procedure"), told=told)


def _measurement(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    yield _valued(cdm, table, "measurement")


def _observation(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    yield _valued(cdm, table, "observation")


def _valued(cdm: Cdm, table: ir.Table, name: str) -> ir.Table:
    """A measurement or observation: a number with its unit, a coded answer, or a text."""
    table = _with_code(cdm, table, name, f"{name}_concept_id", f"{name}_source_value")
    table = _with_code(cdm, table, "answer", "value_as_concept_id", None)
    table = _with_unit(cdm, table, "unit_concept_id", "unit_source_value")
    number = _number(table, "value_as_number")
    answer = ibis.ifelse(number.isnull(), "//" + table.answer_told, None).fill_null("")
    sign = _whole(table, "operator_concept_id").cases(*OPERATORS.items(), else_=ibis.null("string"))
    words = ibis.coalesce(
        _text(table, "value_as_string"), table.answer_name,
        ibis.ifelse(number.isnull(), _text(table, "value_source_value"), None),
    )  # fmt: skip
    text = ibis.coalesce(sign + _short(number), words)
    code = name.upper() + "//" + table[f"{name}_told"] + answer
    told = (f"{name}_id", f"{name}_date", f"{name}_concept_id")
    return _facts(table, code, _dated(table, name), (number, table.unit_told), text, told)


def _device(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    table = _with_code(cdm, table, "device", "device_concept_id", "device_source_value")
    told = ("device_exposure_id", "device_exposure_start_date", "device_concept_id")
    known = _dated(table, "device_exposure_start")
    yield _facts(table, "DEVICE//" + table.device_told, known, told=told)


def _death(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    died = _dated(table, "death")
    yield _facts(table, "MEDS_DEATH", died, told=("person_id", "death_date"))
    table = _with_code(cdm, table, "cause", "cause_concept_id", "cause_source_value")
    code = "CAUSE_OF_DEATH//" + table.cause_told
    yield _only(_facts(table, code, _dated(table, "death"), told=("person_id", "death_date")))


TABLES: dict[str, Any] = {
    "person": _person,
    "visit_occurrence": _visit,
    "condition_occurrence": _condition,
    "drug_exposure": _drug,
    "procedure_occurrence": _procedure,
    "measurement": _measurement,
    "observation": _observation,
    "device_exposure": _device,
    "death": _death,
}
"""The tables that hold events."""


def _facts(
    table: ir.Table,
    code: ir.StringValue | str,
    time: ir.TimestampValue | None,
    amount: tuple[ir.Value, ir.Value] | None = None,
    text: ir.StringValue | None = None,
    told: tuple[str, ...] = (),
) -> ir.Table:
    """One fact a row. `told` names the columns of the row's id, its date and its code."""
    number, unit = amount or (ibis.null("float64"), ibis.null("string"))
    rows = table.select(
        subject_id=_whole(table, "person_id"),
        time=ibis.null("timestamp") if time is None else time,
        code=ibis.literal(code) if isinstance(code, str) else code,
        numeric_value=number,
        text_value=ibis.null("string") if text is None else text,
        unit=unit,
        row=_whole(table, told[0]),
        subject_told=_text(table, "person_id"),
        time_told=_text(table, told[1]) if len(told) > 1 else ibis.null("string"),
        code_told=_text(table, told[2]) if len(told) > 2 else ibis.null("string"),
    )
    problems = [
        (rows.subject_id.isnull(), "person_id", rows.subject_told, "names no subject"),
        (rows.code.isnull(), (*told, "code")[2] if len(told) > 2 else "code", rows.code_told,
         "has neither a concept nor a source value"),
    ]  # fmt: skip
    if time is not None:
        date = told[1] if len(told) > 1 else "date"
        problems.append((rows.time.isnull(), date, rows.time_told, "is not a date"))
    missing = ibis.null("string")
    return rows.mutate(
        field=ibis.cases(*[(p[0], p[1]) for p in problems], else_=missing),
        value=ibis.cases(*[(p[0], p[2]) for p in problems], else_=missing),
        reason=ibis.cases(*[(p[0], p[3]) for p in problems], else_=missing),
    )


def _only(facts: ir.Table) -> ir.Table:
    """The facts that are there; a row that lacks this fact is not refused for it."""
    return facts.filter(facts.field.isnull())


def _with_code(cdm: Cdm, table: ir.Table, name: str, concept: str, source: str | None) -> ir.Table:
    """Adds `name_told`, the standard code (or OMOP's own id, or the source's), and `name_name`."""
    key = _positive(_whole(table, concept))
    table = table.mutate(**{f"{name}_key": key})
    if cdm.concepts is None:
        table = table.mutate(**{f"{name}_found": ibis.null("string"),
                                f"{name}_name": ibis.null("string")})  # fmt: skip
    else:
        words = cdm.concepts.rename(
            {f"{name}_id_": "concept_key", f"{name}_found": "concept_told",
             f"{name}_name": "concept_name"}
        )  # fmt: skip
        table = table.left_join(words, table[f"{name}_key"] == words[f"{name}_id_"])
    choices = [table[f"{name}_found"], "OMOP//" + table[f"{name}_key"].cast("string")]
    if source is not None:
        choices.append("SOURCE//" + _part(_text(table, source)))
    return table.mutate(**{f"{name}_told": ibis.coalesce(*choices)})


def _with_unit(cdm: Cdm, table: ir.Table, concept: str, source: str | None) -> ir.Table:
    """Adds `unit_told`: the unit's UCUM code, or as the source spelled it."""
    table = _with_code(cdm, table, "unit", concept, None)
    ucum = ibis.ifelse(
        table.unit_found.startswith("UCUM//"), table.unit_found.re_replace("^UCUM//", ""), None
    )
    spelled = ibis.null("string") if source is None else _text(table, source)
    return table.mutate(unit_told=ibis.coalesce(ucum, spelled))


def _column(table: ir.Table, name: str) -> ir.Value | None:
    return table[name] if name in table.columns else None


def _cast(table: ir.Table, name: str, kind: str) -> ir.Value:
    """The column as this type; a text that is none of it is null, and so is a missing column."""
    column = _column(table, name)
    if column is None:
        return ibis.null(kind)
    return column.try_cast(kind) if column.type().is_string() else column.cast(kind)


def _whole(table: ir.Table, name: str) -> ir.Value:
    return _cast(table, name, "int64")


def _number(table: ir.Table, name: str) -> ir.Value:
    number = _cast(table, name, "float64")
    return ibis.ifelse(number.abs() > LARGEST, None, number)


def _text(table: ir.Table, name: str) -> ir.Value:
    column = _column(table, name)
    if column is None:
        return ibis.null("string")
    return column.cast("string").strip().nullif("")


def _moment(table: ir.Table, name: str) -> ir.Value:
    return _cast(table, name, "timestamp")


def _dated(table: ir.Table, name: str) -> ir.Value:
    """When `name_datetime` says, or the start of the day that `name_date` says."""
    return ibis.coalesce(_moment(table, f"{name}_datetime"), _moment(table, f"{name}_date"))


def _part(text: ir.Value) -> ir.Value:
    """A text as one part of a code: no white space, no `//`."""
    return text.re_replace("[ \t\r\n]+", "_").re_replace("//+", "/")


def _positive(number: ir.Value) -> ir.Value:
    return ibis.ifelse(number > 0, number, None)


def _short(number: ir.Value) -> ir.Value:
    return number.cast("string").re_replace("\\.0$", "")


def _days_between(start: ir.Value, end: ir.Value) -> ir.Value:
    return end.delta(start, unit="day")
