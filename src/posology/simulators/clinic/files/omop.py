"""The clinic as OMOP CDM 5.4 tables, one Parquet file per table.

Concept ids are local (2,000,000,001 and up, OMOP's range for sites), because Athena's ids cannot be
distributed; the concept table has the vocabulary and code of each.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from posology.simulators.clinic.events import CODES, MINUTES, ROW, Code, Events
from posology.simulators.clinic.files.periods import observation_periods
from posology.simulators.clinic.options import METFORMIN, OPTIONS

FIRST_CONCEPT = 2_000_000_001
OUTPATIENT, EHR, ORDERED, FEMALE, MALE = 9202, 32817, 32838, 8532, 8507
"""Standard concepts: outpatient visit, EHR record and prescription, the two genders."""
MILLIGRAM = FIRST_CONCEPT + 500
DAYS_SUPPLY = 90
"""Days of a prescription here."""
UNITS = tuple(sorted({code.unit for code in CODES if code.unit}))


def concept_id(row: int) -> int:
    """The concept id of a row of `CODES`."""
    special = {"Visit": OUTPATIENT, "Gender": FEMALE if CODES[row].code == "F" else MALE}
    first = next(k for k, code in enumerate(CODES) if _same(code, CODES[row]))
    return special.get(CODES[row].domain, FIRST_CONCEPT + first)


def unit_size(code: Code) -> float:
    """Mg (units for insulin) in one tablet or pen step."""
    sizes = {option.name: option.unit_dose for option in OPTIONS}
    return {**sizes, METFORMIN[0]: METFORMIN[2], "insulin": 1.0}[code.name]


def answer_concept_id(row: int) -> int | None:
    """The concept id of the answer of a row of `CODES`, None without an answer."""
    return FIRST_CONCEPT + 800 + row if CODES[row].answer else None


def _same(one: Code, other: Code) -> bool:
    return (one.vocabulary, one.code) == (other.vocabulary, other.code)


@dataclass(frozen=True, slots=True, eq=False)
class OmopFolder:
    """Tables being written; ids continue from chunk to chunk."""

    folder: Path
    writers: dict[str, pq.ParquetWriter] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)

    def append(self, name: str, columns: dict[str, object]) -> None:
        """Append rows to a table."""
        table = pa.table(columns)
        if name not in self.writers:
            self.folder.mkdir(parents=True, exist_ok=True)
            place = self.folder / f"{name}.parquet"
            self.writers[name] = pq.ParquetWriter(place, table.schema, compression="zstd")
        self.writers[name].write_table(table)
        self.written[name] = self.written.get(name, 0) + table.num_rows

    def close(self) -> None:
        """Close every file."""
        for writer in self.writers.values():
            writer.close()


def write_omop(out: OmopFolder, events: Events) -> None:
    """Append a chunk's events."""
    domain = np.array([code.domain for code in CODES])[events.code]
    _people(out, events)
    _visits(out, _rows(events, events.code == ROW["visit"]))
    for name, make_columns in (
        ("Condition", _condition),
        ("Drug", _drug),
        ("Measurement", _measurement),
        ("Observation", _observation),
        ("Procedure", _procedure),
    ):
        some = _rows(events, domain == name)
        table, columns = make_columns(some)
        first = out.written.get(table, 0) + 1
        ids = np.arange(first, first + len(some.code))
        out.append(table, {f"{table}_id": ids, **columns})
    dead = _rows(events, events.code == ROW["death"])
    out.append(
        "death",
        {
            "person_id": dead.subject_id,
            **_when("death", dead),
            "death_type_concept_id": _constant(dead, EHR),
        },
    )


def write_vocabulary(out: OmopFolder) -> None:
    """Write the concept and drug_strength tables."""
    _write_concepts(out)
    _write_drug_strengths(out)


