"""What benchmarks.off_policy makes of estimates whose truth is known."""

from dataclasses import replace

import numpy as np
from scipy.stats import spearmanr

from benchmarks.rows import row
from posology.evaluation.effective_sample import Stating, by_patient, mean_interval, refusal
from posology.evaluation.off_policy import ESTIMATORS, Logged, unconverged

MODELLED = ("direct", "dr", "wdr", "odr")
"""Estimators that need q."""


def judged(
    named: tuple[str, str, int],
    truth: float,
    known: Logged,
    behaviours: dict[str, np.ndarray],
    rng: np.random.Generator,
) -> list[dict]:
    """One policy by every estimator: estimate, interval, truth, and whether it may be stated.

    named: study, policy and seed; behaviours: probability of what was given, known and estimated.
    """
    study, policy, seed = named
    rule, results = Stating(draws=300), []
    for split, behaviour in behaviours.items():
        logged = replace(known, behaviour=behaviour)
        for estimator, values in ESTIMATORS.items():
            if estimator == "odr" and known.occupancy is None:
                continue  # only where a state is one code
            found = by_patient(logged, values(logged))
            low, high = mean_interval(found, rng, rule)
            refused = refusal(logged, estimator, rule)
            modelled = estimator in MODELLED and abs(unconverged(logged)) > rule.unconverged
            results.append(
                {
                    "study": study, "policy": policy, "split": split, "estimator": estimator,
                    "seed": seed, "truth": truth, "value": found.mean(), "low": low, "high": high,
                    "stated": estimator != "direct" and refused is None,  # it states no interval
                    "unfit": modelled,
                }
            )  # fmt: skip
    return results


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
        covered = [r["low"] <= r["truth"] <= r["high"] for r in spoken]
        seeds = sorted({r["seed"] for r in chosen})
        ranks, regrets = zip(*(_ranking(chosen, s) for s in seeds), strict=True)
        numbers = {
            "bias": np.nanmean(error),
            "rmse": np.sqrt(np.nanmean(error**2)),
            "coverage": np.mean(covered) if covered else np.nan,
            "stated": len(spoken) / len(chosen),
            "rank_correlation": np.nanmean(ranks),
            "regret": np.mean(regrets),
        }
        for metric, value in numbers.items():
            n = len(spoken) if metric == "coverage" else len(chosen)
            rows.append(row(study, estimator, split, metric, float(value), n=n))
    return rows


def _ranking(results: list[dict], seed: int) -> tuple[float, float]:
    """Rank correlation with the truth, and how much the chosen policy loses to the best.

    Policies whose model does not fit come last.
    """
    mine = [r for r in results if r["seed"] == seed]
    truth = np.array([r["truth"] for r in mine])
    value = np.array([r["value"] for r in mine])
    unfit = np.array([r["unfit"] for r in mine])
    value = np.where(np.isfinite(value) & ~unfit, value, -np.inf)
    return float(spearmanr(value, truth).statistic), float(truth.max() - truth[value.argmax()])
