"""What members add is judged on patients, or sites, that nothing was fitted on."""

from dataclasses import dataclass, replace

import numpy as np

from posology.domain.cohort import TRAIN, VALIDATION, Cohort, select_split
from posology.domain.formulary import Formulary
from posology.domain.policy import Doses
from posology.domain.profile import Profile
from posology.learners.stack.judge import (
    DOSE_ERROR,
    LOG_LOSS,
    StackScore,
    _standard_error,
    judge_members,
)
from posology.learners.stack.members import split_training
from tests.builders.policies import iwpc_cohort


@dataclass
class Known:
    """A policy with the same answers for whatever decisions it is asked about."""

    formulary: Formulary
    profile: Profile
    p: np.ndarray
    dose: np.ndarray

    def predict_effectiveness(self, history, decisions, allowed) -> np.ndarray:
        return self.p[:, :, None]

    def choice_probabilities(self, history, decisions, allowed) -> np.ndarray:
        return self.p

    def predict_doses(self, history, decisions, allowed) -> Doses:
        return Doses(np.tile(self.dose[:, None], (1, 3)), self.dose[:, None])


def cohort() -> Cohort:
    return iwpc_cohort()


def policy(c: Cohort, right: float, error: np.ndarray) -> Known:
    """P(the right class) is `right`; the dose is off by `error`."""
    p = np.full((len(c), 3), (1 - right) / 2)
    p[np.arange(len(c)), c.best_treatment] = right
    return Known(c.study.formulary, c.profile, p, c.dose + error)


def test_a_member_with_opposite_errors_helps_the_dose_and_leaves_the_options() -> None:
    c = cohort()
    error = np.random.default_rng(0).normal(0, 5, len(c))
    network, other = policy(c, 0.9, error), policy(c, 0.2, -error)
    found = judge_members(("network", "other"), (network, other), c, seed=0)
    np.testing.assert_allclose(found.dose_weight, [0.5, 0.5], atol=0.02)
    np.testing.assert_array_equal(found.effectiveness_weight, [1.0, 0.0])
    assert found.helps
    by_loss = {score.loss: score for score in found.scores}
    assert by_loss[DOSE_ERROR].helps
    assert not by_loss[LOG_LOSS].helps
    rows = {(m.member, m.loss): m for m in found.members}
    alone = float(np.abs(error).mean())
    assert np.isclose(rows["other", DOSE_ERROR].alone, alone)
    assert np.isclose(rows["other", DOSE_ERROR].without, alone)
    assert rows["other", LOG_LOSS].weight == 0


def test_worse_copies_of_the_network_do_not_help() -> None:
    c = cohort()
    network, other = policy(c, 0.9, np.full(len(c), 2.0)), policy(c, 0.5, np.full(len(c), 9.0))
    found = judge_members(("network", "other"), (network, other), c, seed=0)
    assert not found.helps
    np.testing.assert_array_equal(found.dose_weight, [1.0, 0.0])


def dose_scores(alike: float, size: float) -> list[StackScore]:
    """The dose's score in 30 draws of a member whose errors correlate with the network's."""
    c, scores = cohort(), []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        error, own = rng.normal(0, 5, (2, len(c)))
        other = size * (alike * error + np.sqrt(1 - alike**2) * own)
        policies = policy(c, 0.9, error), policy(c, 0.9, other)
        found = judge_members(("network", "other"), policies, c, seed=0)
        scores += [score for score in found.scores if score.loss == DOSE_ERROR]
    return scores


def test_a_useful_member_stays_where_noise_speaks_against_it() -> None:
    scores = dose_scores(alike=0.97, size=1.0)  # takes 0.8 % of the error away
    assert np.mean([score.difference for score in scores]) < 0
    against = [score for score in scores if score.difference > 0]
    assert len(against) >= 5, "noise must speak against it"
    assert np.mean([score.helps for score in scores]) > 0.8


def test_a_harmful_member_is_refused() -> None:
    scores = dose_scores(alike=0.97, size=1.5)
    assert np.mean([score.helps for score in scores]) < 0.1


def test_the_standard_error_counts_patients_and_not_their_decisions() -> None:
    values = np.random.default_rng(0).normal(0, 1, 50)
    once = _standard_error(values, np.arange(50))
    assert np.isclose(once, values.std(ddof=1) / np.sqrt(50))
    assert np.isclose(_standard_error(np.repeat(values, 4), np.repeat(np.arange(50), 4)), once)


def test_the_outcome_of_the_option_received_stacks_no_options() -> None:
    c = cohort()
    unknown = replace(c, best_treatment=np.full(len(c), -1, dtype=np.int32))
    error = np.random.default_rng(0).normal(0, 5, len(c))
    policies = policy(c, 0.5, error), policy(c, 0.9, -error)
    found = judge_members(("network", "other"), policies, unknown, seed=0)
    assert [score.loss for score in found.scores] == [DOSE_ERROR]
    np.testing.assert_array_equal(found.effectiveness_weight, [1.0, 0.0])
    assert found.dose_weight[1] > 0.3


def test_parts_of_training_share_no_site_where_the_study_splits_by_site() -> None:
    train, validation = (select_split(cohort(), split) for split in (TRAIN, VALIDATION))
    train = replace(train, site=(train.subject % 8).astype(np.int32))
    larger, smaller = split_training(train, validation, 0)
    assert set(larger.site) & set(smaller.site), "by patient"
    by_site = replace(train.study, split=replace(train.study.split, by="site"))
    larger, smaller = split_training(replace(train, study=by_site), validation, 0)
    assert not set(larger.site) & set(smaller.site)
    assert len(larger) + len(smaller) == len(train)
    assert len(larger) > len(smaller) > 0
