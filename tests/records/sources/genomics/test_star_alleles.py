from pathlib import Path

import pytest

from posology.errors import RecordError
from posology.records.batching import combine_batches
from posology.records.schema import Batch
from posology.records.sources.genomics.genomes import VcfSettings
from posology.records.sources.genomics.star_alleles import read_star_alleles
from posology.workflows.ingest import ingest
from tests.builders.pharmacogenomics import vcf, write_tables

FULL = [
    "chr10 100 rs1 A G . . . GT 0|1",
    "chr10 200 rs2 C T . . . GT 0|1",
    "chr10 300 rs3 CAT C,CATAT . . . GT 0/0",
    "chr10 400 rs4 G A . . . GT 0/0",
]


def read(folder: Path, records: list[str], **settings: object) -> Batch:
    if not (folder / "t").exists():
        write_tables(folder / "t")
    (folder / "a.vcf").write_text(vcf(records))
    chosen = VcfSettings(tables=folder / "t", **settings)
    return combine_batches(read_star_alleles([folder / "a.vcf"], chosen))


def test_settled_genes_are_events(tmp_path: Path) -> None:
    batch = read(tmp_path, FULL, known="2020-01-01")
    events = batch.events.select(["subject_id", "code"]).to_pylist()
    assert events == [
        {"subject_id": 7, "code": "GENOTYPE//GENEX//*1/*4"},
        {"subject_id": 7, "code": "PHENOTYPE//GENEX//intermediate_metabolizer"},
    ]
    assert str(batch.events["time"][0]) == "2020-01-01 00:00:00"
    assert batch.rejected["reason"].to_pylist() == ["None of its 5 positions has a call"]


def test_a_report_of_a_month_is_known_when_the_month_is_over(tmp_path: Path) -> None:
    batch = read(tmp_path, FULL, known="2026-05")
    assert {str(t) for t in batch.events["time"].to_pylist()} == {"2026-05-31 23:59:59"}
    with pytest.raises(RecordError, match="known 'soon' is not an ISO 8601 time"):
        read(tmp_path, FULL, known="soon")


def test_what_is_not_settled_is_rejected_with_its_reason(tmp_path: Path) -> None:
    missing = read(tmp_path, FULL[:1] + FULL[2:])
    assert missing.events.num_rows == 0
    assert "1 position missing (rs2); *3 not excluded" in missing.rejected["reason"].to_pylist()
    unphased = read(tmp_path, [x.replace("0|1", "0/1") for x in FULL])
    assert (
        "the variants do not decide between Intermediate Metabolizer and Poor Metabolizer"
        in unphased.rejected["reason"].to_pylist()
    )


def test_a_phenotype_may_be_settled_where_the_diplotype_is_not(tmp_path: Path) -> None:
    batch = read(tmp_path, [x for x in FULL if "rs3" not in x])
    assert batch.events["code"].to_pylist() == ["PHENOTYPE//GENEX//intermediate_metabolizer"]


def test_samples_without_a_subject_and_other_assemblies_are_rejected(tmp_path: Path) -> None:
    batch = read(tmp_path, FULL, subjects={"8": "1"})
    assert set(batch.rejected["reason"].to_pylist()) == {"sample '7' has no subject"}
    (tmp_path / "a.vcf").write_text(vcf(FULL, head="##contig=<ID=chr10,length=135534747>\n"))
    settings = VcfSettings(tables=tmp_path / "t")
    batch = combine_batches(read_star_alleles([tmp_path / "a.vcf"], settings))
    (reason,) = batch.rejected["reason"].to_pylist()
    assert "it is GRCh37" in reason
    with pytest.raises(RecordError, match="star alleles need tables"):
        next(read_star_alleles([tmp_path / "a.vcf"], VcfSettings()))


def test_ingest_reads_them_with_a_settings_file(tmp_path: Path) -> None:
    write_tables(tmp_path / "t")
    (tmp_path / "a.vcf").write_text(vcf(FULL))
    (tmp_path / "vcf.toml").write_text(f'tables = "{tmp_path / "t"}"\n')
    result = ingest({"vcf": [tmp_path / "vcf.toml", tmp_path / "a.vcf"]}, tmp_path / "events")
    assert result.counts.events == 2
