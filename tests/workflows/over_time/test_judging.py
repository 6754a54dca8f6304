"""What the gate is shown: truth where it is known, safety by trial, recorded probabilities."""

from dataclasses import dataclass

import numpy as np
import pytest

from posology.advice.uncertainty.evidence import EVIDENCE as UNCERTAINTY
from posology.artifact import Artifact
from posology.causal.propensity import Propensity
from posology.domain.cohort import (
    TEST,
    TRAIN,
    VALIDATION,
    Cohort,
    select_split,
    subset_decisions,
)
from posology.domain.formulary import Formulary
from posology.domain.history import History, StepIndex
from posology.domain.policy import AllowedMask, Doses, Policy
from posology.domain.profile import Profile
from posology.domain.serialization import serialize
from posology.learners.methods import build_learner
from posology.lifecycle.gate.clustered_mean import clustered_mean
from posology.lifecycle.gate.judge import judge
from posology.lifecycle.gate.plan import GatePlan
from posology.workflows.cohorts import read_cohort
from posology.workflows.over_time.judging import Pair, _with_logged, gather_evidence
from posology.workflows.progress import no_progress
from posology.workflows.uncertainty.measure import measure_uncertainty
from tests.builders.changing_world import changing_events, changing_study, drifting_events
from tests.builders.policies import fitted_policy, iwpc_cohort

FRESH = select_split(iwpc_cohort(), TEST)


@dataclass(frozen=True, slots=True, eq=False)
class Careless:
    """A policy that chooses one option, the last by default, forbidden or not."""

    other: Policy
    option: int = -1
    share: float = 1.0
    """Of its choices; the others are of the first option."""

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
        chosen[:, 0] = 1 - self.share
        chosen[:, self.option] += self.share
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


@pytest.fixture(scope="module")
def drifting() -> Cohort:
    return read_cohort(changing_study(), drifting_events(1_500, 600, 8))


@pytest.fixture(scope="module")
def better_first() -> Cohort:
    return read_cohort(changing_study(), changing_events(1, 1_500, (0, 100), 9))


def always(cohort: Cohort, option: int, share: float = 1.0) -> Artifact:
    train, rest = (select_split(cohort, split) for split in (TRAIN, VALIDATION))
    policy = Careless(build_learner("logistic", 0).fit(train, rest), option, share)
    return Artifact(policy, cohort.study, {}, f"{option} {share}")


def test_a_drug_that_came_when_outcomes_got_worse_is_not_blamed_for_it(drifting: Cohort) -> None:
    """B's patients do 0.32 worse than A's, since they came later; it makes no difference."""
    pair = Pair(always(drifting, 0), always(drifting, 1))
    evidence = gather_evidence(pair, drifting, None, np.random.default_rng(0), no_progress)
    gain = clustered_mean(evidence.gain, evidence.subject)
    assert abs(gain.value) < 3 * gain.error
    assert gain.error < 0.07


def test_a_harm_that_nobody_had_is_bounded_by_those_treated_like_that(drifting: Cohort) -> None:
    """The study counts HARM, which no event has."""
    rare = np.random.default_rng(0).random(len(drifting)) < 0.8
    few = subset_decisions(drifting, ~rare | (drifting.treatment == 0))
    pair = Pair(always(drifting, 0), always(drifting, 1))
    evidence = gather_evidence(pair, few, None, np.random.default_rng(0), no_progress)
    (harm,) = evidence.unestimated.values()
    assert harm.why.startswith("0 in all")
    assert harm.largest == 0.5
    assert harm.champion.share == harm.challenger.share == harm.challenger.unknown == 0
    given = few.treatment == 1
    assert 10 < harm.challenger.size <= given.sum() < harm.champion.size
    verdict = judge(evidence, GatePlan(), 0.01, np.random.default_rng(0))
    assert not next(r for r in verdict.requirements if r.name == "harm").holds


def test_small_steps_are_judged_against_the_first_champion_too(better_first: Cohort) -> None:
    """A helps 70 %, B 50 %: half and half is better than B alone, but worse than where it began."""
    first, champion, half = (always(better_first, 1, share) for share in (0.0, 1.0, 0.5))

    pair = Pair(champion, half, first)
    evidence = gather_evidence(pair, better_first, None, np.random.default_rng(0), no_progress)
    verdict = judge(evidence, GatePlan(), 0.01, np.random.default_rng(0))
    found = {requirement.name: requirement for requirement in verdict.requirements}
    assert found["value"].holds
    assert not found["drift"].holds
    assert "Against the first champion the gain is -0." in found["drift"].reason
    assert evidence.since_first is not None
    assert set(evidence.since_first.harms) == set(evidence.harms)


def test_without_a_window_that_is_over_nothing_is_estimated(drifting: Cohort) -> None:
    assert drifting.time is not None
    late = subset_decisions(drifting, drifting.time > np.sort(drifting.time)[-30])
    pair = Pair(always(drifting, 0), always(drifting, 1))
    evidence = gather_evidence(pair, late, None, np.random.default_rng(0), no_progress)
    assert len(evidence.gain) == 0
    assert evidence.fresh == len(late)
    verdict = judge(evidence, GatePlan(), 0.01, np.random.default_rng(0))
    assert f"0 of {len(late)} fresh patients can be judged" in verdict.requirements[0].reason


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
