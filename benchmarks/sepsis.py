"""Exact survival of policies learned from logged sepsis patients, without access to the truth.

    python -m benchmarks.sepsis --episodes 1000 5000 20000 --seeds 5 --json FILE
    python -m benchmarks.sepsis --episodes 20000 --no-tables --networks fitted_values returns

`posology` is `tabular.shrunk_value_iteration` with its defaults: its prior was set on development
seeds and nothing is selected; `posology_masked` is the same inside the admissible options. The
setting of every other family is selected on a quarter of the episodes by the direct method (the
rule that benchmarks.off_policy found best); then it learns from all of them. Only the exact
survival at the end of each seed uses the truth. `--networks` adds those of
benchmarks/sepsis_networks.py, which take minutes. `seconds` is the CPU time from episodes to the
final policy, `transitions_per_second` the transitions learned from in that time, counting every
pass.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy.stats import t

from benchmarks.rows import row, write
from benchmarks.sepsis_networks import NETWORKS, SECOND_PHASE
from benchmarks.tabular_baselines import clone_behaviour, select_settings, spibb
from posology.domain.trajectories import Trajectories, split_episodes, state_codes
from posology.evaluation.off_policy.direct_method import fit_table_q
from posology.learners.offline_rl.tabular import (
    Shrinkage,
    TabularPolicy,
    count_transitions,
    shrunk_value_iteration,
)
from posology.simulators import sepsis
from posology.simulators.mdp import optimal_policy, policy_value, sample_trajectories

FRESH = 90_000
"""First seed of the published table; development used others."""
Learn = Callable[..., TabularPolicy]


def families(admissible: np.ndarray) -> dict[str, tuple[tuple, Learn]]:
    """Every method with its knob's candidates."""

    def ours(visits: float, logged: Trajectories) -> TabularPolicy:
        return shrunk_value_iteration(count_transitions(logged), Shrinkage(prior_visits=visits))

    def masked(visits: float, logged: Trajectories) -> TabularPolicy:
        return shrunk_value_iteration(
            count_transitions(logged), Shrinkage(prior_visits=visits, min_support=0.0), admissible
        )

    def lower(caution: float, logged: Trajectories) -> TabularPolicy:
        plain = Shrinkage(prior_visits=0.0, effect_std=1e-6, min_support=0.0, pessimism=caution)
        return shrunk_value_iteration(count_transitions(logged), plain)

    def improve(minimum: float, logged: Trajectories) -> TabularPolicy:
        counts = count_transitions(logged)
        return spibb(counts, clone_behaviour(counts).probabilities, minimum)

    def imitate(weight: float, logged: Trajectories) -> TabularPolicy:
        return clone_behaviour(count_transitions(logged), weight)

    return {
        "posology": ((Shrinkage().prior_visits,), ours),
        "posology_masked": ((Shrinkage().prior_visits,), masked),
        "posology_chosen": ((20.0, 50.0, 100.0, 200.0), ours),
        "lower_confidence": ((0.0, 0.1, 0.3, 1.0), lower),
        "spibb": ((5.0, 10.0, 20.0, 50.0, 100.0), improve),
        "cloning": ((1.0,), imitate),
    }


def direct_value(policy: TabularPolicy, logged: Trajectories) -> float:
    """Fitted Q of the policy on logged episodes; the truth plays no part."""
    q = fit_table_q(logged, policy.probabilities)
    first = state_codes(logged)[logged.offsets[:-1]]
    return float((policy.probabilities * q).sum(axis=1)[first].mean())


def one_seed(
    world: sepsis.Sepsis, episodes: int, seed: int, asked: tuple[str, ...], tables: bool
) -> dict[str, dict[str, float]]:
    """Exact survival of each family's policy, and what it took."""
    rng = np.random.default_rng([seed, episodes])
    logged = sample_trajectories(world.mdp, world.clinician, episodes, rng)
    train, validation = split_episodes(logged, 0.75, rng)
    found = {}
    methods = families(world.admissible) if tables else {}
    for name, (candidates, learn) in methods.items():
        began, knob = time.process_time(), candidates[0]
        if len(candidates) > 1:
            knob, _scores = select_settings(candidates, learn, direct_value, train, validation)
        learned = learn(knob, logged)
        found[name] = {
            "survival": policy_value(world.mdp, learned.probabilities),
            "seconds": time.process_time() - began,
        }
    for name in asked:
        policy, seconds, passes = NETWORKS[name](logged, world, seed)
        found[name] = {
            "survival": policy_value(world.mdp, policy),
            "seconds": seconds,
            "transitions_per_second": passes * len(logged.treatment) / seconds,
        }
        print(f"seed {seed}: {name} {found[name]}", flush=True)
    for numbers in found.values():
        numbers["decisions_per_second"] = len(logged.treatment) / max(numbers["seconds"], 1e-3)
    return found


def measure(
    world: sepsis.Sepsis, episodes: int, seeds: range, asked: tuple[str, ...], tables: bool
) -> list[dict]:
    """The rows of one number of episodes."""
    runs = [one_seed(world, episodes, seed, asked, tables) for seed in seeds]
    everything = np.ones_like(world.admissible)
    known = {
        "clinician": policy_value(world.mdp, world.clinician),
        "optimal": policy_value(world.mdp, optimal_policy(world.mdp, everything)),
    }
    split = str(episodes)
    rows = [
        row("sepsis", name, split, metric, value, n=len(runs))
        for name, value in known.items()
        for metric in ("survival", "survival_min")
    ]
    for name in runs[0]:
        for metric in runs[0][name]:
            values = np.array([run[name][metric] for run in runs])
            rows.append(row("sepsis", name, split, metric, float(values.mean()), n=len(runs)))
            if metric == "survival":
                least = float(values.min())
                rows.append(row("sepsis", name, split, "survival_min", least, n=len(runs)))
    return rows + gains(runs, split)


def gains(runs: list[dict[str, dict[str, float]]], split: str) -> list[dict]:
    """What the second phase adds, with a t interval over seeds (each its own patients)."""
    rows = []
    for second, first in SECOND_PHASE.items():
        if len(runs) > 1 and second in runs[0] and first in runs[0]:
            gain = np.array([run[second]["survival"] - run[first]["survival"] for run in runs])
            error = t.ppf(0.975, len(gain) - 1) * gain.std(ddof=1) / np.sqrt(len(gain))
            mean = float(gain.mean())
            extra = {"low": mean - error, "high": mean + error, "n": len(gain)}
            rows.append(row("sepsis", second, split, "second_phase_gain", mean, **extra))
    return rows


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, nargs="+", default=[1_000, 5_000, 20_000])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=FRESH, help="first seed")
    parser.add_argument("--networks", nargs="+", default=(), choices=NETWORKS)
    parser.add_argument("--no-tables", action="store_true", help="networks alone")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    started, world = time.time(), sepsis.load()
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    asked = tuple(arguments.networks)
    rows = [
        r
        for n in arguments.episodes
        for r in measure(world, n, seeds, asked, not arguments.no_tables)
    ]
    write(arguments.json, rows, arguments.seed, started)


if __name__ == "__main__":
    main()
