"""The training set of the offline learners: support, safety, truncation and targets."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from posology.domain.cohort import Cohort
from posology.domain.study import Contraindication
from posology.errors import UserError
from posology.learners.offline_rl.dataset import (
    build_dataset,
    fit_behaviour_policy,
    supported_treatments,
)
from posology.learners.offline_rl.pessimistic_fqi import PessimisticFQI
from posology.learners.offline_rl.q_network import QNetworkSettings
from tests.builders.survival_cohort import survival_cohort

SETTINGS = QNetworkSettings(hidden=32, members=2, batch=256, epochs=1, learning_rate=5e-3, lags=1)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return survival_cohort(3_000)


def test_a_cohort_without_rewards_is_an_error(cohort) -> None:
    unknown = replace(
        cohort,
        reward=np.full(len(cohort), np.nan, np.float32),
        potential_rewards=cohort.potential_rewards * np.nan,
    )
    with pytest.raises(UserError, match="no decision has a treatment and a known reward"):
        PessimisticFQI(SETTINGS).fit(unknown, unknown)


def test_contraindicated_options_are_not_supported(cohort) -> None:
    rule = Contraindication(("t2",), "made up", visible=("STATE",))
    barred = replace(cohort, study=replace(cohort.study, safety=(rule,)))
    data = build_dataset(barred, SETTINGS)
    behaviour = fit_behaviour_policy(data.spec, data.rows, barred, SETTINGS)
    supported = supported_treatments(data, behaviour, 0.0)
    assert not supported[:, 2].any()
    assert supported[:, [0, 1, 3]].all()


def test_a_target_adds_the_value_of_the_next_decision(cohort) -> None:
    data = build_dataset(cohort, SETTINGS)
    next_value = torch.full((3,), 2.0)
    rows = torch.nonzero(data.has_next)[:3, 0]
    zero = data.return_mean / data.return_std
    following = data.td_target(rows, next_value) - (data.reward[rows] - zero)
    assert torch.allclose(following, next_value + zero)


def test_truncated_decisions_are_not_used_and_the_discount_is_the_studys(cohort) -> None:
    last = np.append(np.diff(cohort.subject) != 0, True)
    ended = cohort.trajectory_ended & (cohort.subject % 2 == 0)
    study = replace(cohort.study, reward=replace(cohort.study.reward, discount=0.9))
    data = build_dataset(replace(cohort, trajectory_ended=ended, study=study), SETTINGS)
    unused = np.setdiff1d(np.arange(len(cohort)), data.usable)
    assert np.array_equal(unused, np.flatnonzero(last & ~ended))
    assert data.discount == 0.9
