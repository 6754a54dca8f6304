"""The same patients in every format."""

import csv
import gzip
import json
from collections import Counter

import meds
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from posology.cli.start.simulate import simulate as command
from posology.errors import UserError
from posology.simulators.clinic.events import CODES, SYSTEMS
from posology.simulators.clinic.files.dataset import FORMATS, write_clinic
from posology.simulators.clinic.settings import ClinicSettings


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("clinic") / "out"
    for _ in write_clinic(ClinicSettings(patients=120, chunk=50, seed=3), out, FORMATS):
        pass
    return out


@pytest.fixture(scope="module")
def events(folder):
    return pa.concat_tables(pq.read_table(p) for p in sorted((folder / "meds/data").iterdir()))


def test_meds_is_valid_and_sorted(folder, events):
    for shard in (folder / "meds/data").iterdir():
        meds.DataSchema.validate(pq.read_table(shard))
    codes = pq.read_table(folder / "meds/metadata/codes.parquet")
    meds.CodeMetadataSchema.validate(codes)
    meds.DatasetMetadataSchema.validate(
        json.loads((folder / "meds/metadata/dataset.json").read_text())
    )
    assert set(events["code"].unique().to_pylist()) <= set(codes["code"].to_pylist())
    subject = events["subject_id"].to_numpy()
    time = events["time"].fill_null(pa.scalar(0, pa.int64()).cast(pa.timestamp("us")))
    moment = np.where(
        events["time"].is_null().to_numpy(),
        np.iinfo(np.int64).min,
        time.cast(pa.int64()).to_numpy(),
    )
    order = np.lexsort((moment, subject))
    assert np.array_equal(order, np.arange(len(order)))


PERIOD = ["OBSERVATION_PERIOD//START", "OBSERVATION_PERIOD//END"]


def meds_counts(events) -> Counter:
    return Counter(events["code"].to_pylist())


def test_omop_has_the_same_events(folder, events):
    tables = {p.stem: pq.read_table(p).to_pydict() for p in (folder / "omop").iterdir()}
    concepts = tables["concept"]
    name = {
        i: f"{v.upper()}//{c}"
        for i, v, c in zip(
            concepts["concept_id"], concepts["vocabulary_id"], concepts["concept_code"], strict=True
        )
    }
    assert len(name) == len(concepts["concept_id"])  # no id twice
    counts = Counter()
    for table, kind, form in (
        ("condition_occurrence", "condition", "CONDITION//{}"),
        ("procedure_occurrence", "procedure", "PROCEDURE//{}"),
        ("drug_exposure", "drug", "DRUG//{}//ordered"),
        ("drug_exposure", "drug", "DRUG_PER_DAY//{}//ordered"),
        ("measurement", "measurement", "MEASUREMENT//{}"),
        ("observation", "observation", "OBSERVATION//{}"),
    ):
        rows = tables[table]
        answers = rows.get("value_as_concept_id") or [None] * len(rows["person_id"])
        for concept, answer in zip(rows[f"{kind}_concept_id"], answers, strict=True):
            counts[form.format(name[concept]) + (f"//{name[answer]}" if answer else "")] += 1
        assert rows[f"{table}_id"] == list(range(1, len(answers) + 1))
    visits = len(tables["visit_occurrence"]["person_id"])
    counts |= {"VISIT//AMB//start": visits, "VISIT//AMB//end": visits}
    counts |= dict.fromkeys(PERIOD, len(tables["observation_period"]["person_id"]))
    counts["MEDS_DEATH"] = len(tables["death"]["person_id"])
    counts["MEDS_BIRTH"] = len(tables["person"]["person_id"])
    counts["SEX//female"] = tables["person"]["gender_concept_id"].count(8532)
    counts["SEX//male"] = tables["person"]["gender_concept_id"].count(8507)
    assert counts == meds_counts(events)


