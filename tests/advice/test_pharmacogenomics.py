"""Findings of pharmacogenomics for the options of a study."""

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pytest

from posology.advice.form.build import build_form
from posology.advice.form.reading import read_filled_form
from posology.advice.inputs import AdviceInputs
from posology.advice.pharmacogenomics import PgxFindings, find_pgx, option_drugs, used_genes
from posology.advice.recommend import recommend
from posology.cohorts.patient import encode_patient
from posology.domain.formulary import Formulary, Treatment
from posology.domain.history import History
from posology.domain.pharmacogenomics.patient import assess_genes
from posology.domain.pharmacogenomics.phenotypes import ReportedGene
from posology.domain.study import Study
from tests.builders.pharmacogenomics import genex, tables
from tests.builders.policies import fitted_policy, iwpc_cohort

TODAY = date(2026, 11, 28)


def encode(**facts: object) -> History:
    """A patient for the logistic regression, which needs no network."""
    given, profile = iwpc_cohort().study, fitted_policy("logistic").profile
    form = build_form(given, profile, None)
    body = {"facts": {"SEX": "male", "HEIGHT": 180, **facts}}
    events, _ = read_filled_form(body, form, "patient", datetime(2000, 1, 1))  # noqa: DTZ001
    return encode_patient(events, given, profile)[0]


def study(code: str = "DRUG//RXNORM//111") -> Study:
    """The IWPC study, whose option `low` is the example's drug."""
    given = iwpc_cohort().study
    options = [
        replace(t, codes=(code,)) if t.name == "low" else t for t in given.formulary.treatments
    ]
    return replace(given, formulary=replace(given.formulary, treatments=tuple(options)))


def found(folder: Path, *reports: ReportedGene, population: str = "") -> PgxFindings:
    read = tables(folder)
    return find_pgx(study(), read, assess_genes(read, {}, reports), TODAY, population)


def kinds(found: PgxFindings) -> list[str]:
    return [finding.kind for finding in found.findings]


def test_a_strong_avoid_forbids_the_option(tmp_path: Path) -> None:
    result = found(tmp_path / "t", ReportedGene("GENEX", "*3/*3"), population="adults")
    (finding,) = result.findings
    assert finding.kind == "forbids"
    assert finding.finding == "GENEX *3/*3, poor metabolizer"
    assert finding.meaning == "For adults: Avoid examplidol use."
    assert finding.strength == "strong"
    assert finding.source == ("GENEX and examplidol; https://example.org/guideline; PMID 2")
    assert finding.version == "v1.20.0 (2022-09)"
    assert finding.options == ("low dose, under 21 mg a week",)
    assert result.forbidden == ("low",)


def test_for_other_populations_it_is_a_warning(tmp_path: Path) -> None:
    result = found(tmp_path / "t", ReportedGene("GENEX", "*3/*3"))
    assert kinds(result) == ["warning"]
    assert result.findings[0].meaning == (
        "For adults: Avoid examplidol use. For children: Consider half the dose."
    )
    assert result.forbidden == ()


@pytest.mark.parametrize(
    ("report", "kind", "meaning"),
    [
        (ReportedGene("GENEX", "*1/*3"), "warning", "Consider a lower dose."),
        (ReportedGene("GENEX", "*1/*1"), "clear", "Use examplidol per standard dosing."),
        (ReportedGene("GENEX", "", "Indeterminate"), "not_checked", "No recommendation."),
        (
            ReportedGene("GENEX", "", "Some new word"),
            "not_checked",
            "The table has no recommendation for this result.",
        ),
    ],
)
def test_kinds_of_findings(tmp_path: Path, report: ReportedGene, kind: str, meaning: str) -> None:
    (finding,) = found(tmp_path / "t", report).findings
    assert (finding.kind, finding.meaning) == (kind, meaning)


def test_a_population_without_a_recommendation_is_not_clear(tmp_path: Path) -> None:
    read = tables(tmp_path / "t")
    normal = next(x for x in read.guidance if x.text.startswith("Use examplidol"))
    silent = replace(normal, text="No recommendation", population="children")
    read = replace(read, guidance=(normal, silent))
    results = assess_genes(read, {}, [ReportedGene("GENEX", "*1/*1")])
    assert kinds(find_pgx(study(), read, results, TODAY)) == ["not_checked"]


