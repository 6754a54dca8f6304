"""The weighted mean of what follow-up shows is the risk in those who were never lost."""

import numpy as np
import pytest

from tests.builders.followed_worlds import draw_patients, followed_cohort

RISK = 'kind = "does_not_occur"\ncodes = ["EVENT"]\nunit = ""\nwithin_days = 365\n'
DIAGNOSIS = '[[diagnosis]]\nname = "event"\ncodes = ["EVENT"]\nwithin_days = 365\n'


@pytest.mark.parametrize("leaving", ["none", "independent", "covariate", "arm"])
@pytest.mark.parametrize("death", [0.0, 0.4])
@pytest.mark.parametrize("competing_as", ["failure", "cause_specific"])
def test_label_means_are_those_of_nobody_lost(
    leaving: str, death: float, competing_as: str
) -> None:
    """Against the truth of the same patients, arm by arm, within 2.5 points (2.5 errors)."""
    patients = draw_patients(6_000, 1, leaving, death, 0.0)
    how = f'{RISK}competing_as = "{competing_as}"'
    cohort = followed_cohort(patients, how, DIAGNOSIS, 'weighted_by = ["LAB"]')
    if competing_as == "failure":
        truth = np.minimum(patients.event, patients.death) > 365
    else:
        truth = patients.event > 365
    for arm in (0, 1):
        rows = patients.option == arm
        found = weighted_mean(cohort.effective, cohort.censoring_weight, rows)
        assert abs(found - truth[rows].mean()) < 0.025
        incidence = (patients.event <= 365) & (patients.event < patients.death)
        weight = None if cohort.diagnosis_weight is None else cohort.diagnosis_weight[:, 0]
        assert cohort.diagnosis is not None
        found = weighted_mean(cohort.diagnosis[:, 0], weight, rows)
        assert abs(found - incidence[rows].mean()) < 0.025


def weighted_mean(value: np.ndarray, weight: np.ndarray | None, rows: np.ndarray) -> float:
    weight = np.ones(len(value)) if weight is None else weight
    return float(np.average(np.nan_to_num(value[rows].astype(float)), weights=weight[rows]))
