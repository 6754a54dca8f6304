"""A small valid file of every source, its sources for ingest, and ways to damage it."""

import csv
import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from posology.records.pipeline.staging import Source
from posology.records.sources.registry import make_sources

LINES = 6
"""Rows of a valid table."""


@dataclass(frozen=True, slots=True)
class Table:
    """A valid table of a source; `{row}` in a cell stands for the row's number."""

    columns: dict[str, str]
    """A valid cell of each column."""
    sources: Callable[[Path], list[Source]]
    """The sources to ingest, from the path of the table."""


def _mapped(text: str, kind: str) -> Callable[[Path], list[Source]]:
    """A source whose mapping file is next to its table."""

    def sources(path: Path) -> list[Source]:
        mapping = path.parent / "mapping.toml"
        mapping.write_text(text.replace("FILE", path.name))
        if kind == "table":
            return make_sources("table", [mapping])
        if "exposures" in text and "lived" not in path.name:
            lived = path.parent / "lived.csv"
            lived.write_text("subject,place,from,to\n7,N1,2019-01-01,\n")
            return make_sources(kind, [mapping, lived])
        return make_sources(kind, [mapping, path])

    return sources


PERSON = "person_id,gender_concept_id,year_of_birth\n1,8507,1950\n"
CONCEPT = "concept_id,concept_name,vocabulary_id,concept_code\n9,mg,UCUM,mg\n8,x,RxNorm,1\n"
STRENGTH = "drug_concept_id,ingredient_concept_id,amount_value,amount_unit_concept_id\n8,8,5,9\n"


def _cdm(name: str) -> Callable[[Path], list[Source]]:
    """A CDM with this file as one table and valid other tables."""

    def sources(path: Path) -> list[Source]:
        others = {"person": PERSON, "concept": CONCEPT, "drug_strength": STRENGTH}
        others["drug_exposure"] = DRUGS
        for other, text in others.items():
            if other != name:
                (path.parent / f"{other}.csv").write_text(text)
        path.rename(path.with_name(path.name.replace("data.", f"{name}.")))
        return make_sources("omop", [str(path.parent)])

    return sources


DRUG = {
    "drug_exposure_id": "{row}",
    "person_id": "1",
    "drug_concept_id": "8",
    "drug_exposure_start_date": "2020-01-0{row}",
    "quantity": "10",
    "days_supply": "10",
}
DRUGS = ",".join(DRUG) + "\n" + ",".join(DRUG.values()).replace("{row}", "1") + "\n"
EXPOSURES = 'exposures = ["FILE"]\n[measures.pm25]\nunit = "ug/m3"\n'
LIVED = 'exposures = ["air.csv"]\n[measures.pm25]\nunit = "ug/m3"\n'


def _lived(path: Path) -> list[Source]:
    air = path.parent / "air.csv"
    air.write_text("place,date,measure,value\nN1,2020-01-05,pm25,3\n")
    mapping = path.parent / "mapping.toml"
    mapping.write_text(LIVED)
    return make_sources("environment", [mapping, path])