def _write_concepts(out: OmopFolder) -> None:
    concepts_of_codes = {
        concept_id(row): (code.title, code.domain, code.vocabulary, code.code)
        for row, code in enumerate(CODES)
        if code.domain != "Meta"
    }
    concepts_of_codes[concept_id(ROW["smoker"])] = (
        "Tobacco smoking status",
        "Observation",
        "LOINC",
        "72166-2",
    )
    rows = [(concept, *rest) for concept, rest in concepts_of_codes.items()]
    rows += [
        (FIRST_CONCEPT + 800 + row, code.title, "Observation", "SNOMED", code.answer)
        for row, code in enumerate(CODES)
        if code.answer
    ]
    rows += [(_unit_concept(unit), unit, "Unit", "UCUM", unit) for unit in UNITS]
    rows += [(MILLIGRAM, "milligram", "Unit", "UCUM", "mg")]
    rows += [(EHR, "EHR", "Type Concept", "Type Concept", "OMOP4976890")]
    ids, titles, domains, vocabularies, codes = zip(*rows, strict=True)
    n = len(rows)
    out.append(
        "concept",
        {
            "concept_id": np.array(ids),
            "concept_name": titles,
            "domain_id": domains,
            "vocabulary_id": vocabularies,
            "concept_class_id": [""] * n,
            "standard_concept": ["S"] * n,
            "concept_code": codes,
            "valid_start_date": _days(np.zeros(n)),
            "valid_end_date": _days(np.full(n, 47481)),
            "invalid_reason": pa.nulls(n, pa.string()),
        },
    )


def _write_drug_strengths(out: OmopFolder) -> None:
    drugs = [row for row, code in enumerate(CODES) if code.domain == "Drug"]
    concepts = np.array([concept_id(row) for row in drugs])
    out.append(
        "drug_strength",
        {
            "drug_concept_id": concepts,
            "ingredient_concept_id": concepts,
            "amount_value": [unit_size(CODES[row]) for row in drugs],
            "amount_unit_concept_id": [
                MILLIGRAM if CODES[row].unit == "mg/d" else _unit_concept(CODES[row].unit)
                for row in drugs
            ],
            **{
                f"{name}_value": pa.nulls(len(drugs), pa.float64())
                for name in ("numerator", "denominator")
            },
            **{
                f"{name}_unit_concept_id": pa.nulls(len(drugs), pa.int64())
                for name in ("numerator", "denominator")
            },
            "valid_start_date": _days(np.zeros(len(drugs))),
            "valid_end_date": _days(np.full(len(drugs), 47481)),
        },
    )


def _people(out: OmopFolder, events: Events) -> None:
    born = _rows(events, events.code == ROW["birth"])
    sexes = _rows(events, np.isin(events.code, [ROW["female"], ROW["male"]]))
    female = sexes.code == ROW["female"]  # one a person, in the same order as births
    day = (born.minute * 60).astype("datetime64[s]").astype("datetime64[D]")
    year, month = day.astype("datetime64[Y]"), day.astype("datetime64[M]")
    out.append(
        "person",
        {
            "person_id": born.subject_id,
            "gender_concept_id": np.where(female, FEMALE, MALE),
            "year_of_birth": year.astype(int) + 1970,
            "month_of_birth": (month - year).astype(int) + 1,
            "day_of_birth": (day - month).astype(int) + 1,
            "birth_datetime": _stamps(born),
            "race_concept_id": _constant(born, 0),
            "ethnicity_concept_id": _constant(born, 0),
            "gender_source_value": np.where(female, "F", "M"),
        },
    )
    periods = observation_periods(events)
    ids = out.written.get("observation_period", 0) + 1 + np.arange(len(periods.subject_id))
    out.append(
        "observation_period",
        {
            "observation_period_id": ids,
            "person_id": periods.subject_id,
            "observation_period_start_date": _days(periods.first_day),
            "observation_period_end_date": _days(periods.last_day),
            "period_type_concept_id": np.full(len(ids), EHR),
        },
    )


def _visits(out: OmopFolder, some: Events) -> None:
    out.append(
        "visit_occurrence",
        {
            "visit_occurrence_id": _visit_id(some),
            "person_id": some.subject_id,
            "visit_concept_id": _constant(some, OUTPATIENT),
            **_when("visit_start", some),
            "visit_end_date": _dates(some),
            "visit_end_datetime": _stamps(some),
            "visit_type_concept_id": _constant(some, EHR),
        },
    )


def _condition(some: Events) -> tuple[str, dict[str, object]]:
    return "condition_occurrence", {
        "person_id": some.subject_id,
        "condition_concept_id": _concepts(some),
        **_when("condition_start", some),
        "condition_type_concept_id": _constant(some, EHR),
        "visit_occurrence_id": _visit_or_null(some),
    }


