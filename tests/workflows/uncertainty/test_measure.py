import json
from dataclasses import replace

import numpy as np

from posology.advice.uncertainty.evidence import EVIDENCE, UncertaintyEvidence
from posology.domain.cohort import TEST, select_split
from posology.domain.serialization import deserialize, serialize
from posology.evaluation.table1.predictions import predict_cohort
from posology.workflows.fit import fit
from posology.workflows.uncertainty.measure import coverage_rows, measure_uncertainty
from tests.builders.policies import fitted_policy, iwpc_cohort


def test_fit_keeps_what_it_measured_as_json() -> None:
    result = fit(iwpc_cohort(), method="logistic")
    stored = json.loads(json.dumps(result.evidence[EVIDENCE]))
    found = deserialize(UncertaintyEvidence, stored, {})
    assert found.options is not None
    assert found.alike is not None
    assert found.distance is not None
    assert serialize(found, {}) == stored


def test_the_test_split_does_not_change_what_is_measured() -> None:
    cohort, policy = iwpc_cohort(), fitted_policy("formula_refit")
    is_test = cohort.split == TEST
    other = replace(
        cohort,
        outcome=np.where(is_test, np.float32(1.0), cohort.outcome),
        best_treatment=np.where(is_test, np.int32(0), cohort.best_treatment),
        effective=np.where(is_test, np.float32(0.0), cohort.effective),
    )
    assert measure_uncertainty(policy, other) == measure_uncertainty(policy, cohort)


def test_coverage_of_both_intervals_is_a_row_for_all_and_for_each_band() -> None:
    cohort, policy = iwpc_cohort(), fitted_policy("formula_refit")
    test = select_split(cohort, TEST)
    predicted = predict_cohort(policy, test)
    found = measure_uncertainty(policy, cohort)
    rows = coverage_rows(predicted, test, found.dose)
    shares = [row for row in rows if row["metric"] == "dose_in_ready_for"]
    assert [row["group"] for row in shares] == [
        "all",
        "right dose 1 to 21",
        "right dose 21 to 49",
        "right dose 49 to 175",
    ]
    assert sum(row["n"] for row in shares[1:]) == shares[0]["n"] == len(test)
    whole = shares[0]
    assert whole["low"] < whole["value"] < whole["high"]
    widths = {row["metric"]: row["value"] for row in rows if row["metric"].startswith("width")}
    assert 0 < widths["width_plan_for"] <= widths["width_ready_for"]
    assert coverage_rows(predicted, test, None) == []