def test_omop_dose_is_quantity_times_strength_over_days(folder, events):
    drug = pq.read_table(folder / "omop/drug_exposure.parquet").to_pandas()
    strength = pq.read_table(folder / "omop/drug_strength.parquet").to_pandas()
    strength = strength.set_index("drug_concept_id")["amount_value"]
    daily = drug.quantity * drug.drug_concept_id.map(strength) / drug.days_supply
    rows = [c.meds for c in CODES if c.domain == "Drug"]
    expected = events.filter(pc.is_in(events["code"], pa.array(rows)))["numeric_value"].to_numpy()
    assert np.allclose(np.sort(daily), np.sort(expected), atol=1e-3)


def told(concept: dict) -> str:
    vocabulary = {uri: name for name, uri in SYSTEMS.items()}
    coding = concept["coding"][0]
    return f"{vocabulary[coding['system']].upper()}//{coding['code']}"


def fhir_codes(resource: dict) -> list[str]:
    match resource["resourceType"]:
        case "Observation":
            group = resource["category"][0]["coding"][0]["code"]
            kind = "OBSERVATION" if group == "social-history" else "MEASUREMENT"
            answer = resource.get("valueCodeableConcept")
            end = f"//{told(answer)}" if answer else ""
            assert answer or "valueQuantity" in resource
            return [f"{kind}//{told(resource['code'])}{end}"]
        case "Condition":
            return [f"CONDITION//{told(resource['code'])}"]
        case "Procedure":
            return [f"PROCEDURE//{told(resource['code'])}"]
        case "MedicationRequest":
            code = told(resource["medicationCodeableConcept"])
            return [f"DRUG//{code}//ordered", f"DRUG_PER_DAY//{code}//ordered"]
        case "Encounter":
            return ["VISIT//AMB//start", "VISIT//AMB//end"]
        case "Coverage":
            return PERIOD
        case "Patient":
            dead = ["MEDS_DEATH"] if "deceasedDateTime" in resource else []
            return ["MEDS_BIRTH", f"SEX//{resource['gender']}", *dead]
    raise AssertionError(resource["resourceType"])


def test_fhir_has_the_same_events_and_values(folder, events):
    counts, values = Counter(), []
    for path in (folder / "fhir").iterdir():
        for line in path.read_text().splitlines():
            resource = json.loads(line)
            counts.update(fhir_codes(resource))
            if fhir_codes(resource) == ["MEASUREMENT//LOINC//59261-8"]:
                values.append(resource["valueQuantity"]["value"])
    assert counts == meds_counts(events)
    hba1c = events.filter(pc.equal(events["code"], "MEASUREMENT//LOINC//59261-8"))["numeric_value"]
    assert sorted(values) == sorted(hba1c.to_pylist())


def test_fhir_ids_are_unique(folder):
    for path in (folder / "fhir").iterdir():
        ids = [json.loads(line)["id"] for line in path.read_text().splitlines()]
        assert len(ids) == len(set(ids)), path.name


def test_vcf_has_the_genotypes_of_the_events(folder, events):
    copies = {"0/0": 0, "0/1": 1, "1/1": 2}
    called = {}
    for path in sorted((folder / "vcf").glob("*.vcf.gz")):
        with gzip.open(path, "rt") as file:
            lines = [line.rstrip("\n").split("\t") for line in file if not line.startswith("##")]
        head, *rows = lines
        assert [(int(r[0][3:]), int(r[1])) for r in rows] == sorted(
            (int(r[0][3:]), int(r[1])) for r in rows
        )
        for row in rows:
            for subject, call in zip(head[9:], row[9:], strict=True):
                called[int(subject), row[2]] = copies[call]
    some = events.filter(pc.starts_with(events["code"], "MEASUREMENT//SNP//")).to_pydict()
    recorded = {
        (s, c.split("//")[2]): v
        for s, c, v in zip(some["subject_id"], some["code"], some["numeric_value"], strict=True)
    }
    assert called == recorded


