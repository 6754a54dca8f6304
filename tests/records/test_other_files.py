"""Files of a folder that are not read are listed, whatever the kind of source."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from posology.records.pipeline.ingest import ingest
from posology.records.pipeline.quality import quality_report
from posology.records.sources.registry import make_sources

CGM = (
    'time = "t"\nwindow_hours = 24\nsubject_until = "_"\n'
    '[[series]]\ncolumn = ["g"]\ncode = "WEARABLE//g"\nunit = "mg/dL"\nevery_minutes = 15\n'
)
AIR = 'exposures = ["air"]\n[measures.pm25]\nunit = "ug/m3"\n'
FORM = 'subject = "id"\ntime = "day"\n'
VCF = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t7\n"
KINDS = {
    "wearable": (CGM, "7_0.csv", "t,g\n2020-01-01T00:00,5\n2020-01-01T00:15,6\n"),
    "environment": (AIR, "lived.csv", "subject,place,from,to\n7,N1,2019-01-01,\n"),
    "questionnaire": (FORM, "forms.csv", "id,day,smoking\n7,2020-01-01,never\n"),
    "vcf": (None, "7.vcf", VCF),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_another_ending_is_listed(kind: str, tmp_path: Path) -> None:
    settings, name, text = KINDS[kind]
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / name).write_text(text)
    (folder / "notes.docx").write_bytes(b"PK")
    (tmp_path / "air").mkdir()
    (tmp_path / "air" / "a.csv").write_text("place,date,measure,value\nN1,2020-01-01,pm25,9\n")
    inputs: list[str | Path] = [folder]
    if settings is not None:
        (tmp_path / "settings.toml").write_text(settings)
        inputs.insert(0, tmp_path / "settings.toml")
    ingest(make_sources(kind, inputs), tmp_path / "out")
    rejected = pq.read_table(tmp_path / "out" / "rejected.parquet").to_pylist()
    (listed,) = [row for row in rejected if row["field"] == "fileName"]
    assert (listed["source"], listed["value"]) == (str(folder / "notes.docx"), "notes.docx")
    assert listed["reason"].startswith("the file's name does not end in .")
    losses = quality_report(tmp_path / "out")["losses"]
    assert not any("docx" in loss["source"] for loss in losses), "which is no loss of rows"
