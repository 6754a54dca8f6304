"""Published formulas by hand, refits against least squares, fills against plain means."""

import numpy as np
import pytest

from posology.cohorts.encode import build_history
from posology.cohorts.events.stream import sort_events
from posology.domain.formulas.formula import (
    design_matrix,
    evaluate_for_patient,
    evaluate_formula,
    fit_fill_values,
    refit_formula,
)
from posology.domain.formulas.published import IWPC_CLINICAL, IWPC_PHARMACOGENETIC
from posology.domain.history import latest_value
from tests.builders.synthetic_iwpc import cohort, events

CODES = (
    "AGE_DECADE",
    "DRUG//amiodarone//yes",
    "DRUG//phenytoin//yes",
    "GENOTYPE//CYP2C9//*1/*3",
    "GENOTYPE//VKORC1_rs9923231//A/G",
    "HEIGHT",
    "RACE//Asian",
    "RACE//Black",
    "RACE//Unknown",
    "RACE//White",
    "WEIGHT",
)


def one(facts: dict[str, float | None]):
    import pyarrow as pa

    from posology.records.schema import EVENTS

    rows = [
        {
            "subject_id": 1,
            "time": None,
            "code": c,
            "numeric_value": v,
            "text_value": None,
            "unit": None,
        }
        for c, v in facts.items()
    ]
    table = sort_events(pa.Table.from_pylist(rows, schema=EVENTS))
    return build_history(table, np.array([1]), CODES, ())


def test_the_pharmacogenetic_formula_by_hand() -> None:
    history = one(
        {
            "AGE_DECADE": 6,
            "HEIGHT": 170,
            "WEIGHT": 70,
            "RACE//Asian": None,
            "GENOTYPE//VKORC1_rs9923231//A/G": None,
            "GENOTYPE//CYP2C9//*1/*3": None,
            "DRUG//amiodarone//yes": None,
        }
    )
    root = 5.6044 - 0.2614 * 6 + 0.0087 * 170 + 0.0128 * 70 - 0.8677 - 0.9357 - 0.1092 - 0.5503
    found = evaluate_formula(IWPC_PHARMACOGENETIC, history, np.array([0]), CODES)
    np.testing.assert_allclose(found, [root**2], rtol=1e-6)


def test_unknown_genotypes_have_terms_of_their_own() -> None:
    history = one({"AGE_DECADE": 5, "HEIGHT": 160, "WEIGHT": 60, "DRUG//phenytoin//yes": None})
    root = 5.6044 - 0.2614 * 5 + 0.0087 * 160 + 0.0128 * 60 - 0.4854 - 0.2188 + 1.1816
    root -= 0.1032  # a race that is not recorded: the paper's "missing or mixed race"
    found = evaluate_formula(IWPC_PHARMACOGENETIC, history, np.array([0]), CODES)
    np.testing.assert_allclose(found, [root**2], rtol=1e-6)


@pytest.mark.parametrize(
    ("race", "coefficient"),
    [(None, 0.0443), ("Unknown", 0.0443), ("White", 0.0), ("Black", 0.4060), ("Asian", -0.6752)],
)
def test_a_race_that_is_not_recorded_has_the_term_of_missing_or_mixed_race(
    race: str | None, coefficient: float
) -> None:
    facts = {"AGE_DECADE": 8, "HEIGHT": 175, "WEIGHT": 90}
    history = one(facts | ({f"RACE//{race}": None} if race else {}))
    root = 4.0376 - 0.2546 * 8 + 0.0118 * 175 + 0.0134 * 90 + coefficient
    found = evaluate_formula(IWPC_CLINICAL, history, np.array([0]), CODES)
    np.testing.assert_allclose(found, [root**2], rtol=1e-6)
    dose, assumed = evaluate_for_patient(IWPC_CLINICAL, history, np.array([0]), CODES)
    assert dose == found[0]
    own = ["missing or mixed race"] if race in (None, "Unknown") else []
    assert [term.name for term, _ in assumed] == [*own, "enzyme inducer", "amiodarone"]


def test_a_medicine_that_no_training_patient_took_counts_in_a_formula() -> None:
    history = one({"AGE_DECADE": 8, "HEIGHT": 175, "WEIGHT": 90, "RACE//White": None})
    codes = tuple(code for code in CODES if "rifampicin" not in code)
    assert "DRUG//rifampicin//yes" not in codes
    beside = ("DRUG//rifampicin//yes",)
    without, _ = evaluate_for_patient(IWPC_CLINICAL, history, np.array([0]), codes)
    dose, assumed = evaluate_for_patient(IWPC_CLINICAL, history, np.array([0]), codes, beside)
    root = 4.0376 - 0.2546 * 8 + 0.0118 * 175 + 0.0134 * 90 + 1.2799
    np.testing.assert_allclose(dose, root**2, rtol=1e-6)
    assert dose > without
    assert [term.name for term, _ in assumed] == ["amiodarone"], "it is recorded"


def test_the_clinical_formula_by_hand() -> None:
    history = one({"AGE_DECADE": 8, "HEIGHT": 175, "WEIGHT": 90, "RACE//Asian": None})
    root = 4.0376 - 0.2546 * 8 + 0.0118 * 175 + 0.0134 * 90 - 0.6752
    found = evaluate_formula(IWPC_CLINICAL, history, np.array([0]), CODES)
    np.testing.assert_allclose(found, [root**2], rtol=1e-6)


def test_a_missing_number_without_imputed_value_gives_nan() -> None:
    found = evaluate_formula(
        IWPC_CLINICAL, one({"AGE_DECADE": 8, "WEIGHT": 90}), np.array([0]), CODES
    )
    assert np.isnan(found).all()


def test_imputed_values_are_group_means() -> None:
    c = cohort(200)
    groups = (("SEX//male",), ("SEX//female",))
    filled = fit_fill_values(IWPC_CLINICAL, groups, c.history, c.last_step, c.profile.codes)
    height = latest_value(c.history, c.last_step, c.profile.rows(("HEIGHT",)))
    X = design_matrix(filled, c.history, c.last_step, c.profile.codes)
    column = [t.name for t in filled.terms].index("height")
    table = {r["subject_id"]: r["code"] for r in events(200).to_pylist() if r["code"][:3] == "SEX"}
    sex = np.array([table[int(s)] for s in c.history.subject_id])
    for each in ("SEX//male", "SEX//female"):
        missing = (sex == each) & np.isnan(height)
        assert missing.any()
        expected = np.nanmean(height[sex == each])
        np.testing.assert_allclose(X[missing, column], expected, rtol=1e-6)


def test_refit_is_least_squares() -> None:
    c = cohort(200)
    filled = fit_fill_values(IWPC_PHARMACOGENETIC, (), c.history, c.last_step, c.profile.codes)
    fitted = refit_formula(
        filled, c.history, c.last_step, c.profile.codes, c.dose.astype(np.float64)
    )
    X = design_matrix(fitted, c.history, c.last_step, c.profile.codes)
    truth = np.sqrt(c.dose.astype(np.float64))
    expected = X @ np.linalg.lstsq(X, truth, rcond=None)[0]
    found = np.sqrt(evaluate_formula(fitted, c.history, c.last_step, c.profile.codes))
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert fitted.name == "iwpc_pharmacogenetic_refit"


@pytest.mark.parametrize("formula", [IWPC_CLINICAL, IWPC_PHARMACOGENETIC])
def test_every_formula_has_its_source(formula) -> None:
    assert "N Engl J Med 2009;360:753" in formula.source
