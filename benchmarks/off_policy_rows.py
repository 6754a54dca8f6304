"""What benchmarks.off_policy makes of estimates whose truth is known."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from benchmarks.rows import row
from posology.causal.trajectories.care import LoggedCare, Matrix
from posology.causal.trajectories.gain import (
    effective_patients,
    error_factor,
    estimate_trajectory_gain,
)
from posology.evaluation.off_policy.by_state import BY_STATE, state_estimate
from posology.evaluation.off_policy.estimators import (
    ESTIMATORS,
    OffPolicyData,
    episode_weights,
    summed_td_error,
)
from posology.evaluation.off_policy.pareto import pareto_k
from posology.evaluation.off_policy.support import (
    Refusal,
    ReportingRule,
    bootstrap_intervals,
    check_support,
    effective_sample_size,
    effective_size,
    patient_pseudo_values,
)

MODELLED = ("direct", "dr", "wdr", "odr")
"""Estimators that need q."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is simulated for a seed."""

    train: int
    """Patients that policies are learned from."""
    test: int
    """Patients of each draw that policies are valued on."""
    draws: int


@dataclass(frozen=True, slots=True)
class Case:
    """One policy and what is true of it."""

    study: str
    policy: str
    seed: int
    draw: int
    """Which of the seed's independent sets of evaluated patients."""
    truth: float
    error: float = 0.0
    """Standard error of the truth, where that is a mean over simulated patients."""


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """What the estimator by state needs beside OffPolicyData."""

    state: np.ndarray
    path: np.ndarray | None
    """Both of `care_states`."""
    policy: Matrix
    believed: Matrix | None = None
    """Modelled action values of the policy, from other patients."""


def judged(
    case: Case,
    known: OffPolicyData,
    behaviours: dict[str, np.ndarray],
    rng: np.random.Generator,
    states: States | None = None,
) -> list[dict]:
    """One policy by every estimator: estimate, interval, truth, and whether it may be stated.

    Args:
        case: the policy and its truth.
        known: the evaluated patients.
        behaviours: probability of what was given, known and estimated.
        rng: of folds and resamples.
        states: None where each decision is a trajectory by itself: then there is no `sdr`.
    """
    rule, results = ReportingRule(resamples=300), []
    for split, behaviour in behaviours.items():
        trajectories = replace(known.trajectories, logged_probability=behaviour)
        data = replace(known, trajectories=trajectories)
        able = [e for e in ESTIMATORS if e != "odr" or known.occupancy is not None]
        refused = {e: check_support(data, e, rule) is not None for e in able}
        values = {e: patient_pseudo_values(data, ESTIMATORS[e](data)) for e in able}
        said = [e for e in able if e != "direct" and not refused[e]]  # direct has no interval
        wide = (
            bootstrap_intervals(np.column_stack([values[e] for e in said]), rng, rule)
            if said
            else []
        )
        ranges = dict(zip(said, wide, strict=True))
        if "odr" in ranges:
            mean, size = values["odr"].mean(), effective_size(data, "odr")
            ranges["odr"] = mean + error_factor(size) * (ranges["odr"] - mean)
        weights = episode_weights(data)
        tail, size = pareto_k(weights), effective_sample_size(weights, data.patient)
        for estimator, found in values.items():
            low, high = ranges.get(estimator, (np.nan, np.nan))
            modelled = estimator in MODELLED and abs(summed_td_error(data)) > rule.max_td_error
            results.append(
                {
                    **asdict(case),
                    "split": split,
                    "estimator": estimator,
                    "value": float(found.mean()),
                    "low": float(low),
                    "high": float(high),
                    "stated": estimator in ranges,
                    "unfit": bool(modelled),
                    "pareto_k": tail,
                    "effective": size,
                }
            )
        if states is not None:
            results.append({**asdict(case), "split": split, **_by_state(states, data, rng, rule)})
    return results


