"""Events of each table of the OMOP CDM, as Ibis expressions with the same columns.

The codes follow the profile in docs/meds-profile.md, as those of FHIR do: code family, vocabulary,
code, then qualifiers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ibis
import ibis.expr.types as ir

from posology.domain.study import PERIOD_END, PERIOD_START
from posology.records.sources.omop.columns import (
    code_part,
    days_between,
    number_text,
    positive,
    read_event_time,
    read_integer,
    read_number,
    read_text,
    read_timestamp,
)
from posology.records.sources.omop.concepts import (
    DRUG_KINDS,
    ETHNICITY,
    OPERATORS,
    RACE,
    SEX,
    STAYS,
    VISITS,
)
from posology.records.sources.omop.strengths import NO_VALID_STRENGTH, read_strengths


@dataclass(frozen=True, slots=True, eq=False)
class Cdm:
    """The tables of the data, by their lower-case names."""

    tables: dict[str, ir.Table]

    @property
    def concepts(self) -> ir.Table | None:
        """The vocabulary: concept_key, concept_code such as `SNOMED//22298006`, concept_name."""
        table = self.tables.get("concept")
        if table is None:
            return None
        family = read_text(table, "vocabulary_id").upper().re_replace("[^A-Z0-9]+", "_")
        return table.select(
            concept_key=read_integer(table, "concept_id"),
            concept_code=family + "//" + code_part(read_text(table, "concept_code")),
            concept_name=read_text(table, "concept_name"),
        ).filter(lambda t: t.concept_key > 0)


def table_events(cdm: Cdm, name: str) -> list[ir.Table]:
    """The table's events: RAW without `source`; field, value and reason of a rejected row."""
    return list(TABLES[name](cdm, cdm.tables[name]))


