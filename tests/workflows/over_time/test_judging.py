"""What the gate is shown: truth where it is known, safety by trial, recorded probabilities."""

from dataclasses import dataclass

import numpy as np
import pytest

from posology.advice.uncertainty.evidence import EVIDENCE as UNCERTAINTY
from posology.artifact import Artifact
from posology.causal.propensity import Propensity
from posology.domain.cohort import TEST, select_split
from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses, Policy
from posology.domain.profile import Profile
from posology.domain.serialization import serialize
from posology.workflows.over_time.judging import Pair, _with_logged, gather_evidence
from posology.workflows.progress import no_progress
from posology.workflows.uncertainty.measure import measure_uncertainty
from tests.builders.policies import fitted_policy, iwpc_cohort

FRESH = select_split(iwpc_cohort(), TEST)


@dataclass(frozen=True, slots=True, eq=False)
class Careless:
    """A policy that chooses the last option, forbidden or not."""

    other: Policy

    @property
    def formulary(self) -> Formulary:
        return self.other.formulary

    @property
    def profile(self) -> Profile:
        return self.other.profile

    def predict_effectiveness(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> np.ndarray:
        return self.other.predict_effectiveness(history, decisions, allowed)

    def choice_probabilities(
        self, history: History, decisions: StepIndex, allowed: AllowedMask
    ) -> np.ndarray:
        chosen = np.zeros(allowed.shape)
        chosen[:, -1] = 1.0
        return chosen

    def predict_doses(self, history: History, decisions: StepIndex, allowed: AllowedMask) -> Doses:
        return self.other.predict_doses(history, decisions, allowed)


def saved(policy: Policy, evidence: dict | None = None) -> Artifact:
    return Artifact(policy, FRESH.study, evidence or {}, "0" * 64)


def test_where_the_right_dose_is_known_the_gain_is_that_of_the_rewards() -> None:
    first, second = fitted_policy("fixed"), fitted_policy("logistic")
    found = {UNCERTAINTY: serialize(measure_uncertainty(second, iwpc_cohort(), 0), {})}
    pair = Pair(saved(first), saved(second, found))
    evidence = gather_evidence(pair, FRESH, None, np.random.default_rng(0), no_progress)
    mask = np.ones((len(FRESH), 3), dtype=bool)
    chosen = [p.choice_probabilities(FRESH.history, FRESH.last_step, mask) for p in (first, second)]
    naive = [float((c * FRESH.potential_rewards).sum(axis=1).mean()) for c in chosen]
    assert evidence.gain.mean() == pytest.approx(naive[1] - naive[0], abs=1e-6)
    assert evidence.safety.forbidden == 0
    (coverage,) = evidence.coverage
    assert coverage.of == len(FRESH)
    assert 0.6 < coverage.held / coverage.of <= 1


def test_a_policy_that_ignores_what_is_forbidden_is_found_without_any_rule() -> None:
    good = fitted_policy("logistic")
    pair = Pair(saved(good), saved(Careless(good)))
    evidence = gather_evidence(pair, FRESH, None, np.random.default_rng(0), no_progress)
    assert evidence.safety.forbidden == 1.0
    assert evidence.safety.same_rules


def test_a_recorded_probability_replaces_the_estimate_and_rows_still_sum_to_1() -> None:
    estimated = Propensity(np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]), "logistic", {})
    logged = np.array([0.9, np.nan])
    found = _with_logged(estimated, np.array([1, 0]), logged).probability
    assert found[0] == pytest.approx([0.1 * 2 / 7, 0.9, 0.1 * 5 / 7])
    assert found[1].tolist() == [0.6, 0.3, 0.1]
    assert _with_logged(estimated, np.array([1, 0]), logged * np.nan) is estimated
