"""Bias, error, coverage, ranking and regret of every off-policy estimator where truth is known.

    python -m benchmarks.off_policy --seeds 10 --json FILE

Policies are learned from one set of logged sepsis patients by many methods and knobs, and valued
on another by every estimator, with the behaviour policy known and estimated.
"""

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from benchmarks.rows import row, write
from posology.evaluation.behaviour import table_behaviour
from posology.evaluation.effective_sample import (
    Stating,
    mean_interval,
    refusal,
)
from posology.evaluation.fitted_q import (
    Decisions,
    cross_fitted,
    folds,
    part,
    table_occupancy,
    table_q,
)
from posology.evaluation.off_policy import ESTIMATORS, Logged
from posology.learners.tabular import Pooling, clone, count, pooled, spibb
from posology.simulators import sepsis
from posology.simulators.mdp import policy_value, sample
from posology.simulators.trajectories import Trajectories, state

PLAIN = Pooling(visits=0.0, common=1e-6, rare=0.0, caution=0.0)


def policies(logged: Trajectories, world: sepsis.Sepsis) -> dict[str, np.ndarray]:
    """Twenty policies of every kind, from cautious to careless."""
    counts = count(logged)
    copy = clone(counts).probabilities
    everything = np.ones_like(world.admissible)
    found = {
        "cloning": copy,
        "cloning_greedy": np.eye(25)[copy.argmax(axis=1)],
        "random": everything / 25,
        "admissible": world.admissible / world.admissible.sum(axis=1, keepdims=True),
        "naive": pooled(counts, PLAIN).probabilities,
    }
    for caution in (0.1, 0.5, 1.0):
        found[f"lower_{caution:g}"] = pooled(counts, replace(PLAIN, caution=caution)).probabilities
    for minimum in (10.0, 20.0, 50.0):
        found[f"spibb_{minimum:g}"] = spibb(counts, copy, minimum).probabilities
    for visits in (20.0, 50.0, 200.0):
        found[f"pooled_{visits:g}"] = pooled(counts, Pooling(visits=visits)).probabilities
    masked = pooled(counts, Pooling(rare=0.0), world.admissible).probabilities
    best = found["pooled_50"]
    found["masked"] = masked
    for share in (0.1, 0.25, 0.5, 0.75):
        found[f"mixed_{share:g}"] = share * best + (1 - share) * copy
    found["mixed_naive"] = 0.25 * found["naive"] + 0.75 * copy
    return found


def logs(
    evaluation: Trajectories, policy: np.ndarray, behaviour: np.ndarray, fold: np.ndarray
) -> Logged:
    """What the estimators need, q cross-fitted by patient."""
    now, given = state(evaluation), evaluation.treatment.astype(np.int64)
    decisions = Decisions(
        given, evaluation.reward, policy[now], evaluation.offsets, evaluation.terminal
    )

    def fit(keep: np.ndarray) -> np.ndarray:
        return table_q(part(decisions, keep), now[keep], policy)[now]

    def occupy(keep: np.ndarray) -> np.ndarray:
        return table_occupancy(part(decisions, keep), now[keep], policy)[now]

    q, v = cross_fitted(fold, fit, decisions.policy, given)
    occupancy, _ = cross_fitted(fold, occupy, decisions.policy, given)
    return Logged(
        target=policy[now, given],
        behaviour=behaviour[now, given],
        reward=evaluation.reward,
        offsets=evaluation.offsets,
        q=q,
        v=v,
        occupancy=occupancy,
    )


def one_seed(world: sepsis.Sepsis, seed: int, train: int, test: int) -> list[dict]:
    """Every policy by every estimator: estimate, interval, truth, and whether it may be stated."""
    rng = np.random.default_rng(seed)
    learned = policies(sample(world.mdp, world.clinician, train, rng), world)
    evaluation = sample(world.mdp, world.clinician, test, rng)
    now, given = state(evaluation), evaluation.treatment.astype(np.int64)
    estimated = table_behaviour(now, given, world.clinician.shape)
    fold, rule = folds(evaluation.offsets, 3, rng), Stating(draws=300)
    results = []
    for name, policy in learned.items():
        known = logs(evaluation, policy, world.clinician, fold)
        truth = policy_value(world.mdp, policy)
        for split, behaviour in (("known", world.clinician), ("estimated", estimated)):
            logged = replace(known, behaviour=behaviour[now, given])
            for estimator, values in ((k, f(logged)) for k, f in ESTIMATORS.items()):
                low, high = mean_interval(values, rng, rule)
                results.append(
                    {
                        "policy": name, "split": split, "estimator": estimator, "seed": seed,
                        "truth": truth, "value": values.mean(),
                        "low": low, "high": high,
                        "stated": estimator != "direct"  # which states no interval
                        and refusal(logged, estimator, rule) is None,
                    }
                )  # fmt: skip
    return results


def summary(results: list[dict]) -> list[dict]:
    """The rows of the benchmark."""
    rows = []
    for split in ("known", "estimated"):
        for estimator in ESTIMATORS:
            chosen = [r for r in results if r["split"] == split and r["estimator"] == estimator]
            error = np.array([r["value"] - r["truth"] for r in chosen])
            spoken = [r for r in chosen if r["stated"]]
            covered = [r["low"] <= r["truth"] <= r["high"] for r in spoken]
            ranks, regrets = zip(*(_ranking(chosen, s) for s in _seeds(chosen)), strict=True)
            numbers = {
                "bias": np.nanmean(error),
                "rmse": np.sqrt(np.nanmean(error**2)),
                "coverage": np.mean(covered) if covered else np.nan,
                "rank_correlation": np.nanmean(ranks),
                "regret": np.mean(regrets),
            }
            for metric, value in numbers.items():
                n = len(spoken) if metric == "coverage" else len(chosen)
                rows.append(row("sepsis", estimator, split, metric, float(value), n=n))
    return rows


def _seeds(results: list[dict]) -> list[int]:
    return sorted({r["seed"] for r in results})


def _ranking(results: list[dict], seed: int) -> tuple[float, float]:
    """Rank correlation with the truth, and how much the chosen policy loses to the best."""
    mine = [r for r in results if r["seed"] == seed]
    truth = np.array([r["truth"] for r in mine])
    value = np.array([r["value"] for r in mine])
    value = np.where(np.isfinite(value), value, -np.inf)
    return float(spearmanr(value, truth).statistic), float(truth.max() - truth[value.argmax()])


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", type=int, default=10_000, help="episodes learned from")
    parser.add_argument("--test", type=int, default=10_000, help="episodes evaluated on")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    started, world = time.time(), sepsis.load()
    results = []
    for seed in range(arguments.seed, arguments.seed + arguments.seeds):
        results += one_seed(world, seed, arguments.train, arguments.test)
    write(arguments.json, summary(results), arguments.seed, started)


if __name__ == "__main__":
    main()
