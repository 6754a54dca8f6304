import gzip
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from posology.errors import RecordError
from posology.records.batching import combine_batches
from posology.records.schema import Batch
from posology.records.sources.genomics.genomes import PANEL, VcfSettings, read_panel, read_vcf

HEAD = """##fileformat=VCFv4.2
##contig=<ID=chr10,length=133797422>
##contig=<ID=chr16,length=90338345>
"""
COLUMNS = ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT"]
SMALL = """gene,rsid,chrom,position,ref,alt,strand
VKORC1,rs9923231,chr16,31096368,C,T,-
CYP2C9,rs1799853,chr10,94942290,C,T,+
CYP2C19,rs4244285,chr10,94781859,G,A,+
"""


def vcf(records: list[str], samples: tuple[str, ...] = ("7",), head: str = HEAD) -> str:
    body = "".join("\t".join(record.split()) + "\n" for record in records)
    return head + "\t".join([*COLUMNS, *samples]) + "\n" + body


def read(folder: Path, text: str | bytes, name: str = "a.vcf", known: str | None = None) -> Batch:
    (folder / "panel.csv").write_text(SMALL)
    data = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(data)
    return combine_batches(read_vcf([folder / name], VcfSettings(folder / "panel.csv", known)))


def reasons(batch: Batch) -> dict[str, str]:
    fields = batch.rejected["field"].to_pylist()
    return dict(zip(fields, batch.rejected["reason"].to_pylist(), strict=True))


FULL = [
    "chr10 94781859 . G A 99 PASS . GT:GQ 0|1:50",
    "chr10 94942290 rs1799853 C T . . . GT 0/0",
    "chr16 31096368 . C T 99 PASS . GT 1/1",
]
NO_RECORD = "no record at this position: no call, not reference"


def test_genotypes_at_the_panels_positions(tmp_path: Path) -> None:
    batch = read(tmp_path, vcf(FULL), known="2020-01-01")
    assert batch.events.drop_columns(["time", "source", "unit", "numeric_value"]).to_pylist() == [
        {"subject_id": 7, "code": "GENOTYPE//VKORC1_rs9923231//A/A", "text_value": "1/1", "row": 1},
        {"subject_id": 7, "code": "GENOTYPE//CYP2C9_rs1799853//C/C", "text_value": "0/0", "row": 2},
        {
            "subject_id": 7,
            "code": "GENOTYPE//CYP2C19_rs4244285//A/G",
            "text_value": "0|1",
            "row": 3,
        },
    ]
    assert {str(t) for t in batch.events["time"].to_pylist()} == {"2020-01-01 00:00:00"}
    assert batch.rejected.num_rows == 0
    packed = read(tmp_path, gzip.compress(vcf(FULL).encode()), "a.vcf.gz")
    assert packed.events["code"].to_pylist() == batch.events["code"].to_pylist()
    assert set(packed.events["time"].to_pylist()) == {None}


@pytest.mark.parametrize(
    ("known", "time"),
    [
        ("2026", "2026-12-31 23:59:59"),
        ("2026-05", "2026-05-31 23:59:59"),
        ("2026-05-03", "2026-05-03 00:00:00"),
        ("2026-05-03T09:30:00+02:00", "2026-05-03 07:30:00"),
    ],
)
def test_a_report_of_a_month_is_known_when_the_month_is_over(
    tmp_path: Path, known: str, time: str
) -> None:
    batch = read(tmp_path, vcf(FULL), known=known)
    assert {str(t) for t in batch.events["time"].to_pylist()} == {time}


def test_an_absent_position_is_no_call_never_reference(tmp_path: Path) -> None:
    batch = read(tmp_path, vcf(FULL[:1]))
    assert batch.events["code"].to_pylist() == ["GENOTYPE//CYP2C19_rs4244285//A/G"]
    assert reasons(batch) == {"VKORC1 rs9923231": NO_RECORD, "CYP2C9 rs1799853": NO_RECORD}
    assert batch.rows == 3


def test_a_gvcf_block_is_reference_only_at_its_positions(tmp_path: Path) -> None:
    block = "chr10 94781000 . T <NON_REF> . . END={end} GT:GQ 0/0:{gq}"
    inside = read(tmp_path, vcf([block.format(end=94781859, gq=30)]), "a.g.vcf")
    assert inside.events["code"].to_pylist() == ["GENOTYPE//CYP2C19_rs4244285//G/G"]
    short = read(tmp_path, vcf([block.format(end=94781858, gq=30)]), "a.g.vcf")
    assert reasons(short)["CYP2C19 rs4244285"] == NO_RECORD
    weak = read(tmp_path, vcf([block.format(end=94781859, gq=3)]), "a.g.vcf")
    assert reasons(weak)["CYP2C19 rs4244285"] == "GQ 3 is below 20"