TABLES = {
    "tables": Table(
        {"pid": "1", "taken": "2020-01-0{row}", "test": "2345-7", "dose": "5", "unit": "mg"},
        _mapped(
            '[[event]]\nfile = "FILE"\nsubject = "pid"\ntime = "{taken}"\n'
            'code = "DRUG//LOINC//{test}"\nvalue = "dose"\nunit = "{unit}"\n',
            "table",
        ),
    ),
    "person": Table(
        {
            "person_id": "{row}",
            "gender_concept_id": "8507",
            "year_of_birth": "1950",
            "month_of_birth": "2",
            "day_of_birth": "30",
            "birth_datetime": "",
        },
        _cdm("person"),
    ),
    "drug_exposure": Table(DRUG, _cdm("drug_exposure")),
    "drug_strength": Table(
        {
            "drug_concept_id": "8",
            "ingredient_concept_id": "8",
            "amount_value": "5",
            "amount_unit_concept_id": "9",
            "numerator_value": "",
            "denominator_value": "",
        },
        _cdm("drug_strength"),
    ),
    "concept": Table(
        {
            "concept_id": "{row}",
            "concept_name": "x",
            "vocabulary_id": "RxNorm",
            "concept_code": "1{row}",
        },
        _cdm("concept"),
    ),
    "measurement": Table(
        {
            "measurement_id": "{row}",
            "person_id": "1",
            "measurement_concept_id": "8",
            "measurement_date": "2020-01-0{row}",
            "value_as_number": "5",
            "value_source_value": "five",
            "unit_source_value": "mg",
            "operator_concept_id": "0",
        },
        _cdm("measurement"),
    ),
    "questionnaire": Table(
        {"id": "1", "date": "2020-01-0{row}", "72166-2": "LA18978-9", "sleep": "7"},
        _mapped('subject = "id"\ntime = "date"\nignore = ["sleep"]\n', "questionnaire"),
    ),
    "wearable": Table(
        {"id": "1", "at": "2020-01-01 0{row}:00", "cgm": "100"},
        _mapped(
            'time = "at"\nsubject = "id"\nwindow_hours = 1\n[[series]]\ncolumn = ["cgm"]\n'
            'code = "WEARABLE//glucose"\nunit = "mg/dL"\nevery_minutes = 15\n',
            "wearable",
        ),
    ),
    "exposures": Table(
        {"place": "N1", "date": "2020-01-0{row}", "measure": "pm25", "value": "5"},
        _mapped(EXPOSURES, "environment"),
    ),
    "residences": Table(
        {"subject": "{row}", "place": "N1", "from": "2020-01-01", "to": ""}, _lived
    ),
    "diplotypes": Table(
        {
            "subject": "1",
            "gene": "CYP2C19",
            "diplotype": "*2/*2",
            "date": "2020-01-0{row}",
            "activity_score": "0",
        },
        lambda path: make_sources("vcf", [path]),
    ),
    "embeddings": Table(
        {"subject": "1", "time": "2020-01-0{row}", "vector": "5", "model": "m", "hash": "abc"},
        lambda path: make_sources("dicom", [path]),
    ),
}


def valid_rows(table: Table) -> list[list[str]]:
    """The valid rows of the table."""
    return [
        [c.replace("{row}", str(n)) for c in table.columns.values()] for n in range(1, LINES + 1)
    ]


def to_csv(table: Table, rows: list[list[str]]) -> bytes:
    """The header and the rows as CSV."""
    text = io.StringIO()
    csv.writer(text).writerows([list(table.columns), *rows])
    return text.getvalue().encode("utf-8", "surrogateescape")


PATIENT = b'{"resourceType": "Patient", "id": "1", "birthDate": "1950-01-01"}\n'
ORDER = (
    b'{"resourceType": "MedicationRequest", "id": "o", "status": "active",'
    b' "subject": {"reference": "Patient/1"}, "authoredOn": "2020-01-01",'
    b' "medicationCodeableConcept": {"text": "x"},'
    b' "dosageInstruction": [{"doseAndRate": [{"doseQuantity": {"value": 5, "code": "mg"}}]}]}\n'
)
VCF = (
    b"##fileformat=VCFv4.2\n##contig=<ID=chr16,length=90338345>\n"
    b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ts1\n"
    b"chr16\t31096368\t.\tC\tT\t99\tPASS\t.\tGT:GQ\t0/1:60\n"
)


def _npz() -> bytes:
    file = io.BytesIO()
    np.savez(file, subject=["1"], time=["2020-01-01"], vector=[[0.5]], model="m", hash="abc")
    return file.getvalue()


def _dicom() -> bytes:
    import pydicom

    return (Path(pydicom.__file__).parent / "data/test_files/CT_small.dcm").read_bytes()[:4000]


