"""HL7's own example resources of FHIR R4, read by `ingest`.

They are the npm package `hl7.fhir.r4.examples` 4.0.1 (CC0; 5,306 resources and Bundles, a file
each). `npm pack hl7.fhir.r4.examples@4.0.1` downloads it; give the path of the .tgz as
POSOLOGY_HL7_EXAMPLES.
"""

import os
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from posology.records.batching import combine_batches
from posology.records.pipeline.ingest import IngestCounts, ingest
from posology.records.schema import Batch
from posology.records.sources.fhir.reader import make_sources, read_fhir

CONFORMANCE = ("StructureDefinition-", "ValueSet-", "CodeSystem-", "SearchParameter-")
"""Most files, and those over 2 MB, define FHIR itself; they are read too with POSOLOGY_HL7_ALL."""


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    archive = Path(os.environ.get("POSOLOGY_HL7_EXAMPLES", ""))
    if not archive.is_file():
        pytest.skip("no HL7 examples: POSOLOGY_HL7_EXAMPLES names no file")
    folder = tmp_path_factory.mktemp("hl7")
    with tarfile.open(archive) as tar:
        chosen = [m for m in tar if m.isfile() and _is_wanted(m)]
        tar.extractall(folder, members=chosen, filter="data")
    return folder / "package"


def _is_wanted(member: tarfile.TarInfo) -> bool:
    defines = Path(member.name).name.startswith(CONFORMANCE) or member.size > 2_000_000
    return "POSOLOGY_HL7_ALL" in os.environ or not defines


@pytest.fixture(scope="module")
def batch(examples: Path) -> Batch:
    return combine_batches(read_fhir([examples]))


def resources(document: Any) -> Iterator[Any]:
    """What a document holds, counted without the reader: entries of Bundles, at any depth."""
    if isinstance(document, dict) and document.get("resourceType") == "Bundle":
        for entry in document.get("entry", []):
            yield from resources(entry.get("resource"))
    else:
        yield document


def daily_doses(batch: Batch) -> dict[str, tuple[float, str]]:
    """Dose per day and its unit by the name of the resource."""
    return {
        Path(row["source"]).stem.removeprefix("MedicationRequest-"): (
            pytest.approx(row["numeric_value"], rel=1e-6),
            row["unit"],
        )
        for row in batch.events.to_pylist()
        if row["code"].startswith("DRUG_PER_DAY//")
    }


def test_every_resource_is_an_event_or_rejected(examples: Path, batch: Batch) -> None:
    expected = {
        (str(path), number)
        for path in examples.glob("*.json")
        for number, _ in enumerate(resources(orjson.loads(path.read_bytes())), start=1)
    }
    rows = [*batch.events.select(["source", "row"]).to_pylist()]
    rows += batch.rejected.select(["source", "row"]).to_pylist()
    found = {(row["source"].split("#")[0], row["row"]) for row in rows}
    assert len(expected) > 1_500
    assert found == expected


def test_ingest_accounts_for_every_row(examples: Path, batch: Batch, tmp_path: Path) -> None:
    counts = ingest(make_sources([examples]), tmp_path / "out")
    assert isinstance(counts, IngestCounts)
    assert sum(counts.sources.values()) == batch.rows
    assert counts.unreadable == batch.rejected.num_rows
    assert counts.raw == batch.events.num_rows
    assert counts.raw == counts.events + sum(counts.rejected.values()) + counts.merged
    assert counts.rejected == {"free_text_code": 16}
    rejected = pq.read_table(tmp_path / "out" / "rejected.parquet")
    assert rejected.num_rows == counts.unreadable + 16


def test_clinical_resources_are_rejected_for_these_reasons_only(batch: Batch) -> None:
    reasons = Counter(
        row["reason"][:72]
        for row in batch.rejected.to_pylist()
        if row["field"] not in ("resourceType", "status")
    )
    assert reasons == REASONS


def test_doses_per_day_are_those_of_the_printed_instructions(batch: Batch) -> None:
    doses = daily_doses(batch)
    assert {name: doses.get(name) for name in INSTRUCTIONS} == INSTRUCTIONS


INSTRUCTIONS = {
    "medrx0304": (40, "drop/d"),  # 10 drops four times daily
    "medrx0305": None,  # every 6-12 hours as needed
    "medrx0306": (6, "mg/d"),  # 6 mg PO daily
    "medrx0311": (1, "TAB/d"),  # One tablet daily
    "medrx0312": (300, "mg/d"),  # 100mg (4ml) three times daily
    "medrx0303": None,  # 4 tablets for 7 days, then 2, then 1
    "medrx0316": (1.8 / 21, "mg/kg/d"),  # 1.8 mg/kg every 3 weeks for 16 cycles
    "medrx0317": None,  # escalation, 3 times per week
    "medrx0318": (2000, "mg/d"),  # 500mg IV q6h
    "medrx0319": (18, "g/d"),  # 4.5 grams every 6 hours
    "medrx0320": (60, "U/d"),  # 20 Units SC three times daily
    "medrx0321": None,  # 10, 15 and 20 units at meals, of sequences 2, 2 and 1
    "medrx0327": (3 / 7, "patch/d"),  # one patch three times per week
    "medrx0332": None,  # 500mg IM as a single dose
    "medrx0334": (4 / 7, "ea/d"),  # four times daily on Monday of each week
    "medrx0335": (1, "ea/d"),  # at 9am daily
}
REASONS = {
    "has none of issued, effectiveDateTime, effectivePeriod, effectiveInstant": 459,
    "no reference to a patient": 21,
    "an entry without a resource": 20,
    "has no value": 15,
    "an Encounter without a period has no time": 7,
    "the Medication it refers to has no code": 6,
    "taken as needed: no dose per day": 6,
    "a further dosage of one order is not read: the dosages neither have one ": 6,
    "refers to a patient inside the resource, who has no id outside it": 6,
    "the dose cannot be read: a range, not one amount": 5,
    "nothing in it becomes an event": 4,
    "a Patient without an id": 4,
    "has none of recordedDate, onsetDateTime, onsetPeriod: when it became kno": 4,
    "a question the code book does not know": 3,
    "has none of date: when it became known is unknown": 2,
    "is missing: when the coverage began is unknown": 2,
    "the rate cannot be read: its unit is not an amount per time, such as mL/": 2,
    "the rate cannot be read: a range, not one amount": 2,
    "a further dosage of one order is not read: the dosages apply in differen": 2,
    "no dose per day: timing.repeat states no frequency and period": 2,
    "has none of performedDateTime, performedPeriod: when it became known is ": 2,
    "has none of authoredOn: when it became known is unknown": 1,
    "has none of recorded, occurrenceDateTime: when it became known is unknow": 1,
    "has none of whenHandedOver, whenPrepared: when it became known is unknow": 1,
    "no dose per day: timing.event lists single dates": 1,
    "a further dosage of one order is not read: not every dosage has a dose p": 1,
    "has none of dateAsserted, effectiveDateTime, effectivePeriod: when it be": 1,
    "cannot be read: valueSampledData is not read; ingest dense series with -": 1,
    "refers to something other than a Patient": 1,
    "died, but the date is missing": 1,
    "has neither code nor text": 1,
    "has no resourceType, so it is not a FHIR resource": 1,
}
"""Rows by their reason, whose first 72 characters are compared."""
