"""What the gate of an evaluation asks of a policy's stated probabilities."""

from dataclasses import replace

import numpy as np
import pytest

from posology.learners.effects.target_trial import build_study_trial
from posology.workflows.effect_study import EffectResult
from posology.workflows.gate.judge import _calibration
from tests.builders.followed_worlds import draw_patients, followed_cohort
from tests.builders.linear_policy import LinearPolicy


@pytest.mark.parametrize("leaving", ["none", "independent", "arm"])
def test_calibration_counts_events_no_more_where_patients_leave(leaving: str) -> None:
    """A fifth has the event; of the known outcomes where 60 % leave, more than a fifth."""
    rng, outcome = np.random.default_rng(0), 'kind = "does_not_occur"\ncodes = ["EVENT"]'
    patients = draw_patients(4_000, 3, leaving, 0.0, 0.0)
    cohort = followed_cohort(patients, f"{outcome}\nwithin_days = 365")
    cohort = replace(
        cohort, study=replace(cohort.study, reward=replace(cohort.study.reward, discount=0.0))
    )
    trial = build_study_trial(cohort, 10_000, rng)
    effects = EffectResult(cohort, trial, None, None, 0)  # type: ignore[arg-type]
    found = _calibration(effects, LinearPolicy(cohort.profile, (0.8, 0.8)), rng)
    assert found is not None
    assert found.holds
    assert found.estimate.low < 0 < found.estimate.high
    assert found.estimate.high - found.estimate.low < 0.05
