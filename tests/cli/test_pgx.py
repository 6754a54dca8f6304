import json
from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from posology.cli import app
from posology.domain.pharmacogenomics.guidance import DrugGuidance, Guidance
from posology.domain.pharmacogenomics.tables import TableVersion
from posology.errors import RecordError
from posology.report.pharmacogenomics import pgx_lines
from tests.builders.pharmacogenomics import vcf, write_tables

RECORDS = [
    "chr10 100 rs1 A G . . . GT 0/1",
    "chr10 200 rs2 C T . . . GT 0/1",
    "chr10 300 rs3 CAT C,CATAT . . . GT 0/0",
]


def run(folder: Path, *words: str | Path) -> str:
    tables = folder / "tables"
    if not tables.exists():
        write_tables(tables)
    done = CliRunner().invoke(
        app, ["pgx", "--tables", str(tables), *map(str, words)], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return done.output


def test_variants_to_recommendations_in_80_columns(tmp_path: Path) -> None:
    (tmp_path / "a.vcf").write_text(vcf(RECORDS))
    text = run(tmp_path, "--vcf", tmp_path / "a.vcf", "--json", tmp_path / "a.json")
    assert max(map(len, text.splitlines())) <= 80
    assert "Table of recommendations v1.20.0, " in text
    assert "check for a newer one" in text
    gene = text[text.index("GENEX (variants)") : text.index("Recommendations")]
    assert "*1/*4  Intermediate Metabolizer" in gene
    assert "Fits too, less specific: *2/*3." in gene
    assert "1 position missing: rs4." in gene
    assert "Not excluded: Poor Metabolizer." in gene
    assert "Moderate: Consider a lower dose." in text
    assert "None of its 5 positions has a call." in text
    body = json.loads((tmp_path / "a.json").read_text())
    by_gene = {x["gene"]: x for x in body["genes"]}
    assert by_gene["GENEX"]["call"]["diplotypes"] == ["*1/*4"]
    assert not by_gene["GENEX"]["is_settled"]
    assert {x["content"]: x["made"] for x in body["tables"]}["recommendations"] == "2022-09-01"
    assert body["recommendations"][0]["matched"][0]["strength"] == "Moderate"


def test_a_laboratorys_results_and_chosen_drugs(tmp_path: Path) -> None:
    (tmp_path / "calls.tsv").write_text("DPYD\t*2A/*2A\nGENEX\t*1/*1\n")
    text = run(tmp_path, "--calls", tmp_path / "calls.tsv", "--drug", "4492", "--drug", "Abacavir")
    assert "AVOID: Avoid use of fluorouracil." in text
    assert "abacavir: not judged, HLA-B not known" in text
    assert "examplidol" not in text


def test_why_a_position_has_no_call_is_shown(tmp_path: Path) -> None:
    records = [*RECORDS, "chr10 400 rs4 G A . LowQual . GT 0/0"]
    (tmp_path / "a.vcf").write_text(vcf(records))
    text = run(tmp_path, "--vcf", tmp_path / "a.vcf")
    assert "1 position missing: rs4 (FILTER is LowQual)." in text


def test_a_result_that_is_not_settled_never_reads_as_no_change(tmp_path: Path) -> None:
    records = ["chr10 100 . A G . . . GT 0/0", "chr10 400 . G A . . . GT 0/0"]
    (tmp_path / "a.vcf").write_text(vcf(records))
    text = run(tmp_path, "--vcf", tmp_path / "a.vcf", "--drug", "examplidol")
    assert "No change of dose or drug: examplidol (GENEX not settled)." in text


def test_a_folder_without_recommendations_says_so(tmp_path: Path) -> None:
    write_tables(tmp_path / "tables")
    (tmp_path / "tables" / "recommendations_2022-09.json").unlink()
    (tmp_path / "calls.tsv").write_text("GENEX\t*1/*1\n")
    text = run(tmp_path, "--calls", tmp_path / "calls.tsv")
    assert "No table of recommendations in the folder" in text
    assert "No recommendations: the folder has no table of them." in text


def test_a_normal_result_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "calls.tsv").write_text("GENEX\t*1/*1\n")
    text = run(tmp_path, "--calls", tmp_path / "calls.tsv")
    assert "No change of dose or drug: examplidol." in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "nothing to read: give variants"),
        (("--calls", "{}/calls.tsv", "--drug", "nosuch"), "drug 'nosuch': the 3 drugs"),
        (("--vcf", "{}/two.vcf"), "has 2 samples; keep the patient's one"),
    ],
)
def test_errors_name_the_mend(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    (tmp_path / "calls.tsv").write_text("GENEX\t*1/*1\n")
    two = [f"{record} 0/1" for record in RECORDS]
    (tmp_path / "two.vcf").write_text(vcf(two, samples=("7", "8")))
    with pytest.raises(RecordError, match=message):
        run(tmp_path, *(word.format(tmp_path) for word in words))


def test_a_drug_that_is_misspelt_or_has_no_table_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "calls.tsv").write_text("GENEX\t*1/*1\n")
    words = ("--calls", tmp_path / "calls.tsv", "--drug", "abacavr")
    with pytest.raises(RecordError, match=r"did you mean abacavir\? Name an ingredient or its RxN"):
        run(tmp_path, *words)
    (tmp_path / "tables" / "recommendations_2022-09.json").unlink()
    with pytest.raises(RecordError, match=r"has no table of recommendations, so nothing is known"):
        run(tmp_path, *words)


def test_short_names_of_patients_are_spelt_out() -> None:
    rule = Guidance(
        drug="clopidogrel",
        rxnorm="32968",
        keys=(("CYP2C19", "Poor Metabolizer"),),
        population="CVI ACS PCI",
        text="Avoid clopidogrel.",
        strength="Strong",
        implications="",
        comments="",
        guideline="made up",
        citation="",
        version="1",
    )
    found = DrugGuidance("clopidogrel", "32968", "made up", ("CYP2C19",), (rule,), ())
    version = TableVersion("recommendations", "1", None, 1)
    lines = pgx_lines("Genes.", {}, [found], [version], date(2026, 11, 28))
    text = " ".join(" ".join(lines).split())
    assert "CVI: cardiovascular indication; ACS: acute coronary syndrome; PCI: percut" in text
    assert "NVI" not in text