def test_questionnaires_and_wearables(folder, events):
    with (folder / "questionnaires/questionnaires.csv").open() as file:
        rows = list(csv.DictReader(file))
    diet = [float(r["answer"]) for r in rows if r["question"] == "diet"]
    recorded = events.filter(pc.equal(events["code"], "OBSERVATION//CLINIC//diet_score"))[
        "numeric_value"
    ]
    assert sorted(diet) == sorted(recorded.to_pylist())
    forms = (folder / "questionnaires/QuestionnaireResponse.ndjson").read_text().splitlines()
    said = [
        i["answer"][0]["valueDecimal"]
        for f in forms
        for i in json.loads(f)["item"]
        if i["linkId"] == "diet_score"
    ]
    assert sorted(said) == sorted(diet)
    glucose = pa.concat_tables(
        pq.read_table(p) for p in (folder / "wearables").glob("glucose-*.parquet")
    )
    wearers = set(glucose["subject_id"].to_pylist())
    assert wearers
    assert glucose.num_rows == len(wearers) * 14 * 96
    assert 80 < pc.mean(glucose["glucose_mg_dl"]).as_py() < 260


def test_truth_stands_apart_and_agrees_with_the_events(folder, events):
    truth = pa.concat_tables(
        pq.read_table(p) for p in sorted((folder / "truth/decisions").iterdir())
    )
    reviews = events.filter(pc.equal(events["code"], "PROCEDURE//SNOMED//394725008"))
    assert truth["subject_id"].to_pylist() == reviews["subject_id"].to_pylist()
    assert truth["time"].to_pylist() == reviews["time"].to_pylist()
    frame = truth.to_pandas()
    effective = frame.filter(like="effective.").to_numpy()
    assert effective.shape[1] == 14
    assert np.allclose(effective.max(axis=1), frame["best_effective"], atol=1e-6)
    shares = frame.filter(regex=r"^probability\.").to_numpy()
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-5)
    given = frame.apply(lambda r: r[f"effective.{r['given']}.{r['given_dose']:g}"], axis=1)
    assert np.allclose(given, frame["given_effective"], atol=1e-6)


def test_chunks_change_nothing_on_disk(folder, events, tmp_path):
    for _ in write_clinic(ClinicSettings(patients=120, chunk=120, seed=3), tmp_path / "o", FORMATS):
        pass
    assert pq.read_table(tmp_path / "o/meds/data/00000.parquet").equals(events.combine_chunks())
    for name in ("measurement", "drug_exposure", "person", "observation_period"):
        one, other = (pq.read_table(f / f"omop/{name}.parquet") for f in (folder, tmp_path / "o"))
        assert one.equals(other)
    name = "fhir/Observation.ndjson"
    assert (folder / name).read_text() == (tmp_path / "o" / name).read_text()


def test_command_writes_rows(tmp_path):
    command("clinic", out=tmp_path / "o", patients=30, json_file=tmp_path / "rows.json")
    report = json.loads((tmp_path / "rows.json").read_text())
    assert report["meta"]["patients"] == 30
    metrics = {row["metric"] for row in report["rows"]}
    assert {"regret.clinicians", "regret.guideline", "events_per_patient"} <= metrics


def test_bad_requests_name_the_mend(tmp_path):
    with pytest.raises(UserError, match=r"--formats: 'hl7' is not one of meds, omop, fhir"):
        next(write_clinic(ClinicSettings(), tmp_path / "a", ("hl7",)))
    with pytest.raises(UserError, match="--patients 0: at least one patient"):
        next(write_clinic(ClinicSettings(patients=0), tmp_path / "a"))
    with pytest.raises(UserError, match="--chunk 0: at least one"):
        next(write_clinic(ClinicSettings(chunk=0), tmp_path / "a"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("")
    with pytest.raises(UserError, match="the folder is not empty; choose a new one"):
        next(write_clinic(ClinicSettings(), tmp_path / "full"))
    with pytest.raises(UserError, match="simulate town: only 'clinic'"):
        command("town", out=tmp_path / "a")
