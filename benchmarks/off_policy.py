"""Bias, error, coverage, ranking and regret of every off-policy estimator where truth is known.

    python -m benchmarks.off_policy --worlds sepsis warfarin belief clinic --seeds 10 --json FILE

Policies are learned from one set of logged patients by many methods and knobs, and valued on
others by every estimator, with the behaviour policy known and estimated: `--draws` independent sets
of `--test` patients a seed, as estimates on the same patients err together. The truth is exact on
sepsis, simulated on warfarin (off_policy_warfarin.py) and in the partly observed world
(off_policy_belief.py), and read from the clinic's (off_policy_clinic.py). `sdr` is what `posology
evaluate` reports first over many decisions; in the clinic each review is one decision, without it.
Each seed's results are kept beside FILE (`.jsonl`) as soon as they are there; the same command goes
on after the seeds it finds.
"""

import argparse
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from benchmarks import off_policy_belief, off_policy_clinic, off_policy_warfarin
from benchmarks.behaviour import table_behaviour
from benchmarks.off_policy_rows import Case, Sizes, States, append, finished, judged, summary
from benchmarks.rows import keep, write
from benchmarks.tabular_baselines import clone_behaviour, spibb
from posology.domain.trajectories import Trajectories, state_codes
from posology.evaluation.off_policy.estimators import OffPolicyData
from posology.evaluation.off_policy.state_tables import with_tables
from posology.learners.features.care_state import care_states
from posology.learners.offline_rl.tabular import (
    Shrinkage,
    count_transitions,
    shrunk_value_iteration,
)
from posology.simulators import sepsis
from posology.simulators.conversion import StudyNames, to_cohort
from posology.simulators.mdp import policy_value, sample_trajectories

SEPSIS = StudyNames("sepsis", tuple(f"treatment {number}" for number in range(25)))
PLAIN = Shrinkage(prior_visits=0.0, effect_std=1e-6, min_support=0.0, pessimism=0.0)


def policies(logged: Trajectories, world: sepsis.Sepsis) -> dict[str, np.ndarray]:
    """Twenty policies of every kind, from cautious to careless."""
    counts = count_transitions(logged)
    copy = clone_behaviour(counts).probabilities
    everything = np.ones_like(world.admissible)
    found = {
        "cloning": copy,
        "cloning_greedy": np.eye(25)[copy.argmax(axis=1)],
        "random": everything / 25,
        "admissible": world.admissible / world.admissible.sum(axis=1, keepdims=True),
        "naive": shrunk_value_iteration(counts, PLAIN).probabilities,
    }
    for caution in (0.1, 0.5, 1.0):
        found[f"lower_{caution:g}"] = shrunk_value_iteration(
            counts, replace(PLAIN, pessimism=caution)
        ).probabilities
    for minimum in (10.0, 20.0, 50.0):
        found[f"spibb_{minimum:g}"] = spibb(counts, copy, minimum).probabilities
    for visits in (20.0, 50.0, 200.0):
        found[f"pooled_{visits:g}"] = shrunk_value_iteration(
            counts, Shrinkage(prior_visits=visits)
        ).probabilities
    masked = shrunk_value_iteration(
        counts, Shrinkage(min_support=0.0), world.admissible
    ).probabilities
    best = found["pooled_50"]
    found["masked"] = masked
    for share in (0.1, 0.25, 0.5, 0.75):
        found[f"mixed_{share:g}"] = share * best + (1 - share) * copy
    found["mixed_naive"] = 0.25 * found["naive"] + 0.75 * copy
    return found


def one_seed(world: sepsis.Sepsis, seed: int, sizes: Sizes) -> list[dict]:
    """Every policy by every estimator, on each draw of patients."""
    rng = np.random.default_rng(seed)
    logged = sample_trajectories(world.mdp, world.clinician, sizes.train, rng)
    learned, results = policies(logged, world), []
    truth = {name: policy_value(world.mdp, policy) for name, policy in learned.items()}
    for number in range(sizes.draws):
        evaluation = sample_trajectories(world.mdp, world.clinician, sizes.test, rng)
        now, given = state_codes(evaluation), evaluation.treatment.astype(np.int64)
        # What clinicians do is learned from all patients, as it takes no outcomes; q from others.
        estimated = table_behaviour(
            np.append(state_codes(logged), now),
            np.append(logged.treatment, given),
            world.clinician.shape,
        )
        behaviours = {"known": world.clinician[now, given], "estimated": estimated[now, given]}
        logged_now = OffPolicyData(evaluation, np.ones(len(given)))
        states, path = care_states(to_cohort(evaluation, SEPSIS))
        for name, policy in learned.items():
            target = replace(logged_now, target=policy[now, given])
            data = with_tables(target, now, policy[now], rng)
            assert data is not None
            case = Case("sepsis", name, seed, number, truth[name])
            results += judged(case, data, behaviours, rng, States(states, path, policy[now]))
    return results


def on_sepsis(seed: int, sizes: Sizes) -> list[dict]:
    """The same, in the world read from its package."""
    return one_seed(sepsis.load(), seed, sizes)


WORLDS = {
    "sepsis": on_sepsis,
    "belief": off_policy_belief.one_seed,
    "warfarin": off_policy_warfarin.one_seed,
    "clinic": off_policy_clinic.one_seed,
}


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", nargs="+", default=["sepsis"], choices=WORLDS)
    parser.add_argument("--train", type=int, default=10_000, help="episodes learned from")
    parser.add_argument("--test", type=int, default=10_000, help="episodes evaluated on")
    parser.add_argument("--draws", type=int, default=1, help="sets of evaluated patients a seed")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0, help="first seed")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    kept = arguments.json.with_suffix(".jsonl") if arguments.json else None
    sizes, started = Sizes(arguments.train, arguments.test, arguments.draws), time.time()
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    before, results = list(finished(kept)), []
    for world in arguments.worlds:
        for seed in seeds:
            asked = {"world": world, "seed": seed, **asdict(sizes)}
            found = next((rows for what, rows in before if what == asked), None)
            if found is None:
                found = WORLDS[world](seed, sizes)
                append(kept, asked, found)
            results += found
            keep(arguments.json, summary(results), arguments.seed, started)
            spent = f"{time.time() - started:.0f} s, {time.process_time():.0f} CPU-s"
            print(f"{world}: seed {seed} of {seeds[0]} to {seeds[-1]} after {spent}", flush=True)
    write(arguments.json, summary(results), arguments.seed, started)


if __name__ == "__main__":
    main()
