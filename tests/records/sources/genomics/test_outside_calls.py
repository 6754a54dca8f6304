from pathlib import Path

import pytest

from posology.domain.pharmacogenomics.phenotypes import ReportedGene
from posology.errors import RecordError
from posology.records.sources.genomics.outside_calls import read_outside_calls


def test_pharmcats_outside_calls(tmp_path: Path) -> None:
    path = tmp_path / "calls.tsv"
    path.write_text(
        "# a comment\n"
        "gene\tdiplotype\tphenotype\tactivity score\n"
        "CYP2D6\tCYP2D6*1/CYP2D6*4\t\t1.0\t0.75\tmore\n"
        "\n"
        "HLA-B\t\t*57:01 positive\n"
    )
    assert read_outside_calls(path) == (
        ReportedGene("CYP2D6", "*1/*4", "", "1.0"),
        ReportedGene("HLA-B", "", "*57:01 positive", ""),
    )


def test_a_quote_swallows_no_further_gene(tmp_path: Path) -> None:
    path = tmp_path / "calls.tsv"
    path.write_text('CYP2D6\t"*1/*4\nDPYD\t"*2A/*2A"\n')
    assert read_outside_calls(path) == (
        ReportedGene("CYP2D6", "*1/*4"),
        ReportedGene("DPYD", "*2A/*2A"),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("CYP2D6\n", "line 1: needs a gene and one of diplotype, phenotype and activity score"),
        ("\t*1/*2\n", "line 1: needs a gene"),
        ("A\t*1/*1\nA\t*1/*2\n", "A stands on two lines; keep the one that counts"),
        ("# nothing\n", "holds no result"),
    ],
)
def test_lines_that_say_nothing_are_errors(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "calls.tsv"
    path.write_text(text)
    with pytest.raises(RecordError, match=message):
        read_outside_calls(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="cannot be read"):
        read_outside_calls(tmp_path / "none.tsv")
