"""Small valid inputs of every kind, which the trials damage."""

import csv
import datetime
import io
from pathlib import Path
from typing import Any

import numpy as np

ROWS = 30
PANEL = "gene,rsid,chrom,position,ref,alt,strand\nVKORC1,rs9923231,chr16,31096368,C,T,-\n"
VCF = (
    "##fileformat=VCFv4.2\n##contig=<ID=chr16,length=90338345>\n"
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts1\n"
    "chr16\t31096368\t.\tC\tT\t99\tPASS\t.\tGT:GQ\t0/1:60\n"
)
MAPPING = """time_zone = "Europe/Zurich"
file = "labs.csv"
subject = "pid"

[[event]]
time = "{taken}"
code = "MEASUREMENT//LOINC//{test}"
value = "result"
unit = "{unit}"

[[event]]
time = "{taken}"
time_format = ["iso", "%d.%m.%Y"]
code = "DRUG//ATC//{drug}//given"
value = "dose"
unit = "mg"
offset = 30
when = "drug"
decimal = ","
"""


def labs() -> list[list[str]]:
    """The header and rows of a table."""
    rows = [["pid", "taken", "test", "result", "unit", "drug", "dose"]]
    for n in range(ROWS):
        day = f"2020-01-{n % 28 + 1:02d}"
        rows.append([str(n % 7 + 1), day, "2345-7", f"{90 + n}", "mg/dL", "A10BA02", f"{n + 1},5"])
    return rows


def to_csv(rows: list[list[str]]) -> bytes:
    """The rows as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")


def resources() -> list[dict[str, Any]]:
    """FHIR resources of the types that are read."""
    about: dict[str, Any] = {"subject": {"reference": "Patient/p1"}, "status": "final"}
    loinc = {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]}
    rxnorm = "http://www.nlm.nih.gov/research/umls/rxnorm"
    dosage = {
        "timing": {"repeat": {"frequency": 2, "period": 1, "periodUnit": "d"}},
        "doseAndRate": [{"doseQuantity": {"value": 5, "code": "mg"}}],
    }
    return [
        {"resourceType": "Patient", "id": "p1", "birthDate": "1950-01-02", "gender": "female"},
        {
            **{"resourceType": "Observation", **about, "code": loinc, "issued": "2020-01-02"},
            **{"category": [{"coding": [{"code": "laboratory"}]}]},
            **{"valueQuantity": {"value": 7.5, "code": "%"}},
        },
        {
            **{"resourceType": "MedicationRequest", **about, "status": "active"},
            **{"intent": "order", "authoredOn": "2020-01-03", "dosageInstruction": [dosage]},
            **{"medicationCodeableConcept": {"coding": [{"system": rxnorm, "code": "6809"}]}},
        },
        {
            **{"resourceType": "Encounter", **about, "status": "finished"},
            **{"class": {"code": "AMB"}, "period": {"start": "2020-01-02", "end": "2020-01-02"}},
        },
        {"resourceType": "Condition", **about, "recordedDate": "2020-01-02", "code": loinc},
    ]


def cdm() -> dict[str, list[list[str]]]:
    """Tables of an OMOP CDM."""
    person = [["person_id", "gender_concept_id", "year_of_birth"]]
    person += [[str(n), "8507", str(1940 + n)] for n in range(1, ROWS + 1)]
    measured = [
        [
            *("measurement_id", "person_id", "measurement_concept_id", "measurement_date"),
            *("value_as_number", "unit_source_value"),
        ]
    ]
    measured += [
        [str(n), str(n), "8", f"2020-01-{n % 28 + 1:02d}", "5", "mg"] for n in range(1, 31)
    ]
    return {"person": person, "measurement": measured}


def iwpc_rows(patients: int = 90) -> list[dict[str, Any]]:
    """Events of the shipped study iwpc."""
    rng = np.random.default_rng(5)
    zero = datetime.datetime(2000, 1, 1)  # noqa: DTZ001
    rows = []
    for subject in range(1, patients + 1):
        gene, age = rng.choice(["G/G", "A/G", "A/A"]), int(rng.integers(2, 10))
        facts = [(f"SEX//{rng.choice(['male', 'female'])}", None), ("AGE_DECADE", age)]
        facts += [("WEIGHT", float(rng.normal(75, 15))), ("HEIGHT", float(rng.normal(170, 9)))]
        facts += [(f"GENOTYPE//VKORC1_rs9923231//{gene}", None), ("RACE//White", None)]
        rows += [(subject, None, code, value) for code, value in facts]
        dose = max(3.0, 62 - 4 * age - 13 * ["G/G", "A/G", "A/A"].index(gene) + rng.normal(0, 4))
        rows.append((subject, zero, "WARFARIN//START", None))
        rows.append((subject, zero + datetime.timedelta(90), "OUTCOME//WARFARIN_DOSE", float(dose)))
    names = ("subject_id", "time", "code", "numeric_value")
    return [dict(zip(names, row, strict=True)) for row in rows]


def write_iwpc(path: Path) -> None:
    """The same as a Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from posology.records.schema import EVENTS

    schema = pa.schema([field for field in EVENTS if field.name not in ("text_value", "unit")])
    pq.write_table(pa.Table.from_pylist(iwpc_rows(), schema=schema), path)


def study_of_parts() -> str:
    """The shipped study iwpc without its refitted formula, so that parts of it can be cached."""
    from posology.cohorts.study.reader import shipped_study_path

    return shipped_study_path("iwpc").read_text("utf-8").replace("refit = [", "# refit = [")


def write_small_recipe(path: Path) -> None:
    """A recipe that trains in a second: two epochs of a small network in each phase."""
    from dataclasses import replace

    from posology.learners import recipes
    from posology.learners.network.supervised import Sizes
    from posology.learners.tune import write_recipe

    recipe = recipes.default_recipe()
    first, second = recipe.supervised, recipe.reinforcement
    small = replace(first.training, epochs=2)
    first = replace(first, sizes=Sizes(16, 8, 16, 1, 4, 0.2), training=small)
    second = replace(second, training=replace(second.training, epochs=2))
    write_recipe(replace(recipe, supervised=first, reinforcement=second), path)


FACTS = {"age": 60, "weight": 80, "height": 170, "VKORC1 -1639": "A/G", "sex": "male"}
"""Facts of a patient, as the form of the study iwpc names them."""


def patient(blank: dict[str, Any]) -> dict[str, Any]:
    """The blank form of a model with plausible facts."""
    facts = {**blank["facts"]}
    facts |= {name: value for name, value in FACTS.items() if name in facts}
    return {**blank, "facts": facts}
