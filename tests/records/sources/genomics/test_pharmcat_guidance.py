"""CPIC's recommendations in PharmCAT's layout, made up for the small gene."""

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from posology.domain.pharmacogenomics.guidance import AVOID, find_guidance
from posology.domain.pharmacogenomics.patient import assess_genes
from posology.domain.pharmacogenomics.phenotypes import ReportedGene
from posology.errors import RecordError
from posology.records.sources.genomics.pgx_tables import read_pgx_tables
from posology.records.sources.genomics.pharmcat_guidance import read_prescribing_guidance
from tests.builders.pharmacogenomics import write_tables


def annotation(text: str, *lookup: dict[str, Any], strength: str = "Strong") -> dict[str, Any]:
    return {
        "name": "Recommendation PA1",
        "population": "general",
        "classification": {"term": strength, "termId": "guidelineStrength:1"},
        "relatedChemicals": [{"id": "PA1", "name": "Examplidol"}],
        "text": {"id": 1, "html": text},
        "implications": ["GENEX: less &amp; slower"],
        "lookupKey": list(lookup),
    }


def package(source: str, *recommendations: dict[str, Any]) -> dict[str, Any]:
    return {
        "guideline": {
            "name": f"Annotation of {source} Guideline for examplidol and GENEX",
            "objCls": "Guideline Annotation",
            "source": source,
            "url": "https://example.org/g",
            "relatedChemicals": [{"id": "PA1", "name": "examplidol"}],
            "recommendation": True,
        },
        "recommendations": list(recommendations),
        "citations": [{"pmid": "1"}, {"pmid": "22"}],
    }


BODY = {
    "version": "2025-11-05-00-25",
    "guidelines": [
        package(
            "CPIC",
            annotation("<p>Avoid examplidol use.</p>\n", {"GENEX": "Poor Metabolizer"}),
            annotation("<p>Of nobody.</p>"),
            annotation("<p>Use <b>half</b>.</p>", {"GENEX": {"*1": 1, "*2": 1}}, {"GENEX": "1.0"}),
        ),
        package("DPWG", annotation("<p>Avoid it.</p>", {"GENEX": "Poor Metabolizer"})),
    ],
}


def test_each_result_of_cpics_guidelines_is_one_recommendation() -> None:
    avoid, *halves = read_prescribing_guidance(BODY, {"examplidol": "42"})
    assert (avoid.drug, avoid.rxnorm, avoid.effect) == ("examplidol", "42", AVOID)
    assert avoid.keys == (("GENEX", "Poor Metabolizer"),)
    assert (avoid.text, avoid.strength) == ("Avoid examplidol use.", "Strong")
    assert (avoid.implications, avoid.population) == ("GENEX: less & slower", "general")
    assert (avoid.citation, avoid.version) == ("https://example.org/g; PMID 22", "2025-11-05-00-25")
    assert [rule.keys for rule in halves] == [(("GENEX", "*1/*2"),), (("GENEX", "1.0"),)]
    assert {rule.text for rule in halves} == {"Use half ."}


def test_the_folder_may_hold_it_alone_or_beside_cpics_own_table(tmp_path: Path) -> None:
    folder = write_tables(tmp_path / "t")
    own = read_pgx_tables(folder)
    (folder / "prescribing_guidance.json").write_text(json.dumps(BODY))
    both = read_pgx_tables(folder)
    assert len(both.guidance) == len(own.guidance) + 3
    version = both.versions[-1]
    assert (version.version, version.made) == ("v1.20.0 and 2025-11-05-00-25", date(2022, 9, 1))
    for path in folder.glob("*recommendation*.json"):
        path.unlink()
    alone = read_pgx_tables(folder)
    assert (alone.versions[-1].made, alone.versions[-1].entries) == (date(2025, 11, 5), 3)
    results = assess_genes(alone, {}, [ReportedGene("GENEX", "*3/*3")])
    (found,) = find_guidance(alone.guidance, results)
    assert found.forbids


def test_a_damaged_one_names_the_file_and_the_field(tmp_path: Path) -> None:
    (tmp_path / "prescribing_guidance.json").write_text('{"guidelines": [{}]}')
    with pytest.raises(RecordError, match=r"prescribing_guidance.json: .* needs 'guideline'"):
        read_pgx_tables(tmp_path)