def _by_state(
    states: States, data: OffPolicyData, rng: np.random.Generator, rule: ReportingRule
) -> dict:
    """The estimate with weights of states; its value also where it is refused."""
    logged = data.trajectories, states.state, states.believed, data.discount, data.weight
    care = LoggedCare(*logged, states.path)
    gain = estimate_trajectory_gain(care, states.policy, rng)
    found = state_estimate(gain, rng, rule).result
    refused = isinstance(found, Refusal)
    return {
        "estimator": BY_STATE,
        "value": float(gain.values.mean()),
        "low": np.nan if refused else found.low,
        "high": np.nan if refused else found.high,
        "stated": not refused,
        "unfit": False,
        "pareto_k": pareto_k(gain.weight),
        "effective": effective_patients(gain),
    }


def summary(results: list[dict]) -> list[dict]:
    """The rows of the benchmark."""
    rows = []
    keys = dict.fromkeys((r["study"], r["split"], r["estimator"]) for r in results)
    for study, split, estimator in keys:
        chosen = [
            r
            for r in results
            if (r["study"], r["split"], r["estimator"]) == (study, split, estimator)
        ]
        error = np.array([r["value"] - r["truth"] for r in chosen])
        spoken = [r for r in chosen if r["stated"]]
        sets = sorted({(r["seed"], r["draw"]) for r in chosen})
        ranks, regrets = zip(*(_ranking(chosen, s) for s in sets), strict=True)
        numbers = {
            "bias": np.nanmean(error),
            "rmse": np.sqrt(np.nanmean(error**2)),
            "stated": len(spoken) / len(chosen),
            "rank_correlation": np.nanmean(ranks),
            "regret": np.mean(regrets),
        }
        for metric, value in numbers.items():
            rows.append(row(study, estimator, split, metric, float(value), n=len(chosen)))
        share, wide = coverage(spoken)
        extra = {"low": share - wide, "high": share + wide} if spoken else {}
        rows.append(row(study, estimator, split, "coverage", share, n=len(spoken), **extra))
    return rows


def coverage(stated: list[dict]) -> tuple[float, float]:
    """Share of intervals that hold the truth, and half the width of that share's own interval.

    Intervals are widened by the truth's error, in quadrature. Policies valued on the same patients
    err together, so the share's interval is that of a ratio of sums over sets of patients.
    """
    if not stated:
        return np.nan, np.nan
    held, sets = np.array([holds(r) for r in stated]), [(r["seed"], r["draw"]) for r in stated]
    _, cluster = np.unique(np.array(sets), axis=0, return_inverse=True)
    share, count = float(held.mean()), int(cluster.max()) + 1
    sums = np.bincount(cluster.ravel(), held - share)
    spread = np.sqrt((sums**2).sum() * count / max(count - 1, 1)) / len(held)
    return share, float(1.96 * spread)


def holds(result: dict) -> bool:
    """Whether the interval, widened by the truth's error, holds the truth."""
    gap, own = result["truth"] - result["value"], 1.96 * result["error"]
    side = result["high"] - result["value"] if gap > 0 else result["value"] - result["low"]
    return bool(abs(gap) <= np.hypot(side, own))


def _ranking(results: list[dict], patients: tuple[int, int]) -> tuple[float, float]:
    """Rank correlation with the truth, and how much the chosen policy loses to the best.

    Policies whose model does not fit come last.
    """
    mine = [r for r in results if (r["seed"], r["draw"]) == patients]
    truth = np.array([r["truth"] for r in mine])
    value = np.array([r["value"] for r in mine])
    unfit = np.array([r["unfit"] for r in mine])
    value = np.where(np.isfinite(value) & ~unfit, value, -np.inf)
    return float(spearmanr(value, truth).statistic), float(truth.max() - truth[value.argmax()])


def finished(path: Path | None) -> Iterator[tuple[dict, list[dict]]]:
    """What each seed of an earlier run came to, and what it was asked: one line a seed."""
    if path is not None and path.exists():
        for line in path.read_text().splitlines():
            done = json.loads(line)
            yield done["asked"], done["results"]


def append(path: Path | None, asked: dict, results: list[dict]) -> None:
    """Keep a seed's results, so that a run cut short goes on after it."""
    if path is not None:
        with path.open("a") as file:
            file.write(json.dumps({"asked": asked, "results": results}) + "\n")
