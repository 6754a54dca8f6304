"""Returns of policies learned from logged patients whose disease is seen only in part.

    python -m benchmarks.belief --episodes 2000,16000 --seeds 2 --json FILE

`posology` is what `fit` picks for trajectories; `network` and `fitted_values` are its parts. `gru`
is a plain recurrent Q-network: one member, no forecasts, no caution. `usual`, `bayes_visit` and
`bayes_history` come from the true model. `share` is the way from usual care to Bayes with the
history; `share_min` that of the worst instance and seed; `below_usual` counts instances and seeds
whose return lies below usual care by more than two standard errors of the simulation. Every learner
has its defaults, and no truth. Instances 0 to 7 were never used in development, which used 100 and
above. With --json, each finished fit is kept in FILE.parts, from which an interrupted run goes on.
"""

import argparse
import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from benchmarks.rows import keep, row
from posology.domain.cohort import TEST, TRAIN, VALIDATION, Cohort, select_split
from posology.domain.policy import Learner
from posology.domain.trajectories import episode_returns
from posology.learners.offline_rl.behaviour_cloning import BehaviourCloning
from posology.learners.offline_rl.cql import ConservativeQLearning
from posology.learners.offline_rl.iql import ImplicitQLearning
from posology.learners.offline_rl.q_network import QNetworkSettings
from posology.learners.recurrent.joint import JointValuePolicy, joint_values, weigh_by_outcomes
from posology.learners.recurrent.learner import RecurrentQ, ValuePhase
from posology.learners.recurrent.network import RecurrentSizes
from posology.learners.recurrent.schedule import Schedule, schedule_for
from posology.simulators.belief.care import usual_care
from posology.simulators.belief.instances import Instance, draw_instance
from posology.simulators.belief.play import play
from posology.simulators.belief.world import FEATURES
from posology.simulators.conversion import StudyNames, to_cohort
from posology.simulators.rollout import MemoryPolicy, remember_history

TEST_PATIENTS = 6000
REFERENCES = ("usual", "bayes_visit", "bayes_history")
LEARNED = ("posology", "network", "fitted_values", "cql", "iql", "cloning", "gru")


@dataclass(frozen=True, slots=True)
class Fit:
    """One learner on one instance, number of episodes and seed."""

    instance: int
    episodes: int
    seed: int
    model: str

    @property
    def key(self) -> str:
        """Its name among the finished parts."""
        return f"{self.instance}/{self.episodes}/{self.seed}/{self.model}"


def plain_gru(patients: int, visits: float, seed: int) -> RecurrentQ:
    """As many batches as both phases of ours, all of them temporal differences."""
    ours = schedule_for(patients, visits)
    return RecurrentQ(
        RecurrentSizes(members=1, dropout=0.0),
        pessimism=0.0,
        remembering=ValuePhase(min_support=0.0, forecast_weight=0.0),
        schedule=Schedule(ours.batch, 0, ours.first + ours.second, ours.learning_rate, 0.0),
        seed=seed,
    )


def learner(model: str, patients: int, visits: float, seed: int) -> Learner:
    """A learner with its defaults."""
    settings = QNetworkSettings(seed=seed)
    return {
        "cql": ConservativeQLearning(settings),
        "iql": ImplicitQLearning(settings),
        "cloning": BehaviourCloning(settings),
        "gru": plain_gru(patients, visits, seed),
    }[model]


def logged_cohort(instance: Instance, episodes: int, seed: int) -> tuple[Cohort, StudyNames]:
    """Patients under usual care; those of the test split are learned from too."""
    world = instance.world
    names = StudyNames("belief", world.treatments, FEATURES, day_column="month")
    logged = play(world, usual_care(world), episodes, np.random.default_rng([seed, episodes]))
    cohort = to_cohort(logged, names)
    split = np.where(cohort.split == TEST, TRAIN, cohort.split).astype(np.int8)
    return replace(cohort, split=split), names


