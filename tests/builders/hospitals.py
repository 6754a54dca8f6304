"""Hospitals with one study, whose patients and effects are drawn alike or apart."""

from dataclasses import replace

import numpy as np

from posology.domain.cohort import Cohort, subset_decisions
from posology.domain.study import PredictionTarget
from tests.builders import synthetic_iwpc


def hospital_cohorts(sizes: tuple[int, ...], gain: float = 0.25) -> list[Cohort]:
    """One cohort a hospital: `medium` is better by `gain` than the two others; a harm is rare."""
    everyone = synthetic_iwpc.cohort(sum(sizes))
    study = replace(
        everyone.study,
        outcome=replace(everyone.study.outcome, kind="value_in_range"),
        diagnosis=(PredictionTarget("bleeding", ("BLEEDING",), 90.0),),
        reference="low",
    )
    rng, n = np.random.default_rng(0), len(everyone)
    treatment = rng.integers(0, 3, n).astype(np.int32)
    effective = (rng.random(n) < 0.4 + gain * (treatment == 1)).astype(np.float32)
    known = rng.random(n) < 0.95
    effective[~known] = np.nan
    bleeding = (rng.random((n, 1)) < 0.02).astype(np.float32)
    made = replace(
        everyone,
        study=study,
        treatment=treatment,
        effective=effective,
        outcome_observed=known,
        diagnosis=bleeding,
    )
    hospital = np.repeat(np.arange(len(sizes)), sizes)
    rows = rng.permutation(n)
    return [
        subset_decisions(made, np.isin(np.arange(n), rows[hospital == h]))
        for h in range(len(sizes))
    ]
