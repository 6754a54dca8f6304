"""Tuned boosting of the target distance at each dose."""

from dataclasses import replace

import numpy as np

from posology.domain.cohort import TRAIN, VALIDATION, select_split
from posology.domain.policy import allow_all_treatments
from posology.learners.outcome_models.tuned_dose_boosting import TunedDoseBoostingLearner
from tests.builders.policies import with_option_doses
from tests.builders.synthetic_iwpc import cohort as synthetic_iwpc

FEW = TunedDoseBoostingLearner(round_counts=(2, 60), folds=2, bags=2)


def test_the_options_that_work_are_found_and_more_rounds_are_chosen() -> None:
    whole = synthetic_iwpc(900)
    train, validation = (
        with_option_doses(select_split(whole, split)) for split in (TRAIN, VALIDATION)
    )
    policy = FEW.fit(train, validation)
    assert policy.trees is not None
    assert len(policy.trees.root) == 2 * 60
    allowed = allow_all_treatments(train.last_step, train.study.formulary)
    p = policy.predict_effectiveness(train.history, train.last_step, allowed)[:, :, 0]
    assert ((p > 0) & (p < 1)).all()
    best = select_split(whole, TRAIN).best_treatment
    assert (p.argmax(1) == best).mean() > np.bincount(best).max() / len(best) + 0.05


def test_the_link_is_fitted_on_patients_left_out() -> None:
    """Outcomes without any pattern: P(effective) stays near its mean, though trees fit noise."""
    rng = np.random.default_rng(0)
    parts = []
    for split in (TRAIN, VALIDATION):
        part = with_option_doses(select_split(synthetic_iwpc(600), split))
        noise = rng.normal(size=len(part)).astype(np.float32)
        effective = (noise > 0).astype(np.float32)
        parts.append(replace(part, target_distance=noise, effective=effective))
    policy = TunedDoseBoostingLearner(round_counts=(200,), folds=2, bags=1).fit(*parts)
    p = policy.predict_dose_grid(parts[0].history, parts[0].last_step)
    assert np.nanstd(p) < 0.1