def _drug(some: Events) -> tuple[str, dict[str, object]]:
    sizes = np.array([unit_size(c) if c.domain == "Drug" else np.nan for c in CODES])[some.code]
    return "drug_exposure", {
        "person_id": some.subject_id,
        "drug_concept_id": _concepts(some),
        **_when("drug_exposure_start", some),
        "drug_exposure_end_date": _days(some.minute // MINUTES + DAYS_SUPPLY - 1),
        "drug_type_concept_id": _constant(some, ORDERED),
        "quantity": np.round(_numbers(some) / sizes * DAYS_SUPPLY, 4),
        "days_supply": _constant(some, DAYS_SUPPLY),
        "visit_occurrence_id": _visit_or_null(some),
    }


def _measurement(some: Events) -> tuple[str, dict[str, object]]:
    return "measurement", {
        "person_id": some.subject_id,
        "measurement_concept_id": _concepts(some),
        **_when("measurement", some),
        "measurement_type_concept_id": _constant(some, EHR),
        "value_as_number": _nullable(some),
        "unit_concept_id": _units(some),
        "unit_source_value": _unit_names(some),
        "visit_occurrence_id": _visit_or_null(some),
    }


def _observation(some: Events) -> tuple[str, dict[str, object]]:
    return "observation", {
        "person_id": some.subject_id,
        "observation_concept_id": _concepts(some),
        **_when("observation", some),
        "observation_type_concept_id": _constant(some, EHR),
        "value_as_number": _nullable(some),
        "value_as_concept_id": _answers(some),
        "unit_concept_id": _units(some),
        "unit_source_value": _unit_names(some),
        "visit_occurrence_id": _visit_or_null(some),
    }


def _procedure(some: Events) -> tuple[str, dict[str, object]]:
    return "procedure_occurrence", {
        "person_id": some.subject_id,
        "procedure_concept_id": _concepts(some),
        **_when("procedure", some),
        "procedure_type_concept_id": _constant(some, EHR),
        "visit_occurrence_id": _visit_or_null(some),
    }


def _answers(some: Events) -> pa.Array:
    table = pa.array([answer_concept_id(row) for row in range(len(CODES))], pa.int64())
    return table.take(pa.array(some.code.astype(np.int32)))


def _rows(events: Events, keep: np.ndarray) -> Events:
    return Events(
        events.subject_id[keep],
        events.minute[keep],
        events.code[keep],
        events.value[keep],
        events.quarter[keep],
    )


def _concepts(some: Events) -> np.ndarray:
    return np.array([concept_id(row) for row in range(len(CODES))])[some.code]


def _numbers(some: Events) -> np.ndarray:
    """Values as doubles, rounded to four decimals."""
    return np.round(some.value.astype(np.float64), 4)


def _nullable(some: Events) -> pa.Array:
    return pa.array(_numbers(some), mask=np.isnan(some.value))


def _unit_concept(unit: str) -> int:
    return FIRST_CONCEPT + 501 + UNITS.index(unit)


def _units(some: Events) -> pa.Array:
    table = pa.array([_unit_concept(c.unit) if c.unit else None for c in CODES], pa.int64())
    return table.take(pa.array(some.code.astype(np.int32)))


def _unit_names(some: Events) -> pa.Array:
    table = pa.array([c.unit or None for c in CODES])
    return table.take(pa.array(some.code.astype(np.int32)))


def _visit_id(some: Events) -> np.ndarray:
    return some.subject_id * 32 + some.quarter


def _visit_or_null(some: Events) -> pa.Array:
    return pa.array(_visit_id(some), mask=some.quarter < 0)


def _constant(some: Events, value: int) -> np.ndarray:
    return np.full(len(some.code), value, np.int64)


def _days(day: np.ndarray) -> pa.Array:
    return pa.array(day.astype(np.int32)).cast(pa.date32())


def _dates(some: Events) -> pa.Array:
    return _days(some.minute // MINUTES)


def _stamps(some: Events) -> pa.Array:
    return pa.array(some.minute * 60_000_000).cast(pa.timestamp("us"))


def _when(prefix: str, some: Events) -> dict[str, object]:
    return {f"{prefix}_date": _dates(some), f"{prefix}_datetime": _stamps(some)}
