import gzip
from pathlib import Path

import pytest

from posology.domain.pharmacogenomics.definitions import ObservedGene, ObservedSite
from posology.errors import RecordError
from posology.records.sources.genomics.gene_sites import read_gene_sites, respell
from posology.records.sources.genomics.pgx_tables import read_definition
from tests.builders.pharmacogenomics import CONTIGS, GENEX, vcf

X = read_definition(GENEX, {})
RECORDS = [
    "chr10 100 rs1 A G 99 PASS . GT 0/1",
    "chr10 200 rs2 C T 99 PASS . GT 0|1",
    "chr10 300 rs3 CAT C,CATAT 99 PASS . GT 1/2",
    "chr10 400 rs4 G A . . . GT:PS 1|0:400",
]
SITES = {
    100: ObservedSite(("A", "G")),
    200: ObservedSite(("C", "T"), "phased"),
    300: ObservedSite(("C", "CATAT")),
    400: ObservedSite(("A", "G"), "PS 400"),
}


def read(folder: Path, text: str | bytes, name: str = "a.vcf") -> ObservedGene:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    (patient,) = read_gene_sites(path, [X]).values()
    return patient["GENEX"]


def test_bases_and_phase_are_read(tmp_path: Path) -> None:
    assert read(tmp_path, vcf(RECORDS)).sites == SITES


def test_order_and_form_of_the_file_change_nothing(tmp_path: Path) -> None:
    forms = {
        "reversed": vcf(RECORDS[::-1]).encode(),
        "gzipped": gzip.compress(vcf(RECORDS).encode()),
        "windows": vcf(RECORDS).replace("\n", "\r\n").encode(),
        "without chr": vcf([x.removeprefix("chr") for x in RECORDS]).encode(),
        "twice": vcf([*RECORDS, *RECORDS]).encode(),
    }
    for name, data in forms.items():
        assert read(tmp_path, data, f"{name}.vcf").sites == SITES, name


def test_a_change_may_be_spelled_with_fewer_or_more_bases(tmp_path: Path) -> None:
    fewer = read(tmp_path, vcf(["chr10 300 . C CAT . . . GT 0/1"]))
    assert fewer.sites[300].alleles == ("CAT", "CATAT")
    more = read(tmp_path, vcf(["chr10 200 . CG TG,C . . . GT 0/1"]))
    assert more.sites[200].alleles == ("C", "T")
    assert respell("C", "CG", "C") is None, "the deletion has no base here"
    assert respell("G", "A", "C") is None


def test_what_is_absent_or_half_called_is_no_call(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        vcf(
            [
                "chr10 100 . A G . . . GT ./1",
                "chr10 200 . C T . . . GT ./.",
                "chr10 300 . CAT C . . . GT 1",
            ]
        ),
    )
    assert found.sites == {}
    assert found.problems == {
        100: "one allele (./1) is missing",
        200: "the genotype is missing",
        300: "genotype 1 has not two alleles",
    }


def test_a_gvcf_block_covers_only_what_it_states(tmp_path: Path) -> None:
    block = "chr10 90 . T <NON_REF> . . END=210 GT:GQ 0/0:60"
    found = read(tmp_path, vcf([block]))
    assert found.sites == {100: ObservedSite(("A", "A")), 200: ObservedSite(("C", "C"))}
    without = read(tmp_path, vcf([block.replace("END=210", ".")]))
    assert without.sites == {}


def test_records_that_differ_are_no_call_and_phases_that_differ_are_no_phase(
    tmp_path: Path,
) -> None:
    found = read(
        tmp_path,
        vcf(
            [
                "chr10 100 . A G . . . GT 0/1",
                "chr10 100 . A G . . . GT 1/1",
                "chr10 200 . C T . . . GT 0|1",
                "chr10 200 . C T . . . GT 1|0",
            ]
        ),
    )
    assert "two records give different genotypes" in found.problems[100]
    assert found.sites == {200: ObservedSite(("C", "T"))}


def test_another_reference_base_is_no_call(tmp_path: Path) -> None:
    found = read(tmp_path, vcf(["chr10 100 . T G . . . GT 0/1"]))
    assert found.problems[100].startswith("reference is T here, A in the definitions")


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("##contig=<ID=chr10,length=135534747>\n", "it is GRCh37"),
        ("", "its header names no assembly"),
    ],
)
def test_other_assemblies_are_refused(tmp_path: Path, head: str, message: str) -> None:
    path = tmp_path / "a.vcf"
    path.write_text(vcf(RECORDS, head=head))
    with pytest.raises(RecordError, match=message):
        read_gene_sites(path, [X])
    if not head:
        assert read_gene_sites(path, [X], assembly="GRCh38")["7"]["GENEX"].sites == SITES


def test_damaged_files_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "a.vcf.gz"
    with pytest.raises(RecordError, match="there is no such file"):
        read_gene_sites(path, [X])
    path.write_bytes(gzip.compress(vcf(RECORDS, head=CONTIGS * 400).encode())[:-30])
    with pytest.raises(RecordError, match="gzip stream is damaged"):
        read_gene_sites(path, [X])
    path.write_text("nothing")
    with pytest.raises(RecordError, match="not a VCF"):
        read_gene_sites(path, [X])