@pytest.mark.parametrize(
    "record",
    [
        "chr10 94781000 . T <DEL> . PASS SVTYPE=DEL;END=94781900 GT 0/0",
        "chr10 94781000 . T <CNV> . PASS END=94781900 GT 0/0",
        "chr10 94781000 . T . . PASS SVTYPE=CNV;END=94781900 GT 0/0",
    ],
)
def test_no_deletion_of_a_segment_is_no_reference_at_its_positions(
    tmp_path: Path, record: str
) -> None:
    batch = read(tmp_path, vcf([record]))
    assert batch.events.num_rows == 0
    assert reasons(batch)["CYP2C19 rs4244285"].startswith("lies inside a longer record")


def test_positions_of_thousands_of_digits_and_two_samples_of_one_name(tmp_path: Path) -> None:
    digits = "9" * 5_000
    long = [f"chr10 {digits} . G A 99 PASS . GT 0/1", f"chr10 5 . G . . . END={digits} GT 0/0"]
    assert read(tmp_path, vcf([*long, FULL[0]])).events.num_rows == 1
    batch = read(tmp_path, vcf([f"{FULL[0]} 0|0"], ("7", "7")))
    assert batch.rejected["reason"].to_pylist() == ["two sample columns have the same name"]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ("G A 99 PASS . GT ./1", "one allele (./1) is missing"),
        ("G A 99 PASS . GT ./.", "the genotype is missing"),
        ("G A 99 PASS . DP 30", "the genotype is missing"),
        ("G A 99 LowQual . GT 0/1", "FILTER is LowQual"),
        ("G A 5 PASS . GT 0/1", "QUAL 5 is below 20"),
        ("G A high PASS . GT 0/1", "QUAL 'high' is not a number"),
        ("G A nan PASS . GT 0/1", "QUAL nan is below 20"),
        ("G A 99 PASS . GT 0/7", "genotype '0/7' names no allele of the record"),
        ("G A 99 PASS . GT 0/-1", "genotype '0/-1' names no allele of the record"),
        ("G A,* 99 PASS . GT 1/2", "allele * is not a sequence of bases"),
        ("G T 99 PASS . GT 0/1", "allele T is not one of the panel's (G, A)"),
        (
            "A G 99 PASS . GT 0/1",
            "reference is A here, G in the panel: another assembly, or not "
            "left-aligned (bcftools norm)",
        ),
        ("G <*> 99 PASS END=94781900 GT 0/1", "genotype 0/1 in a reference block"),
        ("G A 99 PASS", "the record ends before its sample column"),
    ],
)
def test_a_position_without_a_call_is_rejected_with_its_reason(
    tmp_path: Path, record: str, reason: str
) -> None:
    batch = read(tmp_path, vcf([f"chr10 94781859 . {record}"]))
    assert batch.events.num_rows == 0
    assert reasons(batch)["CYP2C19 rs4244285"] == reason


def test_a_file_of_another_assembly_is_rejected(tmp_path: Path) -> None:
    old = "##contig=<ID=10,length=135534747>\n"
    assert set(reasons(read(tmp_path, vcf(FULL, head=old))).values()) == {
        "it is GRCh37 (10 has length 135534747); lift it over to GRCh38 first"
    }
    odd = "##contig=<ID=chr10,length=5>\n"
    assert set(reasons(read(tmp_path, vcf(FULL, head=odd))).values()) == {
        "it is an unknown assembly (chr10 has length 5); lift it over to GRCh38 first"
    }
    assert set(reasons(read(tmp_path, vcf(FULL, head=""))).values()) == {
        "its header names no assembly; set assembly = GRCh38 if you know it is"
    }
    header = "##contig=<ID=chr10,assembly=GRCh38.p14>\n"
    assert read(tmp_path, vcf(FULL, head=header)).events.num_rows == 3
    stated = VcfSettings(tmp_path / "panel.csv", assembly="GRCh38")
    (tmp_path / "a.vcf").write_text(vcf(FULL, head=""))
    assert combine_batches(read_vcf([tmp_path / "a.vcf"], stated)).events.num_rows == 3


def test_several_samples_are_several_subjects(tmp_path: Path) -> None:
    lines = ["chr10 94781859 . G A 99 PASS . GT 0/1 1|1"]
    batch = read(tmp_path, vcf(lines, samples=("7", "8")))
    assert batch.events["subject_id"].to_pylist() == [7, 8]
    assert batch.rows == 6