def test_an_unknown_gene_is_not_checked(tmp_path: Path) -> None:
    (finding,) = found(tmp_path / "t").findings
    assert (finding.kind, finding.finding) == ("not_checked", "GENEX not known")
    assert finding.meaning == "The guideline for examplidol depends on it."


def test_missing_positions_never_give_the_all_clear(tmp_path: Path) -> None:
    read = tables(tmp_path / "t")
    results = assess_genes(read, {"GENEX": genex(p200="")})
    result = find_pgx(study(), read, results, TODAY)
    assert kinds(result) == ["not_checked"]
    assert result.findings[0].finding == (
        "GENEX *1/*1, normal metabolizer, but intermediate metabolizer or poor metabolizer is not "
        "excluded"
    )


def test_old_tables_are_named_first(tmp_path: Path) -> None:
    (callout,) = found(tmp_path / "t").callouts
    assert callout.startswith("Tables of pharmacogenomics are old: allele definitions 2025-11-05")
    assert "recommendations v1.20.0, 4.2 years old." in callout


def test_what_the_tables_do_not_have_is_said(tmp_path: Path) -> None:
    read = tables(tmp_path / "t")
    other = find_pgx(study("DRUG//RXNORM//999"), read, {}, TODAY)
    assert [finding.kind for finding in other.findings] == ["not_checked"]
    assert (
        other.findings[0].finding == "No option is one of the 3 drugs of the pharmacogenomic table"
    )
    empty = find_pgx(study(), replace(read, guidance=()), {}, TODAY)
    assert empty.findings == ()
    assert empty.callouts == (
        "Pharmacogenomics was not checked: the folder of tables has no recommendations "
        "(*recommendation*.json of CPIC, or prescribing_guidance.json of PharmCAT).",
    )


@pytest.mark.parametrize(
    ("code", "drugs"),
    [
        ("DRUG//RXNORM//111", ("examplidol",)),
        ("DRUG_PER_DAY//RxNorm//111", ("examplidol",)),
        ("DRUG//Examplidol", ("examplidol",)),
        ("DRUG//ATC//111", ()),
        ("PROCEDURE//examplidol", ()),
    ],
)
def test_options_are_known_by_rxnorm_code_or_name(
    tmp_path: Path, code: str, drugs: tuple[str, ...]
) -> None:
    rules = tables(tmp_path / "t").guidance
    option = Treatment("a", "A", (code,))
    assert option_drugs(option, Formulary((option,)), rules) == drugs
    both = Treatment("both", "Both", together=("a", "abacavir"))
    other = Treatment("abacavir", "Abacavir", ("DRUG//X",))
    formulary = Formulary((option, other, both))
    assert option_drugs(both, formulary, rules) == (*drugs, "abacavir")


def test_genes_that_the_model_learned_from_are_used_in_the_dose() -> None:
    policy = fitted_policy("logistic")
    history = encode(**{"GENOTYPE//VKORC1_rs9923231": "A/A"})
    (finding,) = used_genes(iwpc_cohort().study, policy.profile, history)
    assert finding.kind == "used_in_dose"
    assert "VKORC1" in finding.finding
    assert finding.meaning == (
        "The model learned from such results, and its dose takes them into account."
    )
    assert used_genes(iwpc_cohort().study, policy.profile, encode()) == ()


def test_a_forbidden_option_has_no_probability_and_no_dose(tmp_path: Path) -> None:
    result = found(tmp_path / "t", ReportedGene("GENEX", "*3/*3"), population="adults")
    inputs = AdviceInputs(safety=result.findings, forbidden=result.forbidden)
    advice = recommend(fitted_policy("logistic"), study(), encode(), inputs)
    by_name = {option.name: option for option in advice.options}
    assert by_name["low"].standing == "forbidden"
    assert by_name["low"].choice_share == 0
    assert by_name["low"].dose is None
    assert by_name["low"].remarks[0].startswith("Forbidden: GENEX *3/*3, poor metabolizer. ")
    assert by_name["medium"].choice_share + by_name["high"].choice_share == pytest.approx(1)