def _person(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    birth = ibis.coalesce(read_timestamp(table, "birth_datetime"), *_birth_dates(table))
    yield _events(table, "MEDS_BIRTH", birth, fields=("person_id", "year_of_birth"))
    for family, column, known in (
        ("SEX", "gender", SEX),
        ("RACE", "race", RACE),
        ("ETHNICITY", "ethnicity", ETHNICITY),
    ):
        concept = read_integer(table, f"{column}_concept_id")
        source = code_part(read_text(table, f"{column}_source_value"))
        other = ibis.ifelse(concept > 0, "OMOP//" + concept.cast("string"), "SOURCE//" + source)
        name = concept.cases(*known.items(), else_=ibis.null("string"))
        yield _accepted(
            _events(table, f"{family}//" + name.fill_null(other), None, fields=("person_id",))
        )
    if "location" in cdm.tables:
        place = cdm.tables["location"]
        place = place.select(
            place_key=read_integer(place, "location_id"),
            place_code=ibis.coalesce(
                "ZIP//" + code_part(read_text(place, "zip")),
                "STATE//" + code_part(read_text(place, "state")),
                "SOURCE//" + code_part(read_text(place, "location_source_value")),
            ),
        )
        table = table.mutate(place_id=read_integer(table, "location_id"))
        table = table.left_join(place, table.place_id == place.place_key)
        yield _accepted(
            _events(table, "LOCATION//" + table.place_code, None, fields=("person_id",))
        )


def _birth_dates(table: ir.Table) -> tuple[ir.Value, ir.Value]:
    """Date of birth from year, month and day: for days up to 28, and for later days."""
    year = read_integer(table, "year_of_birth")
    month = read_integer(table, "month_of_birth").fill_null(1)
    day = read_integer(table, "day_of_birth").fill_null(1)
    is_early = year.between(1, 9999) & month.between(1, 12) & day.between(1, 28)
    early = ibis.ifelse(
        is_early,
        year.cast("string").lpad(4, "0")
        + "-"
        + month.cast("string").lpad(2, "0")
        + "-"
        + day.cast("string").lpad(2, "0"),
        ibis.null("string"),
    ).cast("timestamp")
    # months differ in length: add the days to the first of the month, and check the month
    is_late = day.between(29, 31) & month.between(1, 12) & year.between(1, 9999)
    first = ibis.ifelse(
        is_late,
        year.cast("string").lpad(4, "0") + "-" + month.cast("string").lpad(2, "0") + "-01",
        ibis.null("string"),
    ).cast("timestamp")
    late = first + ibis.ifelse(is_late, day - 1, 0).as_interval("D")
    return early, ibis.ifelse(late.month() == month, late, ibis.null("timestamp"))


def _visit(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    table = _with_code(cdm, table, "visit", "visit_concept_id", "visit_source_value")
    concept = read_integer(table, "visit_concept_id")
    kind = concept.cases(*VISITS.items(), else_=ibis.null("string"))
    code = "VISIT//" + kind.fill_null(table.visit_code)
    fields = ("visit_occurrence_id", "visit_start_date", "visit_concept_id")
    yield _events(table, code + "//start", read_event_time(table, "visit_start"), fields=fields)
    yield _accepted(
        _events(table, code + "//end", read_event_time(table, "visit_end"), fields=fields)
    )


def _condition(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    name, known = "condition", read_event_time(table, "condition_start")
    if "visit_occurrence" in cdm.tables and "visit_occurrence_id" in table.columns:
        visits = cdm.tables["visit_occurrence"]
        stays = (
            visits.select(
                stay_key=read_integer(visits, "visit_occurrence_id"),
                stay_kind=read_integer(visits, "visit_concept_id"),
                stay_end=read_event_time(visits, "visit_end"),
            )
            .filter(lambda t: t.stay_kind.isin(STAYS) & t.stay_end.notnull())
            .group_by("stay_key")
            .agg(stay_end=lambda t: t.stay_end.max())
        )
        table = table.mutate(stay_id=read_integer(table, "visit_occurrence_id"), start_time=known)
        table = table.left_join(stays, table.stay_id == stays.stay_key)
        known = ibis.ifelse(table.stay_end > table.start_time, table.stay_end, table.start_time)
    table = table.mutate(known=known)
    table = _with_code(cdm, table, name, "condition_concept_id", "condition_source_value")
    fields = ("condition_occurrence_id", "condition_start_date", "condition_concept_id")
    yield _events(table, "CONDITION//" + table.condition_code, table.known, fields=fields)


def _drug(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    table = _with_code(cdm, table, "drug", "drug_concept_id", "drug_source_value")
    kind = read_integer(table, "drug_type_concept_id").cases(*DRUG_KINDS.items(), else_="recorded")
    table = table.mutate(kind=kind, start_time=read_event_time(table, "drug_exposure_start"))
    route = read_text(table, "route_source_value")
    sig = read_text(table, "sig").fill_null("route " + route)
    fields = ("drug_exposure_id", "drug_exposure_start_date", "drug_concept_id")
    code = "DRUG//" + table.drug_code + "//" + table.kind
    yield _events(table, code, table.start_time, text=sig, fields=fields)
    if "drug_strength" in cdm.tables:
        yield from _daily_doses(cdm, table, fields)


def _daily_doses(cdm: Cdm, table: ir.Table, fields: tuple[str, ...]) -> Iterator[ir.Table]:
    """The dose per day of each ingredient: strength x quantity / days (Burkard et al. 2024,
    Pharmacoepidemiol Drug Saf 33:e5809); 24 times the strength if it is a release per hour."""
    parts = read_strengths(cdm.tables["drug_strength"])
    start, end = table.start_time.date(), read_event_time(table, "drug_exposure_end").date()
    length = days_between(start, end) + 1
    days = positive(read_integer(table, "days_supply")).fill_null(positive(length)).cast("float64")
    table = table.mutate(
        days=days,
        quantity_taken=positive(read_number(table, "quantity")),
        drug_key=read_integer(table, "drug_concept_id"),
    )
    table = table.join(parts, table.drug_key == parts.strength_drug)
    lost = _accepted(
        _events(
            table.filter(table.is_lost), "", table.start_time, fields=(*fields[:2], "ingredient")
        )
    )
    yield lost.mutate(
        field=ibis.literal("ingredient_concept_id"),
        value=lost.code_cell,
        reason=ibis.literal(NO_VALID_STRENGTH),
    )
    table = _with_code(cdm, table, "ingredient", "ingredient", None)
    table = _with_unit(cdm, table, "dose_unit", None)
    rate = ibis.ifelse(table.denominator > 0, table.numerator / table.denominator, None)
    taken = table.quantity_taken / table.days
    daily = ibis.coalesce(
        table.amount * taken, ibis.ifelse(table.per_hour, rate * 24.0, rate * taken)
    )
    code = "DRUG_PER_DAY//" + table.ingredient_code + "//" + table.kind
    events = _events(
        table, code, table.start_time, (daily, table.unit_symbol + "/d"), fields=fields
    )
    yield _accepted(events).filter(lambda t: t.numeric_value.notnull())


def _procedure(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    table = _with_code(cdm, table, "procedure", "procedure_concept_id", "procedure_source_value")
    fields = ("procedure_occurrence_id", "procedure_date", "procedure_concept_id")
    yield _events(
        table,
        "PROCEDURE//" + table.procedure_code,
        read_event_time(table, "procedure"),
        fields=fields,
    )


def _measurement(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    yield _valued(cdm, table, "measurement")


def _observation(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    yield _valued(cdm, table, "observation")


def _valued(cdm: Cdm, table: ir.Table, name: str) -> ir.Table:
    """A measurement or observation: a number with its unit, a coded answer, or a text."""
    table = _with_code(cdm, table, name, f"{name}_concept_id", f"{name}_source_value")
    table = _with_code(cdm, table, "answer", "value_as_concept_id", None)
    table = _with_unit(cdm, table, "unit_concept_id", "unit_source_value")
    number = read_number(table, "value_as_number")
    answer = ibis.ifelse(number.isnull(), "//" + table.answer_code, None).fill_null("")
    sign = read_integer(table, "operator_concept_id").cases(
        *OPERATORS.items(), else_=ibis.null("string")
    )
    answer_text = ibis.coalesce(
        read_text(table, "value_as_string"),
        table.answer_name,
        ibis.ifelse(number.isnull(), read_text(table, "value_source_value"), None),
    )
    text = ibis.coalesce(sign + number_text(number), answer_text)
    code = name.upper() + "//" + table[f"{name}_code"] + answer
    fields = (f"{name}_id", f"{name}_date", f"{name}_concept_id")
    return _events(
        table, code, read_event_time(table, name), (number, table.unit_symbol), text, fields
    )


def _device(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    table = _with_code(cdm, table, "device", "device_concept_id", "device_source_value")
    fields = ("device_exposure_id", "device_exposure_start_date", "device_concept_id")
    known = read_event_time(table, "device_exposure_start")
    yield _events(table, "DEVICE//" + table.device_code, known, fields=fields)


def _death(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    died = read_event_time(table, "death")
    yield _events(table, "MEDS_DEATH", died, fields=("person_id", "death_date"))
    table = _with_code(cdm, table, "cause", "cause_concept_id", "cause_source_value")
    code = "CAUSE_OF_DEATH//" + table.cause_code
    yield _accepted(
        _events(table, code, read_event_time(table, "death"), fields=("person_id", "death_date"))
    )


def _observation_period(_cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    """When a patient's events are recorded: from the first day to the end of the last one."""
    name = "observation_period"
    start, end = (read_event_time(table, f"{name}_{side}") for side in ("start", "end"))
    last_second = end.truncate("D") + ibis.interval(seconds=86_399)
    yield _events(table, PERIOD_START, start, fields=(f"{name}_id", f"{name}_start_date"))
    yield _events(table, PERIOD_END, last_second, fields=(f"{name}_id", f"{name}_end_date"))


def _visit_detail(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    """Stays within a visit, such as on a ward."""
    table = _with_code(cdm, table, "detail", "visit_detail_concept_id", "visit_detail_source_value")
    kind = read_integer(table, "visit_detail_concept_id")
    known = kind.cases(*VISITS.items(), else_=ibis.null("string"))
    code = "VISIT_DETAIL//" + known.fill_null(table.detail_code)
    fields = ("visit_detail_id", "visit_detail_start_date", "visit_detail_concept_id")
    start, end = (read_event_time(table, f"visit_detail_{side}") for side in ("start", "end"))
    yield _events(table, code + "//start", start, fields=fields)
    yield _accepted(_events(table, code + "//end", end, fields=fields))


def _note(cdm: Cdm, table: ir.Table) -> Iterator[ir.Table]:
    """That a note of this class was written; its text is not read, since it may name persons."""
    table = _with_code(cdm, table, "note", "note_class_concept_id", None)
    code = "NOTE//" + table.note_code.fill_null("unknown")
    yield _events(table, code, read_event_time(table, "note"), fields=("note_id", "note_date"))


TABLES: dict[str, Any] = {
    "person": _person,
    "observation_period": _observation_period,
    "visit_occurrence": _visit,
    "visit_detail": _visit_detail,
    "condition_occurrence": _condition,
    "drug_exposure": _drug,
    "procedure_occurrence": _procedure,
    "measurement": _measurement,
    "observation": _observation,
    "device_exposure": _device,
    "death": _death,
    "note": _note,
}
"""The tables that have events."""
VOCABULARY = (
    *("vocabulary", "domain", "concept_class", "concept_relationship", "relationship"),
    *("concept_synonym", "concept_ancestor", "source_to_concept_map", "cdm_source", "metadata"),
    *("cohort", "cohort_definition", "care_site", "provider"),
)
"""Tables of the CDM that say nothing of patients beyond what other tables say: not listed."""
UNREAD = (
    *("note_nlp", "specimen", "fact_relationship", "payer_plan_period", "cost", "drug_era"),
    *("dose_era", "condition_era", "episode", "episode_event", "image_occurrence"),
)
"""Tables of the CDM that are not read; each is one rejected row, so that nobody misses it."""


def _events(
    table: ir.Table,
    code: ir.StringValue | str,
    time: ir.TimestampValue | None,
    amount: tuple[ir.Value, ir.Value] | None = None,
    text: ir.StringValue | None = None,
    fields: tuple[str, ...] = (),
) -> ir.Table:
    """One event per row. `fields` are the columns of the row's id, its date and its code."""
    number, unit = amount or (ibis.null("float64"), ibis.null("string"))
    rows = table.select(
        subject_id=read_integer(table, "person_id"),
        time=ibis.null("timestamp") if time is None else time,
        code=ibis.literal(code) if isinstance(code, str) else code,
        numeric_value=number,
        text_value=ibis.null("string") if text is None else text,
        unit=unit,
        row=read_integer(table, fields[0]),
        subject_cell=read_text(table, "person_id"),
        time_cell=read_text(table, fields[1]) if len(fields) > 1 else ibis.null("string"),
        code_cell=read_text(table, fields[2]) if len(fields) > 2 else ibis.null("string"),
    )
    code_field = fields[2] if len(fields) > 2 else "code"
    no_code = "has neither a concept nor a source value"
    faults = [
        (rows.subject_id.isnull(), "person_id", rows.subject_cell, "names no subject"),
        (rows.code.isnull(), code_field, rows.code_cell, no_code),
    ]
    if time is not None:
        date = fields[1] if len(fields) > 1 else "date"
        faults.append((rows.time.isnull(), date, rows.time_cell, "is not a date"))
    missing = ibis.null("string")
    return rows.mutate(
        field=ibis.cases(*[(fault[0], fault[1]) for fault in faults], else_=missing),
        value=ibis.cases(*[(fault[0], fault[2]) for fault in faults], else_=missing),
        reason=ibis.cases(*[(fault[0], fault[3]) for fault in faults], else_=missing),
    )


def _accepted(events: ir.Table) -> ir.Table:
    """The valid events of an optional fact: a row without it is not rejected."""
    return events.filter(events.field.isnull())


def _with_code(cdm: Cdm, table: ir.Table, name: str, concept: str, source: str | None) -> ir.Table:
    """Add `{name}_code`, the standard code (or OMOP's id, or the source value), and its name."""
    key = positive(read_integer(table, concept))
    table = table.mutate(**{f"{name}_key": key})
    if cdm.concepts is None:
        null = ibis.null("string")
        table = table.mutate(**{f"{name}_standard": null, f"{name}_name": null})
    else:
        concepts = cdm.concepts.rename(
            {
                f"{name}_id_": "concept_key",
                f"{name}_standard": "concept_code",
                f"{name}_name": "concept_name",
            }
        )
        table = table.left_join(concepts, table[f"{name}_key"] == concepts[f"{name}_id_"])
    choices = [table[f"{name}_standard"], "OMOP//" + table[f"{name}_key"].cast("string")]
    if source is not None:
        choices.append("SOURCE//" + code_part(read_text(table, source)))
    return table.mutate(**{f"{name}_code": ibis.coalesce(*choices)})


def _with_unit(cdm: Cdm, table: ir.Table, concept: str, source: str | None) -> ir.Table:
    """Add `unit_symbol`: the unit's UCUM code, or the source's spelling."""
    table = _with_code(cdm, table, "unit", concept, None)
    ucum = ibis.ifelse(
        table.unit_standard.startswith("UCUM//"),
        table.unit_standard.re_replace("^UCUM//", ""),
        None,
    )
    spelled = ibis.null("string") if source is None else read_text(table, source)
    return table.mutate(unit_symbol=ibis.coalesce(ucum, spelled))
