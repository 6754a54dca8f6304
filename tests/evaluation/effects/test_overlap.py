from dataclasses import replace

import numpy as np
import pytest

from posology.causal.propensity import known
from posology.evaluation.effects.overlap import balance, left_out, overlap
from tests.evaluation.trials import truthful

NAMES = tuple(f"x{i}" for i in range(8))


def test_a_trial_overlaps_and_leaves_nobody_out() -> None:
    nuisance, _ = truthful("rct", 500, 0)
    found = overlap(nuisance.trial, nuisance.propensity)
    assert not found.flagged
    assert found.keep.all()
    assert found.refused == ()
    assert left_out(nuisance.trial, found.keep, NAMES) == ()
    for k, option in enumerate(found.options):
        assert option.given == option.effective == (nuisance.trial.treatment == k).sum()
        assert option.outside == 0


def test_low_overlap_is_flagged_and_who_is_left_out_is_said() -> None:
    nuisance, truth = truthful("obs_low", 3000, 1)
    found = overlap(nuisance.trial, nuisance.propensity)
    assert found.flagged
    assert found.outside == pytest.approx(0.40, abs=0.03)
    inside = (truth.propensity >= 0.05) & (truth.propensity <= 0.95)
    np.testing.assert_array_equal(found.keep, inside)
    assert all(option.effective < option.given for option in found.options)
    rows = {row.covariate: row for row in left_out(nuisance.trial, found.keep, NAMES)}
    assert rows["x7"].difference == pytest.approx(0, abs=0.15)
    x = nuisance.trial.covariates[:, 0]
    assert rows["x0"].kept == pytest.approx(x[found.keep].mean())
    assert rows["x0"].difference == pytest.approx(
        (x[~found.keep].mean() - x[found.keep].mean()) / x.std()
    )


def test_an_option_for_others_only_is_refused() -> None:
    nuisance, _ = truthful("rct", 600, 2)
    x = nuisance.trial.covariates[:, 0]
    sure = np.where(x > 0, 0.999, 0.001)
    trial = replace(nuisance.trial, treatment=(x > 0).astype(np.int64))
    found = overlap(trial, known(np.column_stack([1 - sure, sure])))
    assert found.refused == ("old", "new")
    assert found.outside == 1.0


def test_weighting_balances_what_clinicians_chose_by() -> None:
    nuisance, _ = truthful("obs", 8000, 3)
    rows = balance(nuisance.trial, nuisance.propensity, NAMES)
    assert len(rows) == 16
    x0 = [row for row in rows if row.covariate == "x0"]
    assert all(abs(row.before) > 0.25 for row in x0)
    assert all(abs(row.after) < 0.1 for row in rows)
    x, given = nuisance.trial.covariates[:, 0], nuisance.trial.treatment == 1
    new = next(row for row in x0 if row.option == "new")
    assert new.before == pytest.approx((x[given].mean() - x.mean()) / x.std())


def test_missing_numbers_are_left_out_of_means() -> None:
    nuisance, _ = truthful("rct", 400, 4)
    X = nuisance.trial.covariates.copy()
    X[::2, 1] = np.nan
    X[:, 2] = np.nan
    rows = balance(replace(nuisance.trial, covariates=X), nuisance.propensity, NAMES)
    assert np.isfinite(rows[1].before)
    assert np.isnan(rows[2].before)
