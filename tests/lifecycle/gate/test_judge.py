"""The gate opens for a challenger that is better, and each harm alone closes it."""

from dataclasses import replace

import numpy as np
import pytest

from posology.lifecycle.gate.calibration import calibration_change
from posology.lifecycle.gate.clustered_mean import clustered_mean
from posology.lifecycle.gate.evidence import (
    Coverage,
    GateEvidence,
    Predicted,
    Safety,
    SinceFirst,
)
from posology.lifecycle.gate.judge import judge
from posology.lifecycle.gate.plan import GatePlan

N = 4_000
SAFE = Safety(0.0, 0.02, 0.02, True)


def better(seed: int = 0) -> GateEvidence:
    """A true gain of 0.05 with a standard error of 0.008, everything else alike."""
    rng = np.random.default_rng(seed)
    risk = rng.uniform(0.2, 0.8, N)
    effective = (rng.random(N) < risk).astype(float)
    member = rng.random(N) < 0.3
    return GateEvidence(
        subject=np.arange(N),
        gain=rng.normal(0.05, 0.5, N),
        differs=rng.random(N) < 0.5,
        safety=SAFE,
        predicted=Predicted(risk, risk, effective, np.ones(N), np.arange(N)),
        harms={"bleeding": rng.normal(0.0, 0.1, N)},
        groups={"men": member, "women": ~member},
        coverage=(Coverage("dose", 0.8, 820, 1_000),),
    )


def closed_by(evidence: GateEvidence, alpha: float = 4e-4) -> set[str]:
    verdict = judge(evidence, GatePlan(), alpha, np.random.default_rng(1))
    return {r.name for r in verdict.requirements if not r.holds}


def test_the_gate_opens_for_a_better_challenger_and_says_why() -> None:
    verdict = judge(better(), GatePlan(), 4e-4, np.random.default_rng(1))
    assert verdict.is_open
    names = ["value", "safety", "unknown_rules", "calibration", "coverage", "harm", "groups"]
    assert [r.name for r in verdict.requirements] == names
    reason = verdict.requirements[0].reason
    assert "over 4,000 fresh patients" in reason
    assert reason.endswith("its lower bound is above 0.")


def test_each_harm_alone_closes_it() -> None:
    good = better()
    assert "value" in closed_by(replace(good, gain=good.gain - 0.05))
    assert closed_by(replace(good, safety=replace(SAFE, forbidden=1e-9))) == {"safety"}
    assert closed_by(replace(good, safety=replace(SAFE, same_rules=False))) == {"safety"}
    unknown = replace(SAFE, unknown_challenger=0.04)
    assert closed_by(replace(good, safety=unknown)) == {"unknown_rules"}
    assert good.predicted is not None
    shifted = replace(good.predicted, challenger=np.minimum(good.predicted.challenger + 0.1, 1.0))
    assert closed_by(replace(good, predicted=shifted)) == {"calibration"}
    assert closed_by(replace(good, coverage=(Coverage("dose", 0.8, 740, 1_000),))) == {"coverage"}
    assert closed_by(replace(good, coverage=(Coverage("dose", 0.8, 0, 0),))) == {"coverage"}
    more = {"bleeding": good.harms["bleeding"] + 0.02}
    assert closed_by(replace(good, harms=more)) == {"harm"}
    lost = np.where(good.groups["men"], good.gain - 0.15, good.gain + 0.1)
    assert closed_by(replace(good, gain=lost)) == {"groups"}


def test_a_long_way_from_the_first_champion_closes_it() -> None:
    good = better()
    rng = np.random.default_rng(5)
    same = SinceFirst(rng.normal(0.0, 0.5, N), {"bleeding": rng.normal(0.0, 0.1, N)})
    assert closed_by(replace(good, since_first=same)) == set()
    worse = replace(same, gain=same.gain - 0.05)
    assert closed_by(replace(good, since_first=worse)) == {"drift"}
    for grown, closes in ((0.008, set()), (0.02, {"drift"})):  # errors are 0.0016
        more = replace(same, harms={"bleeding": same.harms["bleeding"] + grown})
        assert closed_by(replace(good, since_first=more)) == closes
    verdict = judge(replace(good, since_first=more), GatePlan(), 4e-4, np.random.default_rng(1))
    reason = next(r.reason for r in verdict.requirements if r.name == "drift")
    assert "bleeding grew by at least 0.01" in reason
    assert reason.endswith("more than +0.01.")


def test_what_cannot_be_judged_does_not_hold() -> None:
    good = better()
    few = np.arange(150)
    small = replace(
        *(good,), subject=few, gain=good.gain[few], differs=good.differs[few], groups={}, harms={}
    )
    assert closed_by(small) == {"value"}
    assert closed_by(good, alpha=0.0) == {"value"}
    assert closed_by(replace(good, differs=np.zeros(N, bool))) == {"value"}
    assert good.predicted is not None
    nobody = replace(good.predicted, weight=np.zeros(N))
    assert closed_by(replace(good, predicted=nobody)) == {"calibration"}


def test_a_mean_over_patients_is_that_of_a_naive_one() -> None:
    rng = np.random.default_rng(3)
    subject = rng.integers(0, 40, 300)
    score = rng.normal(size=300) + rng.normal(size=40)[subject]
    found = clustered_mean(score, subject)
    sums = [(score[subject == s] - score.mean()).sum() for s in np.unique(subject)]
    k = len(sums)
    error = np.sqrt(k / (k - 1) * sum(x**2 for x in sums)) / 300
    assert (found.value, found.error, found.patients) == pytest.approx((score.mean(), error, k))
    assert found.lower(0.05) < found.value - 1.6 * error
    assert found.contributing == k
    rare = np.where(np.arange(300) < 5, 1.0, 0.0)
    few = clustered_mean(rare, np.arange(300))
    assert few.contributing == 5
    assert (few.value - few.lower(1e-3)) / few.error == pytest.approx(7.17, abs=0.01)  # t, 4 df
    alone = clustered_mean(score, np.arange(300))
    assert alone.error == pytest.approx(score.std(ddof=1) / np.sqrt(300))


def test_calibration_errors_are_those_of_a_naive_sum() -> None:
    predicted = better().predicted
    assert predicted is not None
    shifted = replace(predicted, challenger=predicted.challenger * 0.8)
    found = calibration_change(shifted, np.random.default_rng(0))
    for own, error in ((shifted.champion, found.champion), (shifted.challenger, found.challenger)):
        tenths = np.array_split(np.argsort(own, kind="stable"), 10)
        squares = [(own[t] - shifted.effective[t]).mean() ** 2 for t in tenths]
        assert error == pytest.approx(np.sqrt(np.mean(squares)), rel=1e-9)
    assert found.value == pytest.approx(found.challenger**2 - found.champion**2)
    assert 0 < found.error < 0.01


def test_a_harm_of_which_no_patient_tells_closes_the_gate_in_words() -> None:
    nobody = np.zeros(0)
    silent = replace(
        better(),
        subject=np.zeros(0, np.int64),
        gain=nobody,
        differs=np.zeros(0, bool),
        predicted=None,
        harms={"bleeding": nobody},
        groups={},
        fresh=400,
    )
    verdict = judge(silent, GatePlan(), 4e-4, np.random.default_rng(1))
    reasons = {r.name: r.reason for r in verdict.requirements if not r.holds}
    assert reasons["harm"] == "bleeding: no fresh patient can show whether it grows; wait for more."
    assert reasons["value"].startswith("0 of 400 fresh patients can be judged")
