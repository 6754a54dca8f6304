"""d3rlpy's discrete CQL in the world of benchmarks.belief: rows to read beside that table.

    python -m benchmarks.belief_d3rlpy --episodes 2000 --instances 0-3 --json FILE

Runs in an environment of its own that has d3rlpy (2.8.1) beside what posology needs. It learns from
the patients of `benchmarks.belief` with the same seed: the last three observations, standardised,
each with what was given before it. Every setting is d3rlpy's default; it has none for the number of
updates (`--updates`, batches of 32). Its greedy policy treats the same new patients. With --json,
each finished fit is kept in FILE.parts, from which an interrupted run goes on.
"""

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.belief import REFERENCES, Fit, mean_return, print_table, rows_of
from benchmarks.rows import keep
from posology.domain.trajectories import Trajectories
from posology.simulators.belief.care import usual_care
from posology.simulators.belief.instances import draw_instance
from posology.simulators.belief.play import play
from posology.simulators.rollout import MemoryPolicy

MODEL = "d3rlpy_cql"
LAST = 3
"""Observations that are seen."""
Greedy = Callable[[np.ndarray], np.ndarray]
"""The option put first for each row."""


@dataclass(slots=True)
class Memory:
    """The last observations of every patient, and what was given before each; newest first."""

    options: int
    center: np.ndarray
    spread: np.ndarray
    rows: np.ndarray | None = None

    def see(self, observation: np.ndarray, subject: np.ndarray, last: np.ndarray) -> np.ndarray:
        """The rows of these patients after one more visit; nothing seen yet is 0."""
        given = np.eye(self.options + 1)[last + 1][:, 1:]  # none before the first visit
        new = np.hstack([(observation - self.center) / self.spread, given])
        width = new.shape[1]
        if self.rows is None:
            self.rows = np.zeros((int(subject.max()) + 1, LAST * width))
        self.rows[subject] = np.hstack([new, self.rows[subject][:, :-width]])
        return self.rows[subject].astype(np.float32)


def stack(logged: Trajectories, memory: Memory) -> np.ndarray:
    """The row of every logged decision."""
    starts, counts = logged.offsets[:-1], np.diff(logged.offsets)
    found: np.ndarray | None = None
    for visit in range(int(counts.max())):
        subject = np.flatnonzero(counts > visit)
        at = starts[subject] + visit
        last = logged.treatment[at - 1] if visit else np.full(len(at), -1)
        rows = memory.see(logged.observation[at], subject, last)
        if found is None:
            found = np.zeros((len(logged.treatment), rows.shape[1]), np.float32)
        found[at] = rows
    assert found is not None
    return found


def learn(logged: Trajectories, rows: np.ndarray, options: int, updates: int, seed: int) -> Greedy:
    """d3rlpy's discrete CQL with its defaults."""
    import d3rlpy  # of this benchmark's own environment

    d3rlpy.seed(seed)
    ends = np.zeros(len(rows), dtype=np.float32)
    ends[logged.offsets[1:] - 1] = 1.0
    data = d3rlpy.dataset.MDPDataset(
        rows, logged.treatment[:, None], logged.reward[:, None], ends, action_size=options
    )
    cql = d3rlpy.algos.DiscreteCQLConfig().create(device="cpu:0")
    quiet = d3rlpy.logging.NoopAdapterFactory()
    cql.fit(data, updates, updates, logger_adapter=quiet, show_progress=False)
    return cql.predict


def greedy_policy(choose: Greedy, memory: Memory) -> MemoryPolicy:
    """The learned policy with its memory of new patients."""

    def act(observation: np.ndarray, subject: np.ndarray, last: np.ndarray) -> np.ndarray:
        return np.eye(memory.options)[choose(memory.see(observation, subject, last))]

    return act


def one_fit(fit: Fit, updates: int) -> dict[str, float]:
    """Return, its standard error and CPU-seconds."""
    instance = draw_instance(fit.instance)
    rng = np.random.default_rng([fit.seed, fit.episodes])  # the patients of benchmarks.belief
    logged = play(instance.world, usual_care(instance.world), fit.episodes, rng)
    options = len(instance.world.treatments)
    center, spread = logged.observation.mean(axis=0), logged.observation.std(axis=0)
    began = time.process_time()
    rows = stack(logged, Memory(options, center, spread))
    choose = learn(logged, rows, options, updates, fit.seed)
    seconds = time.process_time() - began
    policy = greedy_policy(choose, Memory(options, center, spread))
    value, error = mean_return(instance, policy, fit.seed)
    print(f"{fit.key}: {value:.1f}, {instance.share(value):.1%}, {seconds:.0f} CPU-s", flush=True)
    references = {name: getattr(instance, name) for name in REFERENCES}
    return {"return": value, "error": error, "cpu_seconds": seconds, **references}


def main() -> None:
    """Run, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=2000)
    parser.add_argument("--instances", default="0-3", help="first-last; 100 and above to develop")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--updates", type=int, default=20_000)
    parser.add_argument("--json", type=Path, required=True)
    arguments = parser.parse_args()
    started, store = time.time(), arguments.json.with_suffix(".parts")
    parts = json.loads(store.read_text()) if store.exists() else {}
    low, high = (int(number) for number in arguments.instances.split("-"))
    for number in range(low, high + 1):
        for seed in range(arguments.seeds):
            fit = Fit(number, arguments.episodes, seed, MODEL)
            if fit.key not in parts:
                parts[fit.key] = one_fit(fit, arguments.updates)
                store.write_text(json.dumps(parts))
    references = {
        key.split("/")[0]: {name: part[name] for name in REFERENCES} for key, part in parts.items()
    }
    rows = rows_of(parts, references)
    keep(arguments.json, rows, 0, started)
    print_table(rows)


if __name__ == "__main__":
    main()
