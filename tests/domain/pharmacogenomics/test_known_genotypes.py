"""Well-known genotypes with PharmCAT's definitions, where they lie beside the project.

Expected diplotypes are those of PharmCAT's own tests or of the allele tables of PharmVar and CPIC.
`python -m benchmarks.pharmacogenomics` compares with every case of PharmCAT's tests.
"""

from pathlib import Path

import pytest

from posology.domain.pharmacogenomics.call_gene import call_gene
from posology.domain.pharmacogenomics.definitions import ObservedGene, ObservedSite
from posology.domain.pharmacogenomics.patient import assess_genes
from posology.domain.pharmacogenomics.tables import PgxTables
from posology.records.sources.genomics.pgx_tables import read_pgx_tables

STAR_1 = "rs3758581 G/G "
"""CYP2C19*1 has G here; the reference genome is *38."""


@pytest.fixture(scope="module")
def tables(shared: Path) -> PgxTables:
    folder = shared / "data" / "pgx"
    if not folder.is_dir():
        pytest.skip("no data/pgx in ../shared: PharmCAT's tables are needed here")
    return read_pgx_tables(folder)


def patient(tables: PgxTables, gene: str, text: str) -> ObservedGene:
    """Reference but for `rsid A/B` (a `|` is phase); `rsid -` leaves the position out."""
    changed = dict(zip(text.split()[::2], text.split()[1::2], strict=True))
    sites = {}
    for locus in tables.definitions[gene].loci:
        bases = changed.pop(locus.rsid, f"{locus.ref}/{locus.ref}")
        if bases != "-":
            first, second = bases.replace("|", "/").split("/")
            sites[locus.position] = ObservedSite((first, second), "phased" if "|" in bases else "")
    assert not changed, "every position that a case names is in the definitions"
    return ObservedGene(sites)


CASES = [
    ("CYP2C19", "", "*38/*38"),
    ("CYP2C19", STAR_1, "*1/*1"),
    ("CYP2C19", STAR_1 + "rs12769205 A/G rs4244285 G/A", "*1/*2"),
    ("CYP2C19", STAR_1 + "rs12769205 G/G rs4244285 A/A", "*2/*2"),
    ("CYP2C19", STAR_1 + "rs12248560 C/T", "*1/*17"),
    ("CYP2C19", STAR_1 + "rs12248560 C/T rs28399504 A/G", "*1/*4"),
    ("CYP2C19", STAR_1 + "rs12248560 C/T rs28399504 -", "*1/*4 *1/*17"),
    ("CYP2C19", STAR_1 + "rs12769205 - rs4244285 G/A", "*1/*2"),
    ("CYP2C19", STAR_1 + "rs4986893 G/A", "*1/*3"),
    ("CYP2C9", "", "*1/*1"),
    ("CYP2C9", "rs1799853 C/T", "*1/*2"),
    ("CYP2C9", "rs1057910 A/C", "*1/*3"),
    ("CYP2C9", "rs1799853 C/T rs1057910 A/C", "*2/*3"),
    ("CYP2C9", "rs1799853 C|T rs1057910 A|C", ""),
    ("CYP2C9", "rs1304490498 CAATGGAAAGA/C", "*1/*25"),
    ("SLCO1B1", "rs4149056 T/C", "*1/*5"),
    ("SLCO1B1", "rs4149056 C/C", "*5/*5"),
    ("SLCO1B1", "rs2306283 A/G rs4149056 T/C", "*1/*15"),
    ("SLCO1B1", "rs2306283 A|G rs4149056 T|C", "*1/*15"),
    ("TPMT", "rs1142345 T/C", "*1/*3C"),
    ("TPMT", "rs1800460 C/T rs1142345 T/C", "*1/*3A"),
    ("TPMT", "rs1800460 C|T rs1142345 C|T", "*3B/*3C"),
    ("TPMT", "rs1800462 C/G", "*1/*2"),
    ("NUDT15", "rs116855232 C/T", "*1/*3"),
    ("NUDT15", "rs116855232 T/T", "*3/*3"),
    ("NUDT15", "rs116855232 C/T rs746071566 AGGAGTC/AGGAGTCGGAGTC", "*1/*2"),
    ("UGT1A1", "rs887829 C/T rs3064744 CAT/CATAT", "*1/*80+*28"),
    ("UGT1A1", "rs4148323 G/A", "*1/*6"),
    ("VKORC1", "rs9923231 C/T", "rs9923231 reference (C)/rs9923231 variant (T)"),
    ("DPYD", "", "Reference/Reference"),
    ("DPYD", "rs3918290 C/T", "Reference/c.1905+1G>A (*2A)"),
    ("DPYD", "rs3918290 C|T rs67376798 A|T", "c.1905+1G>A (*2A)/c.2846A>T"),
    ("DPYD", "rs75017182 G/C rs56038477 C/T", "Reference/c.1129-5923C>G, c.1236G>A (HapB3)"),
    ("DPYD", "rs75017182 G/C", "Reference/c.1129-5923C>G"),
    ("DPYD", "rs56038477 C/T", "Reference/Reference"),
]


@pytest.mark.parametrize(("gene", "text", "expected"), CASES)
def test_diplotypes(tables: PgxTables, gene: str, text: str, expected: str) -> None:
    found = call_gene(
        tables.definitions[gene], patient(tables, gene, text), tables.phenotypes[gene].activity
    )
    separate = expected.split() if gene == "CYP2C19" else [expected] * bool(expected)
    assert list(found.diplotypes) == separate


@pytest.mark.parametrize(
    ("gene", "text", "phenotype", "score"),
    [
        ("CYP2C19", STAR_1 + "rs12769205 G/G rs4244285 A/A", "Poor Metabolizer", ""),
        ("CYP2C9", "rs1799853 C/T rs1057910 A/C", "Poor Metabolizer", "0.5"),
        ("DPYD", "rs3918290 C/T rs67376798 T/A", "Poor Metabolizer", "0.5"),
        ("DPYD", "rs75017182 G/C rs56038477 C/T", "Intermediate Metabolizer", "1.5"),
        ("VKORC1", "rs9923231 C/T", "-1639 AG", ""),
        ("UGT1A1", "rs887829 T/T rs3064744 CATAT/CATAT", "Poor Metabolizer", ""),
    ],
)
def test_phenotypes(tables: PgxTables, gene: str, text: str, phenotype: str, score: str) -> None:
    result = assess_genes(tables, {gene: patient(tables, gene, text)})[gene]
    (shown,) = result.interpretations
    assert (shown.phenotype, shown.activity_score) == (phenotype, score)


def test_without_its_position_the_poor_metabolizer_is_not_excluded(tables: PgxTables) -> None:
    text = STAR_1 + "rs12769205 - rs4244285 -"
    result = assess_genes(tables, {"CYP2C19": patient(tables, "CYP2C19", text)})["CYP2C19"]
    assert "Poor Metabolizer" in result.open_phenotypes
    assert not result.is_settled
    assert result.call is not None
    assert "*2" in result.call.not_excluded
