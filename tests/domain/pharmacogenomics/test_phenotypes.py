from pathlib import Path

import pytest

from posology.domain.pharmacogenomics.patient import assess_genes
from posology.domain.pharmacogenomics.phenotypes import ReportedGene, interpret_report, number_text
from tests.builders.pharmacogenomics import dpyd, genex, tables


def test_a_call_has_functions_phenotype_and_lookup_key(tmp_path: Path) -> None:
    result = assess_genes(tables(tmp_path / "t"), {"GENEX": genex(p200="C/T")})["GENEX"]
    (shown,) = result.interpretations
    assert shown.functions == ("Normal", "No function")
    assert (shown.phenotype, shown.lookup_key) == ("Intermediate Metabolizer",) * 2
    assert result.is_settled
    assert result.table_version == "2025-11-05-00-25"


def test_activity_scores_are_the_key_where_the_gene_has_them(tmp_path: Path) -> None:
    result = assess_genes(tables(tmp_path / "t"), {"DPYD": dpyd(p97082391="T/A")})["DPYD"]
    (shown,) = result.interpretations
    assert (shown.phenotype, shown.activity_score, shown.lookup_key) == (
        "Intermediate Metabolizer",
        "1.5",
        "1.5",
    )


def test_diplotypes_that_the_data_do_not_decide_between_are_all_interpreted(tmp_path: Path) -> None:
    found = assess_genes(tables(tmp_path / "t"), {"GENEX": genex(p100="A/G", p200="C/T")})
    result = found["GENEX"]
    assert result.phenotypes == ("Intermediate Metabolizer",)
    assert result.open_phenotypes == ("Poor Metabolizer",), "*2/*3 fits too"
    assert not result.is_settled


def test_a_missing_position_leaves_the_phenotype_open(tmp_path: Path) -> None:
    read = tables(tmp_path / "t")
    result = assess_genes(read, {"GENEX": genex(p200="")})["GENEX"]
    assert result.phenotypes == ("Normal Metabolizer",)
    assert result.open_phenotypes == ("Intermediate Metabolizer", "Poor Metabolizer")
    assert not result.is_settled
    silent = assess_genes(read, {"GENEX": genex(p300="")})["GENEX"]
    assert silent.is_settled, "*28 has the same function as *1"


def test_a_laboratorys_result_counts_before_variants(tmp_path: Path) -> None:
    reports = [ReportedGene("GENEX", "*1/*3")]
    result = assess_genes(tables(tmp_path / "t"), {"GENEX": genex()}, reports)["GENEX"]
    assert result.call is None
    assert result.phenotypes == ("Intermediate Metabolizer",)
    assert result.notes == ("Variants show *1/*1 instead; the laboratory's result is used.",)


def test_a_reported_phenotype_is_kept_and_a_difference_is_named(tmp_path: Path) -> None:
    table = tables(tmp_path / "t").phenotypes["GENEX"]
    result = interpret_report(ReportedGene("GENEX", "*1/*3", "Poor Metabolizer"), table)
    assert result.lookup_keys == ("Poor Metabolizer",)
    assert result.notes == (
        "The laboratory reports Poor Metabolizer; the table gives Intermediate Metabolizer for "
        "*1/*3. The laboratory's is used.",
    )


def test_indeterminate_stays_so(tmp_path: Path) -> None:
    table = tables(tmp_path / "t").phenotypes["GENEX"]
    result = interpret_report(ReportedGene("GENEX", "", "Indeterminate"), table)
    assert result.phenotypes == ("Indeterminate",)
    assert not result.is_settled


def test_a_gene_without_a_table_needs_the_laboratorys_phenotype() -> None:
    result = interpret_report(ReportedGene("CYP2D6", "*1/*4"), None)
    assert result.lookup_keys == ()
    assert result.notes == (
        "No phenotype of CYP2D6 *1/*4 is in the tables: give the laboratory's phenotype or "
        "activity score.",
    )
    scored = interpret_report(ReportedGene("CYP2D6", "*1/*4", "", "1"), None)
    assert scored.lookup_keys == ("1.0",)
    assert scored.is_settled


def test_suballeles_and_mitochondrial_names_find_their_row(tmp_path: Path) -> None:
    table = tables(tmp_path / "t").phenotypes["GENEX"]
    result = interpret_report(ReportedGene("GENEX", "*1.001/*3.002"), table)
    assert result.phenotypes == ("Intermediate Metabolizer",)


@pytest.mark.parametrize(("text", "same"), [("1", "1.0"), ("0.25", "0.25"), ("≥3", "≥3")])
def test_scores_have_one_spelling(text: str, same: str) -> None:
    assert number_text(text) == same
