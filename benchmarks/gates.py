"""How often the gate lets a policy through that is not better, and one that is.

    python -m benchmarks.gates --worlds 200 --json FILE
    python -m benchmarks.gates --worlds 200 --kinds fit_null --json FILE

Four kinds of world (benchmarks/gates_worlds.py), so many of each: trajectories and single
decisions, without any effect and with a true gain of four standard errors of an oracle. In each a
policy is learned from some patients and judged on others as `posology evaluate --gate` and the
protecting choice of `posology fit` judge it; the behaviour policy is estimated. The kinds
`fit_null` and `fit_gain` run the whole of `posology fit` on such trajectories
(benchmarks/gates_fit.py; there `open` is `used`). Each world's result is kept beside FILE
(`.jsonl`); the same command goes on after the worlds it finds. Intervals of shares are exact
(Clopper and Pearson 1934).
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from benchmarks import gates_worlds as worlds
from benchmarks.gates_fit import fitted
from benchmarks.rows import row, write
from posology.causal.doubly_robust_scores import fit_nuisance
from posology.causal.outcome_regression import fit_outcome_regression
from posology.causal.trajectories.bounds import lower_bounds
from posology.causal.trajectories.care import LoggedCare
from posology.causal.trajectories.gain import estimate_trajectory_gain
from posology.causal.trial import assign_folds
from posology.domain.trajectories import state_codes
from posology.evaluation.effects.verdict import CANNOT_JUDGE, decide_verdict
from posology.evaluation.gate.advantage import require_gain
from posology.evaluation.intervals import Interval
from posology.evaluation.off_policy.by_state import estimate_by_state
from posology.learners.offline_rl.tabular import (
    Shrinkage,
    count_transitions,
    shrunk_value_iteration,
)
from posology.simulators.mdp import sample_trajectories

KINDS = ("trajectories_null", "trajectories_gain", "single_null", "single_gain")
FITS = ("fit_null", "fit_gain")
TRIES = 200


def trajectories(seed: int, has_gain: bool) -> dict:
    """One world of trajectories: is its policy let through, and is it used?"""
    rng = np.random.default_rng([seed, 11 if has_gain else 10])
    for _ in range(TRIES):
        ward = worlds.draw_ward(rng, rng.uniform(0.05, 0.4) if has_gain else 0.0)
        learn = 1_500 if has_gain else worlds.LEARN_FACTOR * worlds.NULL_PATIENTS
        logged = sample_trajectories(ward.mdp, ward.usual, learn, rng)
        table = shrunk_value_iteration(count_transitions(logged), Shrinkage()).probabilities
        gain, patients = worlds.true_gain(ward, table), worlds.NULL_PATIENTS
        if has_gain:
            patients = worlds.needed(gain, worlds.oracle_error(ward, table, rng))
        if patients:
            break
    else:
        raise RuntimeError(f"no world of seed {seed} has a gain that suits")
    judged = sample_trajectories(ward.mdp, ward.usual, patients, rng)
    judged, state = worlds.without_probabilities(judged, ward.usual), state_codes(judged)
    columns = np.eye(worlds.STATES)[state]
    columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    care = LoggedCare(judged, np.column_stack([np.ones(len(state)), columns]))
    policy = np.eye(worlds.OPTIONS)[table.argmax(axis=1)][state]
    found = estimate_by_state(care, policy, rng)
    bound = lower_bounds([estimate_trajectory_gain(care, policy, rng)], rng)[0]
    covers = found.gain is not None and found.gain.low <= gain <= found.gain.high
    return {
        "open": require_gain(found.gain, "usual care").holds,
        "used": bool(bound > 0),
        "refused": found.gain is None,
        "covers": bool(covers),
        "true": gain,
        "patients": patients,
    }


def single(seed: int, has_gain: bool) -> dict:
    """The same of one decision a patient."""
    rng = np.random.default_rng([seed, 21 if has_gain else 20])
    for _ in range(TRIES):
        clinic = worlds.draw_clinic(rng, rng.uniform(0.3, 1.5) if has_gain else 0.0)
        trial, _chance = worlds.draw_patients(clinic, 2_000, rng)
        mean = fit_outcome_regression(trial, assign_folds(trial, rng)).mean
        slopes = np.linalg.lstsq(_design(trial.covariates), mean, rcond=None)[0]
        many, chance = worlds.draw_patients(clinic, 10_000, rng)
        chosen = (_design(many.covariates) @ slopes).argmax(axis=1)
        scores = worlds.oracle_scores(clinic, many, chance)[np.arange(len(many)), chosen]
        usual = (worlds.propensity(clinic, many.covariates) * chance).sum(axis=1)
        gain = float((chance[np.arange(len(many)), chosen] - usual).mean())
        patients = worlds.NULL_PATIENTS
        if has_gain:
            patients = worlds.needed(gain, float((scores - many.outcome).std()))
        if patients:
            break
    else:
        raise RuntimeError(f"no world of seed {seed} has a gain that suits")
    judged, _chance = worlds.draw_patients(clinic, patients, rng)
    chosen = (_design(judged.covariates) @ slopes).argmax(axis=1)
    verdict = decide_verdict(fit_nuisance(judged, rng), chosen, int(mean.mean(0).argmax()), rng)
    shown = verdict.against_reference
    gained = None
    if shown is not None and verdict.kind != CANNOT_JUDGE:
        gained = Interval(shown.rule.value, shown.rule.low, shown.rule.high)
    is_open = require_gain(gained, "usual care").holds
    covers = gained is not None and gained.low <= gain <= gained.high
    return {
        "open": is_open,
        "used": is_open,
        "refused": gained is None,
        "covers": bool(covers),
        "true": gain,
        "patients": patients,
    }


def _design(covariates: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(covariates)), covariates])


WAYS = {"trajectories": trajectories, "single": single, "fit": fitted}
"""What runs a world, by the first word of its kind."""


def rows(results: list[dict]) -> list[dict]:
    """Shares let through, used, refused and covered, of each kind of world."""
    found = []
    for kind in (*KINDS, *FITS):
        mine = [r for r in results if r["kind"] == kind]
        for metric in ("open", "used", "refused"):
            if mine:
                count = sum(r[metric] for r in mine)
                low, high = _exact_interval(count, len(mine))
                share = count / len(mine)
                more = {"low": low, "high": high, "n": len(mine), "count": count}
                found.append(row(f"gates_{kind}", "posology", "test", metric, share, **more))
        stated = [r for r in mine if not r["refused"]]
        if stated:
            share = sum(r["covers"] for r in stated) / len(stated)
            found.append(row(f"gates_{kind}", "posology", "test", "coverage", share, n=len(stated)))
    return found


def _exact_interval(count: int, of: int) -> tuple[float, float]:
    """Clopper and Pearson's 95 % limits of a share."""
    found = binomtest(count, of).proportion_ci(0.95)
    return float(found.low), float(found.high)


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=100, help="of each kind")
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=(*KINDS, *FITS))
    parser.add_argument("--seed", type=int, default=9_000, help="first seed")
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    kept, started = arguments.json.with_suffix(".jsonl"), time.time()
    before = kept.read_text().splitlines() if kept.exists() else []
    results = [json.loads(line) for line in before]
    done = {(r["kind"], r["seed"]) for r in results}
    seeds = range(arguments.seed, arguments.seed + arguments.worlds)
    for kind in arguments.kinds:
        for seed in seeds:
            if (kind, seed) in done:
                continue
            way = WAYS[kind.partition("_")[0]]
            started_cpu = time.process_time()
            found = {"kind": kind, "seed": seed, **way(seed, kind.endswith("gain"))}
            found["cpu_seconds"] = time.process_time() - started_cpu
            results.append(found)
            with kept.open("a") as file:
                file.write(json.dumps(found) + "\n")
            if seed % 10 == 9:
                print(
                    f"{kind}: seed {seed} of {seeds[-1]}, {time.time() - started:.0f} s", flush=True
                )
    write(arguments.json, rows(results), arguments.seed, started)


if __name__ == "__main__":
    main()
