"""`posology pgx` on PharmCAT's own tables and example, where they lie beside the project."""

import json
from pathlib import Path

import pytest

from posology.domain.pharmacogenomics.tables import PgxTables
from posology.errors import RecordError
from posology.records.sources.genomics.pgx_tables import read_pgx_tables
from posology.workflows.pharmacogenomics.pgx import pgx
from tests.builders.pharmacogenomics import write_tables

OURS = ("CYP2D6", "HLA-A", "HLA-B", "MT-RNR1", "CFTR", "G6PD", "RYR1")
"""Genes of the example that have no definitions here, or that only laboratories report."""


@pytest.fixture(scope="module")
def pharmcat(shared: Path) -> Path:
    folder = shared / "data" / "pgx"
    if not folder.is_dir():
        pytest.skip("no data/pgx in ../shared: PharmCAT's tables are needed here")
    return folder


@pytest.fixture(scope="module")
def tables(pharmcat: Path) -> PgxTables:
    return read_pgx_tables(pharmcat)


def test_pharmcats_example_has_its_diplotypes_and_phenotypes(
    pharmcat: Path, tables: PgxTables
) -> None:
    folder = pharmcat / "pharmcat"
    result = pgx(tables, vcf=folder / "pharmcat.example.vcf")
    expected = json.loads((folder / "pharmcat.example.phenotype.json").read_text())["geneReports"]
    compared = 0
    for gene, report in expected.items():
        if gene in OURS:
            continue
        (shown,) = result.results[gene].interpretations
        (theirs,) = report["sourceDiplotypes"]
        assert shown.diplotype == theirs["label"]
        phenotypes = [x for x in theirs["phenotypes"] if x != "n/a"]
        assert [shown.phenotype] == (phenotypes or [""])
        assert shown.activity_score == (theirs["activityScore"] or "")
        compared += 1
    assert compared == 16


def test_recommendations_of_cpic_for_a_poor_metabolizer(tables: PgxTables, tmp_path: Path) -> None:
    calls = tmp_path / "calls.tsv"
    calls.write_text("CYP2C19\t*2/*2\nDPYD\tc.1905+1G>A (*2A)/c.1905+1G>A (*2A)\n")
    result = pgx(tables, calls=calls, drugs=["32968", "4492"], population="CVI ACS PCI")
    by_drug = {found.drug: found for found in result.guidance}
    assert by_drug["fluorouracil"].forbids
    assert by_drug["clopidogrel"].forbids
    assert [x.population for x in by_drug["clopidogrel"].matched] == ["CVI ACS PCI"]
    assert result.to_frame().num_rows == 2


def test_a_folder_without_definitions_takes_only_results(tmp_path: Path) -> None:
    folder = write_tables(tmp_path / "t")
    for path in (folder / "definition").iterdir():
        path.unlink()
    with pytest.raises(RecordError, match=r"has no GENE_translation\.json, which variants need"):
        pgx(folder, vcf=tmp_path / "a.vcf")
