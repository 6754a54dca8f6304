"""The smallest files that each source of docs/records.md reads, a row to reject among them."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def omop() -> None:
    Path("cdm").mkdir()
    Path("cdm/person.csv").write_text(
        "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth\n17,8507,1950,1,2\n"
    )
    Path("cdm/concept.csv").write_text(
        "concept_id,concept_name,vocabulary_id,concept_code,standard_concept\n"
        "3004410,HbA1c,LOINC,4548-4,S\n8507,Male,Gender,M,S\n"
    )
    Path("cdm/measurement.csv").write_text(
        "measurement_id,person_id,measurement_concept_id,measurement_date,value_as_number,"
        "measurement_source_value\n"
        "1,17,3004410,2020-01-01,7.5,\n2,17,0,2020-01-02,7.1,HbA1c\n3,17,3004410,,8,\n"
    )


def tables() -> None:
    Path("labs.csv").write_text(
        "pid,taken,test,result,unit\n"
        "17,2020-01-01 08:00,29463-7,154,lbs\n17,yesterday,29463-7,150,lbs\n"
    )


def fhir() -> None:
    seen = {
        "resourceType": "Observation",
        "status": "final",
        "subject": {"reference": "Patient/17"},
        "category": [{"coding": [{"code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "4548-4"}]},
        "issued": "2020-01-03T09:00:00+01:00",
        "valueQuantity": {"value": 7.5, "code": "%"},
    }
    lines = [
        {"resourceType": "Patient", "id": "17", "birthDate": "1950-01-02"},
        seen,
        seen | {"status": "entered-in-error"},
    ]
    Path("export").mkdir()
    Path("export/all.ndjson").write_text("".join(json.dumps(line) + "\n" for line in lines))


def vcf() -> None:
    Path("genomes").mkdir()
    Path("genomes/s.vcf").write_text(
        "##fileformat=VCFv4.2\n##contig=<ID=chr16,length=90338345>\n"
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t17\n"
        "chr16\t31096368\t.\tC\tT\t99\tPASS\t.\tGT:GQ\t0/1:60\n"
    )


def diplotypes() -> None:
    Path("lab.csv").write_text(
        "subject,gene,diplotype,phenotype,date\n"
        "17,CYP2C19,*2/*2,Poor Metabolizer,2020-01-02\n17,CYP2C9,*1/*3,,soon\n"
    )


def questionnaires() -> None:
    Path("forms.csv").write_text(
        "id,date,72166-2,93832-4,shoe size\n17,01/02/2020,Never smoker,6.5,42\n"
    )


def wearables() -> None:
    Path("recordings").mkdir()
    Path("recordings/17_0.csv").write_text(
        "Date,CGM\n2020-01-01 10:00,100\n2020-01-01 10:15,200\nlater,110\n"
    )


def images() -> None:
    pydicom = pytest.importorskip("pydicom", reason="needs posology[imaging]")
    Path("images").mkdir()
    for name, patient in (("a.dcm", "17"), ("b.dcm", "")):
        header = pydicom.Dataset()
        header.PatientID, header.Modality, header.BodyPartExamined = patient, "CT", "CHEST"
        header.SeriesDate, header.SeriesTime = "20200101", "101500"
        header.file_meta = pydicom.dataset.FileMetaDataset()
        header.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        header.file_meta.MediaStorageSOPClassUID = pydicom.uid.CTImageStorage
        header.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        header.save_as(f"images/{name}", enforce_file_format=True)
    from PIL import Image

    Image.fromarray(np.zeros((8, 8), np.uint8)).save("scan.png")
    Path("pictures.csv").write_text("subject,time,file,modality\n17,2020-01-01,scan.png,XC\n")
    np.savez(
        "vectors.npz",
        subject=np.array(["17"]),
        time=np.array(["2020-01-01"]),
        vector=np.array([[0.5, -1.0]]),
        model="densenet",
        hash="0123456789abcdef",
    )


def environment() -> None:
    Path("air.csv").write_text("place,date,measure,value\nN1,2020-01-01,pm25,12\n")
    Path("lived.csv").write_text("subject,place,from,to\n17,N1,2019-06-01,\n18,N1,once,\n")


def meds() -> None:
    Path("other").mkdir()
    Path("other/data").mkdir()
    day = pa.array([1_577_836_800_000_000] * 2, pa.timestamp("us"))
    codes = ["MEASUREMENT//LOINC//4548-4"] * 2
    events = {"subject_id": [18, 17], "time": day, "code": codes, "numeric_value": [700.0, 7.5]}
    pq.write_table(pa.table(events), "other/data/0.parquet")


INPUTS: dict[str, Callable[[], None]] = {
    "OMOP CDM 5.4 and 5.3": omop,
    "Tables": tables,
    "FHIR R4": fhir,
    "Genomes: VCF": vcf,
    "Diplotypes of a laboratory": diplotypes,
    "Questionnaires": questionnaires,
    "Wearables": wearables,
    "Images": images,
    "Environment": environment,
    "A MEDS folder": meds,
}
"""By the heading of the source's section; each writes into the working directory."""