def test_samples_may_have_other_names_than_subjects(tmp_path: Path) -> None:
    read(tmp_path, vcf(FULL, samples=("s1",), head=HEAD).replace("chr", ""))
    settings = VcfSettings(tmp_path / "panel.csv", subjects={"s1": "17"})
    batch = combine_batches(read_vcf([tmp_path / "a.vcf"], settings))
    assert batch.events["subject_id"].to_pylist() == [17, 17, 17]
    settings = VcfSettings(tmp_path / "panel.csv", subjects={"s2": "17"})
    batch = combine_batches(read_vcf([tmp_path / "a.vcf"], settings))
    assert set(reasons(batch).values()) == {"sample 's1' has no subject"}


def test_two_records_with_different_genotypes_are_rejected(tmp_path: Path) -> None:
    twice = [FULL[0], FULL[0].replace("0|1", "1|1")]
    assert reasons(read(tmp_path, vcf(twice)))["CYP2C19 rs4244285"] == (
        "two records give different genotypes; join them with bcftools norm -m +any"
    )
    assert read(tmp_path, vcf([FULL[0], FULL[0]])).events.num_rows == 1


def test_damaged_files_lose_no_position(tmp_path: Path) -> None:
    packed = gzip.compress(vcf(FULL * 500).encode(), compresslevel=0)
    cut = read(tmp_path, packed[: len(packed) // 2], "a.vcf.gz")
    assert cut.rows == 3
    many = vcf([FULL[0], *["chr10 5 . G A 99 PASS . GT 0/1"] * 50_000])
    packed = gzip.compress(many.encode(), compresslevel=0)
    cut = read(tmp_path, packed[:-99], "a.vcf.gz")
    assert cut.events["code"].to_pylist() == ["GENOTYPE//CYP2C19_rs4244285//A/G"]
    assert "the gzip stream is damaged here" in reasons(cut)["VKORC1 rs9923231"]
    for text, reason in [
        (b"", "not a VCF: it ends before a #CHROM line"),
        (b"hello\n", "not a VCF: no #CHROM line before the records"),
        (
            HEAD.encode() + "\t".join(COLUMNS).encode(),
            "no sample column: the file has no genotypes",
        ),
    ]:
        batch = read(tmp_path, text)
        assert batch.rejected["reason"].to_pylist() == [reason]


CELL = st.sampled_from(
    [
        "chr10",
        "94781859",
        "94781000",
        "G",
        "A",
        "T",
        "<NON_REF>",
        ".",
        "PASS",
        "END=94781859",
        "END=x",
        "GT",
        "GT:GQ",
        "0/1",
        "1|1",
        "./.",
        "0/1:9",
        "",
        "\xff",
        "chr16",
        "31096368",
        "*",
    ]
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.lists(CELL, max_size=12), max_size=5), st.booleans())
def test_no_record_causes_a_traceback(tmp_path: Path, lines: list[list[str]], good: bool) -> None:
    start = ["chr10", "94781859"] if good else []
    text = vcf([]) + "".join("\t".join(start + cells) + "\n" for cells in lines)
    assert read(tmp_path, text.encode("latin-1")).rows == 3


def test_an_invalid_panel_is_an_error_that_names_its_columns(tmp_path: Path) -> None:
    assert {site.gene for site in read_panel(PANEL)} >= {"VKORC1", "CYP2C9", "CYP2C19"}
    path = tmp_path / "panel.csv"
    path.write_text(SMALL.replace("94942290", "here"))
    with pytest.raises(RecordError, match=r"panel\.csv: row 2: needs gene, rsid, chrom"):
        read_panel(path)
    path.write_text("gene\n")
    with pytest.raises(RecordError, match="names no position"):
        read_panel(path)
    path.write_text(SMALL.replace("T,-", "T,?"))
    with pytest.raises(RecordError, match="row 1: strand '\\?' is not \\+ or -"):
        read_panel(path)
    with pytest.raises(RecordError, match="known 'soon' is not an ISO 8601 time"):
        list(read_vcf([path], VcfSettings(known="soon")))


def test_the_packages_panel_agrees_with_pharmcats_positions(shared: Path) -> None:
    path = shared / "data" / "pgx" / "pharmcat" / "pharmcat_positions.vcf"
    batch = combine_batches(read_vcf([path], VcfSettings(assembly="GRCh38")))
    assert batch.events.num_rows == len(read_panel())
