from dataclasses import replace
from pathlib import Path

import pytest

from posology.domain.pharmacogenomics.guidance import (
    AVOID,
    CHANGE,
    STANDARD,
    UNCERTAIN,
    DrugGuidance,
    Guidance,
    find_guidance,
)
from posology.domain.pharmacogenomics.patient import assess_genes
from posology.domain.pharmacogenomics.phenotypes import GeneResult, Interpretation, ReportedGene
from tests.builders.pharmacogenomics import tables


def advice(folder: Path, *reports: ReportedGene, drug: str, population: str = "") -> DrugGuidance:
    read = tables(folder)
    results = assess_genes(read, {}, reports)
    (found,) = find_guidance(read.guidance, results, [drug], population)
    return found


def guidance(text: str, strength: str = "Strong") -> Guidance:
    return Guidance("d", "1", (("G", "x"),), "general", text, strength, "", "", "g", "c", "v")


@pytest.mark.parametrize(
    ("text", "effect"),
    [
        ("Abacavir is not recommended", AVOID),
        ("Avoid standard dose (75 mg) clopidogrel if possible. Use prasugrel.", AVOID),
        ("If patient is carbamazepine-naïve, do not use carbamazepine.", AVOID),
        ("Consider another drug; allopurinol is contraindicated", AVOID),
        ("No reason to avoid based on G6PD status", STANDARD),
        ("There is no need to avoid prescribing of atazanavir.", STANDARD),
        ("Avoid moderate and strong CYP2D6 inhibitors. Initiate therapy with 20 mg.", CHANGE),
        ("Use prasugrel at standard dose if no contraindication.", CHANGE),
        ("Use abacavir per standard dosing guidelines", STANDARD),
        ("Initiate therapy with recommended starting dose.", STANDARD),
        ("Initiate therapy with recommended starting dose. Consider a lower dose.", CHANGE),
        ("Prescribe desired starting dose. Beware of an increased risk for myopathy.", CHANGE),
        ("Reduce starting dose by 50%", CHANGE),
        ("Words that nobody foresaw", CHANGE),
        ("No recommendation due to lack of evidence", UNCERTAIN),
        ("n/a", UNCERTAIN),
        ("Based on A, reduce doses to 25% of normal. B genotype result is not available.", CHANGE),
        ("Based on A status, prescribe ≤20mg. B phenotype could not be assigned.", CHANGE),
        (
            "Based on A status, prescribe desired starting dose. B result is not available.",
            UNCERTAIN,
        ),
        ("TPMT phenotype could not be assigned based on genotyping performed.", UNCERTAIN),
    ],
)
def test_what_a_recommendation_asks_for(text: str, effect: str) -> None:
    assert guidance(text).effect == effect
    assert guidance(text).forbids == (effect == AVOID)
    assert not guidance(text, "Moderate").forbids


def test_drugs_are_found_by_name_or_rxnorm_code(tmp_path: Path) -> None:
    report = ReportedGene("GENEX", "*3/*3")
    by_name = advice(tmp_path / "a", report, drug="Examplidol")
    assert by_name == advice(tmp_path / "b", report, drug="111")
    assert [rule.text for rule in by_name.matched] == [
        "Avoid examplidol use.",
        "Consider half the dose.",
    ]
    assert by_name.matched[0].citation == "https://example.org/guideline; PMID 2"
    assert by_name.matched[0].version == "v1.20.0"


def test_a_drug_is_forbidden_only_where_every_population_left_forbids_it(tmp_path: Path) -> None:
    report = ReportedGene("GENEX", "*3/*3")
    assert not advice(tmp_path / "a", report, drug="111").forbids
    assert advice(tmp_path / "b", report, drug="111", population="adults").forbids
    assert not advice(tmp_path / "c", report, drug="111", population="children").forbids


def test_of_several_results_the_most_cautious_stands_first(tmp_path: Path) -> None:
    read = tables(tmp_path / "t")
    both = tuple(
        Interpretation(diplotype, (), phenotype, "", phenotype)
        for diplotype, phenotype in (("*1/*4", "Normal Metabolizer"), ("*2/*3", "Poor Metabolizer"))
    )
    results = {"GENEX": GeneResult("GENEX", None, both, False, (), (), "")}
    (found,) = find_guidance(read.guidance, results, ["111"])
    assert [rule.effect for rule in found.matched] == [AVOID, CHANGE, STANDARD]
    assert found.matched[0].forbids


