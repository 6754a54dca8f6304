"""Rewards of the warfarin benchmark."""

import numpy as np
import pytest

from benchmarks.warfarin import penalise_dose_changes
from posology.simulators.warfarin.care import start_treatment, treat_patients
from posology.simulators.warfarin.pharmacology import bodies_2007
from posology.simulators.warfarin.protocols import ClinicianMixture, clinician_policy
from tests.builders.warfarin_patients import warfarin_patients


def test_a_change_of_dose_has_its_price_but_the_first_is_free():
    known, rng = warfarin_patients(20), np.random.default_rng(3)
    logged = treat_patients(
        start_treatment(known, bodies_2007(known, rng)), clinician_policy(ClinicianMixture()), rng
    ).trajectories
    cost = logged.reward - penalise_dose_changes(logged, 0.25).reward
    for first, last in zip(logged.offsets[:-1], logged.offsets[1:], strict=True):
        assert cost[first] == 0.0
        for row in range(first + 1, last):
            same = logged.treatment[row] == logged.treatment[row - 1]
            assert cost[row] == pytest.approx(0.0 if same else 0.25)
    assert cost.max() == pytest.approx(0.25)
