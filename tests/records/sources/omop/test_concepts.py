"""The concept ids we know by number, against the vocabulary and the rows of a real OMOP folder."""

import csv
import io
import zipfile

import pytest

from posology.records.sources.omop.concepts import DRUG_KINDS, ETHNICITY, HOUR, RACE, SEX, VISITS

NAMES = {9201: "Inpatient Visit", 9202: "Outpatient Visit", 9203: "Emergency Room Visit"}
SOURCE = {
    "M": "male",
    "F": "female",
    "white": "White",
    "black": "Black_or_African_American",
    "asian": "Asian",
}


@pytest.fixture(scope="module")
def table(shared):
    path = shared / "data" / "records" / "synthea27nj" / "Synthea27Nj_5.4.zip"
    if not path.exists():
        pytest.skip(f"no {path} here")

    def rows(name):
        with zipfile.ZipFile(path) as archive:
            (inside,) = [
                n for n in archive.namelist() if n.split("/")[-1] == name and "__MACOSX" not in n
            ]
            return list(csv.DictReader(io.StringIO(archive.read(inside).decode())))

    return rows


def test_concepts_agree_with_the_vocabulary(table):
    concepts = {int(row["concept_id"]): row for row in table("CONCEPT.csv")}
    for concept, name in ETHNICITY.items():
        assert concepts[concept]["concept_name"].replace(" ", "_") == name
    for concept in VISITS:
        if concept in concepts:
            assert concepts[concept]["concept_name"] == NAMES[concept]
    assert set(NAMES) <= set(concepts)
    assert (concepts[HOUR]["vocabulary_id"], concepts[HOUR]["concept_code"]) == ("UCUM", "h")


@pytest.mark.parametrize(("column", "known"), [("gender", SEX), ("race", RACE)])
def test_persons_get_the_names_of_their_concepts(table, column, known):
    seen = set()
    for person in table("PERSON.csv"):
        concept, word = (person[f"{column}_{part}"] for part in ("concept_id", "source_value"))
        if concept != "0":
            assert known[int(concept)] == SOURCE[word]
            seen.add(word)
    assert seen


def test_kinds_of_visit_and_drug_are_known(table):
    assert {int(row["visit_concept_id"]) for row in table("VISIT_OCCURRENCE.csv")} <= set(VISITS)
    kinds = {DRUG_KINDS[int(row["drug_type_concept_id"])] for row in table("DRUG_EXPOSURE.csv")}
    assert kinds == {"dispensed"}, "pharmacy claims"