@pytest.mark.parametrize(
    ("score", "forbids", "effect"),
    [("0", True, AVOID), ("0.5", True, AVOID), ("1.0", False, CHANGE), ("2", False, STANDARD)],
)
def test_activity_scores_match_in_any_spelling(
    tmp_path: Path, score: str, forbids: bool, effect: str
) -> None:
    found = advice(tmp_path / "t", ReportedGene("DPYD", "", "", score), drug="4492")
    assert found.forbids == forbids
    assert found.matched[0].effect == effect


@pytest.mark.parametrize(
    ("diplotype", "phenotype", "texts"),
    [
        ("*15:02/*57:01", "", ["Abacavir is not recommended"]),
        ("*15:02/*57:01:01", "", ["Abacavir is not recommended"]),
        ("*15:02/*08:01", "", ["Use abacavir per standard dosing guidelines"]),
        ("*15:02", "", []),
        ("", "*57:01 positive", ["Abacavir is not recommended"]),
        ("", "*57:01_negative", ["Use abacavir per standard dosing guidelines"]),
    ],
)
def test_hla_alleles_are_positive_or_negative(
    tmp_path: Path, diplotype: str, phenotype: str, texts: list[str]
) -> None:
    found = advice(tmp_path / "t", ReportedGene("HLA-B", diplotype, phenotype), drug="abacavir")
    assert [rule.text for rule in found.matched] == texts


def test_indeterminate_is_not_read_as_normal(tmp_path: Path) -> None:
    found = advice(tmp_path / "t", ReportedGene("GENEX", "", "Indeterminate"), drug="111")
    assert [rule.effect for rule in found.matched] == [UNCERTAIN]


def test_genes_of_which_nothing_is_known_are_named(tmp_path: Path) -> None:
    found = advice(tmp_path / "t", drug="111")
    assert (found.matched, found.unknown, found.forbids) == ((), ("GENEX",), False)


def texts_by_score(keys: list[str], score: str) -> list[str]:
    """Which of recommendations with these keys a laboratory's activity score finds."""
    rules = [replace(guidance(key), keys=(("CYP2D6", key),)) for key in keys]
    own = Interpretation("", (), "", score, score)
    result = GeneResult("CYP2D6", None, (own,), True, (), (), "")
    (found,) = find_guidance(rules, {"CYP2D6": result}, ["d"])
    return [rule.text for rule in found.matched]


@pytest.mark.parametrize(
    ("keys", "score", "found"),
    [
        (["2.0", "≥3.0"], "3.0", ["≥3.0"]),
        (["2.0", "≥3.0"], "4.25", ["≥3.0"]),
        (["2.0", "≥3.0"], "≥3", ["≥3.0"]),
        (["2.0", "≥3.0"], "2.75", []),
        (["2.0", "≥3.0"], "≥2.5", []),  # may be less than 3
        (["3.0", "≥3.0"], "3.0", ["3.0"]),
        (["≥3.0", "≥3.25", "≥4.0"], "3.5", ["≥3.25"]),
        (["<1", "1.25-2.25", ">2.25"], "2.25", ["1.25-2.25"]),
        (["<1", "1 to 2.25", "> 2.25"], "1.0", ["1 to 2.25"]),
        (["<=0.25", "<1"], "0.25", ["<=0.25"]),
        (["Poor Metabolizer", "≥3.0"], "Poor_Metabolizer", ["Poor Metabolizer"]),
    ],
)
def test_a_score_finds_the_narrowest_range_around_it(
    keys: list[str], score: str, found: list[str]
) -> None:
    assert texts_by_score(keys, score) == found


def test_a_score_of_one_population_does_not_hide_the_range_of_another() -> None:
    keys = {"adults": "3.0", "children": "≥3.0"}
    rules = [
        replace(guidance(who), keys=(("CYP2D6", key),), population=who) for who, key in keys.items()
    ]
    own = Interpretation("", (), "", "3.0", "3.0")
    result = GeneResult("CYP2D6", None, (own,), True, (), (), "")
    (found,) = find_guidance(rules, {"CYP2D6": result}, ["d"])
    assert [rule.population for rule in found.matched] == ["adults", "children"]