FILES: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "fhir": ("fhir", "data.ndjson", lambda: (PATIENT + ORDER) * 3),
    "bundle": (
        "fhir",
        "data.json",
        lambda: (
            b'{"resourceType": "Bundle", "entry": [{"resource": '
            + PATIENT.strip()
            + b'}, {"resource": '
            + ORDER.strip()
            + b"}, null, {}]}"
        ),
    ),
    "vcf": ("vcf", "data.vcf", lambda: VCF),
    "dicom": ("dicom", "data.dcm", _dicom),
    "npz": ("dicom", "data.npz", _npz),
}
"""Sources that are not tables: name and valid content of a file, and its sources."""


def cut_gzip(data: bytes) -> bytes:
    """A truncated gzip stream."""
    noise = np.random.default_rng(0).integers(0, 256, 4000, np.uint8).tobytes().hex().encode()
    packed = gzip.compress(data + noise)
    return packed[: len(packed) // 2]


def flip_bytes(data: bytes) -> bytes:
    """The data with a fifteenth of its bytes changed."""
    rng = np.random.default_rng(1)
    array = np.frombuffer(data, np.uint8).copy()
    at = rng.integers(0, len(array), max(1, len(array) // 15))
    array[at] = rng.integers(0, 256, len(at))
    return array.tobytes()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "whole": lambda data: data,
    "gzipped": gzip.compress,
    "truncated gzip": cut_gzip,
    "gzip's magic alone": lambda _data: b"\x1f\x8b",
    "gzip of nothing": lambda _data: gzip.compress(b""),
    "nothing": lambda _data: b"",
    "white space": lambda _data: b" \r\n\n \n",
    "cut": lambda data: data[: len(data) * 2 // 3],
    "UTF-16": lambda data: data.decode("latin-1").encode("utf-16"),
    "Latin-1": lambda data: data.replace(b"1", "é".encode("latin-1")),
    "byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "NUL": lambda data: data.replace(b"0", b"\x00"),
    "old Mac line ends": lambda data: data.replace(b"\n", b"\r"),
    "no line ends": lambda data: data.replace(b"\n", b""),
    "open quote": lambda data: data.replace(b"0", b'0"', 3),
    "flipped bytes": flip_bytes,
    "noise": lambda data: np.random.default_rng(2).bytes(3000),
    "twice": lambda data: data + data,
    "10 MB without an end": lambda data: data + b"9" * 10_000_000,
}

CELLS = (
    "",
    " ",
    "nan",
    "NaN",
    "inf",
    "-Infinity",
    "1e400",
    "-5",
    "-0",
    "1e38",
    "5e38",
    "0x10",
    "1_000",
    "0001-01-01",
    "0001-01-01 00:00:00+14:00",
    "9999-12-31T23:59:59-12:00",
    "2020-02-30",
    "0000",
    "10000-01-01",
    "2020-13",
    "-2020-01-01",
    "20200101",
    "9" * 20,
    "-9223372036854775808",
    str(2**63 - 1),
    "null",
    "None",
    "{}",
    "[null]",
    "{x}",
    "'",
    '"',
    "a,b",
    "a\nb",
    "\t",
    "\\",
    "\x00",
    "é",
    "\udce9",
    "\u202e",
    "١٢",
    "½",
    "//",
    "CYP2C19//",
    "*",
    "*1/*2",
    "%s",
    "{0}",
    "N" * 3000,
)
"""Cells of an invalid table."""


def nested_table(table: Table) -> pa.Table:
    """The table with a null, a struct of null, or a list of one value in every column."""
    kinds = [
        pa.array([None] * LINES, pa.struct([("a", pa.list_(pa.string()))])),
        pa.array([[None]] * LINES, pa.list_(pa.struct([("b", pa.int8())]))),
        pa.nulls(LINES),
        pa.array([b"\xff\xfe"] * LINES, pa.binary()),
        pa.array([{"a": None}] * LINES, pa.struct([("a", pa.int8())])),
    ]
    return pa.table({name: kinds[n % len(kinds)] for n, name in enumerate(table.columns)})


def write_parquet(path: Path, table: Table, columns: dict[str, pa.Array]) -> None:
    """Write the valid table as Parquet, with some columns replaced."""
    good = dict(zip(table.columns, map(list, zip(*valid_rows(table), strict=True)), strict=True))
    pq.write_table(pa.table({**good, **columns}), path)
