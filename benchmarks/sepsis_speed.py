"""How fast values are learned from sepsis episodes, at the width of other libraries.

    python -m benchmarks.sepsis_speed --episodes 4000 --batches 32 2048 --json FILE

`fitted_values` with two hidden layers of 256 and one member: rows gathered, target, loss, gradient,
step, slow copy, and as many passes of the clinicians' model. d3rlpy's discrete learners of that
width do 130 to 170 steps of 32 a CPU-second on such episodes (4,200 to 5,400 transitions).
"""

import argparse
import os
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.rows import row, write
from benchmarks.sepsis_networks import RARE, WIDE
from posology.domain.cohort import Cohort
from posology.learners.offline_rl.pessimistic_fqi import PessimisticFQI
from posology.learners.offline_rl.q_network import QNetworkSettings
from posology.simulators import sepsis
from posology.simulators.conversion import StudyNames, to_cohort
from posology.simulators.mdp import sample_trajectories

PASSES = 4
"""Whole passes, of which the first is left out: it holds the clinicians' model and preparation."""


def speed(cohort: Cohort, fitting: QNetworkSettings) -> float:
    """Transitions a CPU-second, by what more passes cost."""
    spent = []
    for passes in (1, PASSES):
        began = time.process_time()
        PessimisticFQI(replace(fitting, epochs=passes), min_support=RARE, warmup_epochs=0).fit(
            cohort, cohort
        )
        spent.append(time.process_time() - began)
    return len(cohort) * (PASSES - 1) / (spent[1] - spent[0])


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=4_000)
    parser.add_argument("--batches", type=int, nargs="+", default=[2_048])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    started, world = time.time(), sepsis.load()
    rng = np.random.default_rng([arguments.seed, arguments.episodes])
    logged = sample_trajectories(world.mdp, world.clinician, arguments.episodes, rng)
    cohort = to_cohort(logged, StudyNames("sepsis", world.mdp.names))
    rows = [
        row(
            "sepsis",
            "posology",
            f"batch{batch}",
            "transitions_per_cpu_second",
            speed(cohort, replace(WIDE, batch=batch)),
            n=len(cohort),
        )
        for batch in arguments.batches
    ]
    write(arguments.json, rows, arguments.seed, started)


if __name__ == "__main__":
    main()