def fit_all(
    instance: Instance, todo: list[Fit], parts: dict[str, dict[str, float]]
) -> dict[str, dict[str, float]]:
    """Return, its standard error and CPU-seconds of each fit of one data set."""
    first = todo[0]
    cohort, names = logged_cohort(instance, first.episodes, first.seed)
    train, validation = select_split(cohort, TRAIN), select_split(cohort, VALIDATION)
    patients, wanted, policies = len(train.history.subject_id), {t.model for t in todo}, {}
    if wanted & {"posology", "network", "fitted_values"}:
        joint = joint_values(first.seed)
        began = time.process_time()
        network = joint.recurrent.fit(train, validation)
        middle = time.process_time()
        window = joint.window.fit(train, validation)
        ended = time.process_time()
        both = weigh_by_outcomes(JointValuePolicy(network, window), validation)
        policies["network"] = network, middle - began
        policies["fitted_values"] = window, ended - middle
        policies["posology"] = both, time.process_time() - began
    for model in wanted - policies.keys():
        began = time.process_time()
        policy = learner(model, patients, len(train) / patients, first.seed).fit(train, validation)
        policies[model] = policy, time.process_time() - began
    found = {}
    for each in todo:
        policy, seconds = policies[each.model]
        value, error = mean_return(instance, remember_history(policy, names), first.seed)
        found[each.key] = {"return": value, "error": error, "cpu_seconds": seconds}
        print(
            f"{each.key}: {value:.1f}, {instance.share(value):.1%}, {seconds:.0f} CPU-s", flush=True
        )
    return parts | found


def mean_return(instance: Instance, policy: MemoryPolicy, seed: int) -> tuple[float, float]:
    """Mean return of new patients, and its standard error."""
    rng = np.random.default_rng([seed, TEST_PATIENTS, 2])
    returns = episode_returns(play(instance.world, policy, TEST_PATIENTS, rng))
    return float(returns.mean()), float(returns.std() / TEST_PATIENTS**0.5)


def rows_of(parts: dict[str, dict[str, float]], references: dict[str, dict]) -> list[dict]:
    """The rows of benchmark-rows.md, of what is finished."""
    rows = []
    names = sorted({tuple(key.split("/")[1::2]) for key in parts})
    for episodes, model in names:
        mine = {k: p for k, p in parts.items() if tuple(k.split("/")[1::2]) == (episodes, model)}
        returns = np.array([part["return"] for part in mine.values()])
        usual, best = (
            np.array([references[k.split("/")[0]][name] for k in mine])
            for name in ("usual", "bayes_history")
        )
        share = (returns - usual) / (best - usual)
        errors = np.array([part["error"] for part in mine.values()])
        numbers = {
            "return": returns.mean(),
            "share": share.mean(),
            "share_min": share.min(),
            "below_usual": float((returns < usual - 2 * errors).sum()),
            "cpu_seconds": np.mean([part["cpu_seconds"] for part in mine.values()]),
        }
        rows += [
            row("belief", model, episodes, metric, float(value), n=len(mine))
            for metric, value in numbers.items()
        ]
    for name in REFERENCES:
        values = [found[name] for found in references.values()]
        rows.append(row("belief", name, "all", "return", float(np.mean(values)), n=len(values)))
    return rows


def main() -> None:
    """Run, or go on, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", default="2000,16000")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--instances", default="0-7", help="first and last number")
    parser.add_argument("--models", nargs="+", choices=LEARNED, default=LEARNED)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    started = time.time()
    low, high = (int(number) for number in arguments.instances.split("-"))
    store = arguments.json and arguments.json.with_suffix(".parts")
    state = json.loads(store.read_text()) if store and store.exists() else {}
    parts, references = state.get("parts", {}), state.get("references", {})
    for episodes in (int(number) for number in arguments.episodes.split(",")):
        for number in range(low, high + 1):
            fits = [
                [Fit(number, episodes, seed, model) for model in arguments.models]
                for seed in range(arguments.seeds)
            ]
            todo = [[f for f in some if f.key not in parts] for some in fits]
            if not any(todo):
                continue
            instance = draw_instance(number)
            references[str(number)] = {name: getattr(instance, name) for name in REFERENCES}
            print(f"instance {number}: {references[str(number)]}", flush=True)
            for some in filter(None, todo):
                parts = fit_all(instance, some, parts)
                if store:
                    store.write_text(json.dumps({"parts": parts, "references": references}))
                    keep(arguments.json, rows_of(parts, references), 0, started)
    print_table(rows_of(parts, references))


def print_table(rows: list[dict]) -> None:
    """One line a number of episodes and model."""
    print(
        f"{'episodes':9}{'model':15}{'return':>8}{'share':>8}{'worst':>8}{'below':>7}{'CPU-s':>7}"
    )
    for episodes, model in dict.fromkeys((r["split"], r["model"]) for r in rows):
        mine = {
            r["metric"]: r["value"] for r in rows if (r["split"], r["model"]) == (episodes, model)
        }
        shown = (
            f"{mine['share']:8.3f}{mine['share_min']:8.3f}{mine['below_usual']:7.0f}"
            f"{mine['cpu_seconds']:7.0f}"
            if "share" in mine
            else ""
        )
        print(f"{episodes:9}{model:15}{mine['return']:8.1f}{shown}")


if __name__ == "__main__":
    main()
