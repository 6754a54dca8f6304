import json
from datetime import date
from pathlib import Path

import pytest

from posology.errors import RecordError
from posology.records.sources.genomics.pgx_tables import (
    read_definition,
    read_pgx_tables,
    read_phenotypes,
)
from tests.builders.pharmacogenomics import GENEX, tables, write_tables


def test_a_folder_of_tables(tmp_path: Path) -> None:
    read = tables(tmp_path / "t")
    assert sorted(read.definitions) == sorted(read.phenotypes) == ["DPYD", "GENEX"]
    assert read.definitions["GENEX"].reference.name == "*1"
    assert read.phenotypes["DPYD"].activity["*2A"] == 0.0
    assert read.phenotypes["DPYD"].results["*2A", "*2A"] == ("Poor Metabolizer", "0.0", "0.0")
    assert read.phenotypes["GENEX"].results["*1", "*3"] == (
        "Intermediate Metabolizer",
        "Intermediate Metabolizer",
        "",
    )
    assert [(x.content, x.version, x.made) for x in read.versions] == [
        ("allele definitions", "2025-11-05-00-25", date(2025, 11, 5)),
        ("phenotypes", "2025-11-05-00-25", date(2025, 11, 5)),
        ("recommendations", "v1.20.0", date(2022, 9, 1)),
    ]


def test_folders_without_tables_are_errors(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no such folder of pharmacogenomic tables"):
        read_pgx_tables(tmp_path / "none")
    with pytest.raises(RecordError, match="holds no pharmacogenomic table"):
        read_pgx_tables(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("A_translation.json", "{", "cannot be read as JSON"),
        ("A_translation.json", "{}", "needs 'gene'"),
        (
            "A_translation.json",
            json.dumps(GENEX | {"genomeBuild": "GRCh37"}),
            "genomeBuild is 'GRCh37'; only tables of GRCh38 are read",
        ),
        (
            "A_translation.json",
            json.dumps(GENEX | {"namedAlleles": []}),
            "needs exactly one with reference true",
        ),
        (
            "A_translation.json",
            json.dumps(GENEX | {"variants": GENEX["variants"][:2]}),
            "needs one of alleles for each of variants",
        ),
        ("phenotype_A.json", '{"gene": "A"}', "needs 'diplotypes'"),
        ("recommendation.json", "{}", "expected a list of drugs"),
        ("recommendation.json", '[{"drug": "a"}]', "needs 'recommendations'"),
    ],
)
def test_damaged_tables_name_the_file_and_the_field(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    folder = write_tables(tmp_path / "t")
    (folder / name).write_text(text)
    with pytest.raises(RecordError, match=message) as caught:
        read_pgx_tables(folder)
    assert name in str(caught.value)


def test_exemptions_beside_the_definitions_are_used(tmp_path: Path) -> None:
    folder = write_tables(tmp_path / "t")
    body = {"GENEX": {"requiredPositions": [100]}}
    (folder / "definition" / "exemptions.json").write_text(json.dumps(body))
    assert read_pgx_tables(folder).definitions["GENEX"].required == {100}
    assert read_definition(GENEX, {}).required == frozenset()


def test_a_score_of_0_may_be_a_number() -> None:
    """0 is no missing value: it is the score of no function."""
    body = {"gene": "G", "haplotypes": {"*1": 1, "*2": 0}, "activityValues": {"*1": 1, "*2": 0}}
    listed = body | {"diplotypes": {"*2/*2": [0, "Poor Metabolizer", 0.0]}}
    keyed = {"diplotypekey": {"*2": 2}, "phenotype": "Poor Metabolizer"}
    own = body | {"diplotypes": [keyed | {"lookupkey": 0.0, "activityScore": 0}]}
    for table, (key, score) in ((listed, ("0", "0.0")), (own, ("0.0", "0"))):
        read = read_phenotypes(table)
        assert read.results["*2", "*2"] == ("Poor Metabolizer", key, score)
        assert (read.functions["*2"], read.activity["*2"]) == ("0", 0.0)
